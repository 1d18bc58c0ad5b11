# What a diagnosis looks at when it is given no runbook: the cluster that kubectl
# would take, and the machines, where a --var-file names them.

runbook "site" {
  title = "the site"
}

variable "kubeconfig" {
  type    = string
  default = null
}

variable "context" {
  type    = string
  default = null
}

variable "namespace" {
  type    = string
  default = null
}

variable "nodes" {
  type    = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
  default = {}
}

variable "ssh_config" {
  type    = string
  default = "~/.ssh/config"
}

variable "ssh_identity" {
  type    = string
  default = null
}

variable "known_hosts" {
  type    = string
  default = "~/.ssh/known_hosts"
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  context    = var.context
  namespace  = var.namespace
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}
