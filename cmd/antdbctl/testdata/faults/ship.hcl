variable "host" { type = object({ address = string, port = number }) }

variable "identity" { type = string }

variable "known_hosts" { type = string }

variable "ssh_config" { type = string }

target "docker" "builder" {}

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

step "image.ship" "remote" { # FAULT
  on      = target.nodes
  after   = [step.before]
  from    = target.builder
  image   = "antdbctl-faults/big:1"
  runtime = "containerd"
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
