# What the colleague has: where things are, and nothing of what they should be.

runbook "site" {
  title = "A site that something is wrong with"
}

variable "nodes" {
  type = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
}

variable "ssh_config" {
  type = string
}

variable "ssh_identity" {
  type = string
}

variable "known_hosts" {
  type = string
}

variable "kubeconfig" {
  type = string
}

variable "docker_host" {
  type = string
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = "pgouser1"
}

target "docker" "builder" {
  host = var.docker_host
}
