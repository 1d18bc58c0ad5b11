# What to look at when something is wrong: a playbook for each question that
# operators are called with. They only look.
#
#   antdbctl diagnose runbooks/playbooks --var-file site.hcl
#   antdbctl diagnose runbooks/playbooks --var-file site.hcl --playbook "replica lagging"
#
# The first holds everything that antdbctl knows against the site, and plays them
# all. One playbook alone answers its question with the numbers behind it.

runbook "playbooks" {
  title = "What to look at when something is wrong"
}

variable "nodes" {
  type        = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
  default     = {}
  description = "The machines, to look at by SSH; none are looked at without."
}

variable "ssh_config" {
  type        = string
  default     = "~/.ssh/config"
  description = "OpenSSH client configuration used to reach the nodes."
}

variable "ssh_identity" {
  type        = string
  default     = null
  description = "Private key for the nodes, beside those of the agent and ssh_config."
}

variable "known_hosts" {
  type    = string
  default = "~/.ssh/known_hosts"
}

variable "kubeconfig" {
  type        = string
  default     = null
  description = "Access to the cluster; $KUBECONFIG or ~/.kube/config by default."
}

variable "namespace" {
  type        = string
  default     = "pgouser1"
  description = "Namespace of the database clusters."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}
