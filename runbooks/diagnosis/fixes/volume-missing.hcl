# A volume for a claim that finds none: an empty folder of a node, owned by the
# database's user, and a PersistentVolume that is that folder and binds to this
# claim alone. A folder that has something in it is refused. The volume is kept
# (Retain) when the claim goes.
#
#   antdbctl diagnose --fix G-39 --var-file site.hcl --var at=node2

runbook "volume-missing" {
  title = "Make a volume for a claim"
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

variable "claim" {
  type        = string
  description = "Name of the claim."

  validation {
    condition     = var.claim != ""
    error_message = "Say for which claim: --var claim=NAME."
  }
}

variable "class" {
  type        = string
  default     = ""
  description = "Storage class that it asks for."
}

variable "size" {
  type    = string
  default = "1Gi"
}

variable "modes" {
  type    = list(string)
  default = ["ReadWriteOnce"]
}

variable "at" {
  type        = string
  description = "Node that the volume is on: its pod will run there."

  validation {
    condition     = var.at != ""
    error_message = "Say on which node: --var at=NODE."
  }
}

variable "folder" {
  type        = string
  default     = "/var/lib/antdb-volumes"
  description = "Folder of the node that such volumes lie in."
}

variable "owner" {
  type        = string
  default     = "26"
  description = "User and group of the database in its container."
}

locals {
  name = "antdb-${var.namespace}-${var.claim}"
  path = "${var.folder}/${local.name}"
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

step "host.directory" "folder" {
  on    = target.nodes.hosts[var.at]
  path  = local.path
  owner = var.owner
  group = var.owner
  mode  = "0700"
}

step "k8s.get" "before" {
  on   = target.site
  kind = "PersistentVolume"
  name = local.name
}

# Data of an earlier cluster is nobody's to give away.
step "host.command" "empty" {
  on     = target.nodes.hosts[var.at]
  after  = [step.folder]
  when   = !step.before.found
  script = "echo ${shellquote("${local.path} has something in it: name another folder, or empty it by hand")} >&2; exit 1"
  unless = "[ -z \"$(ls -A ${shellquote(local.path)} 2>/dev/null)\" ]"
}

step "k8s.apply" "volume" {
  on    = target.site
  after = [step.empty]

  manifest = yamlencode({
    apiVersion = "v1"
    kind       = "PersistentVolume"
    metadata   = { name = local.name, labels = { "antdbctl/claim" = var.claim } }
    spec = {
      capacity                      = { storage = var.size }
      accessModes                   = var.modes
      persistentVolumeReclaimPolicy = "Retain"
      storageClassName              = var.class
      claimRef                      = { apiVersion = "v1", kind = "PersistentVolumeClaim", namespace = var.namespace, name = var.claim }
      hostPath                      = { path = local.path, type = "Directory" }
      nodeAffinity = { required = { nodeSelectorTerms = [{ matchExpressions = [
        { key = "kubernetes.io/hostname", operator = "In", values = [var.at] }
      ] }] } }
    }
  })
}

step "k8s.wait" "claim" {
  on     = target.site
  after  = [step.volume]
  kind   = "pvc"
  name   = var.claim
  within = "3m"
}
