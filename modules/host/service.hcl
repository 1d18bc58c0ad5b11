step "host.service" "docker" {
  on      = target.nodes
  name    = "docker"
  state   = "started"
  enabled = true
}
