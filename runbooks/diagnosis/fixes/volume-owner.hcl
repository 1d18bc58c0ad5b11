# The folder of a volume belongs to the user that the database runs as. What is
# in it stays as it is.
#
#   antdbctl diagnose --fix G-45 --var-file site.hcl

runbook "volume-owner" {
  title = "Give the folder of a volume to the database's user"
}

variable "nodes" {
  type        = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
  description = "The machines of the cluster, under the names of their nodes."
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
  type        = string
  default     = "~/.ssh/known_hosts"
  description = "Host keys of the nodes."
}

variable "kubeconfig" {
  type        = string
  default     = null
  description = "Access to the cluster; $KUBECONFIG or ~/.kube/config by default."
}

variable "namespace" {
  type    = string
  default = "pgouser1"
}

variable "pod" {
  type        = string
  default     = ""
  description = "The pod that could not write; the fix waits until it runs again."
}

variable "at" {
  type        = string
  description = "The node that has the folder."

  validation {
    condition     = var.at != ""
    error_message = "Say on which node: --var at=NODE."
  }
}

variable "path" {
  type        = string
  description = "The folder."

  validation {
    condition     = can(regex("^/[^/]+/.", var.path)) && !can(regex("^/(etc|usr|bin|sbin|lib|lib64|boot|dev|proc|sys|root|run)/|^/var/lib/[^/]+/?$", var.path))
    error_message = "A folder of its own, please: not one of the system."
  }
}

variable "owner" {
  type        = string
  default     = "26"
  description = "User and group of the database in its container."
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
  namespace  = var.namespace
}

step "host.directory" "volume" {
  on    = target.nodes.hosts[var.at]
  path  = var.path
  owner = var.owner
  group = var.owner
}

step "k8s.get" "pod" {
  on    = target.site
  after = [step.volume]
  when  = var.pod != ""
  kind  = "pod"
  name  = var.pod

  expect "its containers run" {
    that = !self.found || alltrue([for c in try(self.object.status.containerStatuses, []) : try(c.state.running, null) != null])
    hint = "If it ends again, its log says why: kubectl -n ${var.namespace} logs ${var.pod} --all-containers --previous."
  }

  retry {
    attempts = 20
    delay    = "20s"
  }
}
