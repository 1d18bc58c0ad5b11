step "host.facts" "node" {
  on    = target.nodes
  paths = ["/var", "/data"]

  expect "the machine is large enough" {
    that = self.cpus >= 2 && self.memory_gib >= 3.5 && self.disks["/data"].free_gib >= 20
    hint = "AntDB needs 2 CPUs, 4 GiB of memory and 20 GiB under /data."
  }

  expect "its clock is right" {
    that = abs(self.clock_offset) < 1 + self.clock_error
    hint = "Set the time: certificates and Patroni's leases depend on it."
  }

  expect "the container engine is known to work" {
    that = self.dockerd != "" || self.containerd != ""
  }
}
