target "ssh" "nodes" {
  hosts = ["10.0.0.11", "10.0.0.12"]
}

step "host.collect" "node" {
  on      = target.nodes
  folders = ["/data/antdb"]

  expect "no disk is nearly full" {
    that = alltrue([for disk in self.facts.node_disk : disk.percent < 90])
  }
}
