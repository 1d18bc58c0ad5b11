# A step on this machine, one on a host, one that needs it, one that does not.
variable "host" { type = object({ address = string, port = number }) }

variable "identity" { type = string }

variable "known_hosts" { type = string }

variable "ssh_config" { type = string }

variable "dir" {
  type        = string
  description = "Folder on the host."
}

target "ssh" "nodes" {
  hosts       = { db1 = var.host }
  identity    = var.identity
  known_hosts = var.known_hosts
  ssh_config  = var.ssh_config
}

step "host.file" "before" {
  path    = "${path.runbook}/before.txt"
  content = "1"
}

step "host.file" "remote" { # FAULT
  on      = target.nodes
  after   = [step.before]
  path    = "${var.dir}/remote.txt" # FAULT path
  content = join("", [for n in range(1000) : "a line of some length, so that the file has a size: ${n}\n"])
}

step "host.file" "needs" {
  after   = [step.remote]
  path    = "${path.runbook}/needs.txt"
  content = "3"
}

step "host.file" "apart" {
  path    = "${path.runbook}/apart.txt"
  content = "4"
}
