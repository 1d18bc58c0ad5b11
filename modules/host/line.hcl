step "host.line" "hugepages" {
  on    = target.nodes
  path  = "/etc/sysctl.d/60-antdb.conf"
  line  = "vm.nr_hugepages = 512"
  match = "^\\s*vm\\.nr_hugepages\\s*="

  create = true
}
