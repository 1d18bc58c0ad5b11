# Many hosts at once: looks at every machine before a rollout and changes
# nothing. A host that cannot be reached, or is not as expected, fails alone.
#
#   antdbctl apply examples/hosts --var 'hosts=["root@10.0.0.11", "root@10.0.0.12"]'
#
# Keys, jump hosts and users come from ~/.ssh/config and the agent, as with ssh.

runbook "hosts" {
  title = "Are these machines fit for AntDB?"
}

variable "hosts" {
  type        = list(string)
  description = "The machines, each as \"user@address:port\"; user and port may be left out."
}

variable "ssh_config" {
  type    = string
  default = "~/.ssh/config"
}

variable "known_hosts" {
  type    = string
  default = "~/.ssh/known_hosts"
}

variable "min_cpus" {
  type    = number
  default = 2
}

variable "min_memory_gib" {
  type    = number
  default = 3.5
}

variable "data" {
  type        = string
  default     = "/var/lib"
  description = "Where the database will be; it need not exist yet."
}

target "ssh" "nodes" {
  hosts       = var.hosts
  ssh_config  = var.ssh_config
  known_hosts = var.known_hosts
}

step "host.facts" "node" {
  on    = target.nodes
  paths = ["/", var.data]

  expect "it has the processors and the memory" {
    that = self.cpus >= var.min_cpus && self.memory_gib >= var.min_memory_gib
    hint = "It has ${self.cpus} CPUs and ${self.memory_gib} GiB."
  }

  expect "there is room for the data" {
    that = self.disks[var.data].free_gib >= 1
    hint = "Only ${self.disks[var.data].free_gib} GiB are free on ${self.disks[var.data].mount}."
  }

  expect "its clock is right" {
    that = abs(self.clock_offset) < 5 + self.clock_error
    hint = "It is ${self.clock_offset} s off: run chrony there."
  }
}

output "kernels" {
  value = { for name, node in step.node : name => node.kernel }
}
