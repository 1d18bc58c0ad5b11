# An image that a node lacks is brought there: from another node that has it, or,
# where no node has, from the Docker engine that built it. Nothing is removed.
# The kubelet then tries again by itself, within five minutes.
#
#   antdbctl diagnose --fix G-20 --var-file site.hcl

runbook "image-missing" {
  title = "Bring an image to the node that lacks it"
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

variable "docker_host" {
  type        = string
  default     = null
  description = "Docker Engine that has the image, where no node does; the environment's by default."
}

variable "namespace" {
  type        = string
  default     = "pgouser1"
  description = "Namespace of the pods that wait for it."
}

variable "image" {
  type        = string
  description = "Name of the image, as the pod asks for it."

  validation {
    condition     = var.image != ""
    error_message = "Say which image: --var image=NAME:TAG."
  }
}

variable "at" {
  type        = string
  default     = ""
  description = "The node that lacks it; all of nodes when empty."
}

variable "source_node" {
  type        = string
  default     = ""
  description = "A node that has it; empty for the Docker engine."
}

locals {
  # The name as containerd writes it out.
  hosted = strcontains(var.image, "/") && can(regex("[.:]|^localhost$", split("/", var.image)[0]))
  path   = strcontains(var.image, "/") ? var.image : "library/${var.image}"
  tag    = can(regex(":[^/]+$|@", var.image)) ? "" : ":latest"
  full   = "${local.hosted ? var.image : "docker.io/${local.path}"}${local.tag}"

  lacking = { for name, node in var.nodes : name => node if(var.at == "" || name == var.at) && name != var.source_node }

  source = try(var.nodes[var.source_node], { address = "", port = 22 })

  ssh = join(" ", concat(
    ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", shellquote("UserKnownHostsFile=${pathexpand(var.known_hosts)}")],
    fileexists(var.ssh_config) ? ["-F", shellquote(pathexpand(var.ssh_config))] : [],
    var.ssh_identity == null ? [] : ["-i", shellquote(pathexpand(var.ssh_identity))],
  ))
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

target "docker" "builder" {
  host = var.docker_host
}

# Through this machine: what the one node writes the other reads as it comes.
step "host.command" "relay" {
  on       = target.local
  for_each = var.source_node == "" ? {} : local.lacking

  unless = <<-SH
    ${local.ssh} -p ${each.value.port} root@${each.value.address} ${shellquote("ctr -n k8s.io images ls -q 2>/dev/null | grep -qxF ${shellquote(local.full)} || docker image inspect ${shellquote(var.image)} >/dev/null 2>&1")}
  SH

  script = <<-SH
    set -e
    ${local.ssh} -p ${local.source.port} root@${local.source.address} ${shellquote("if ctr -n k8s.io images ls -q 2>/dev/null | grep -qxF ${shellquote(local.full)}; then ctr -n k8s.io images export - ${shellquote(local.full)}; else docker image save ${shellquote(var.image)}; fi")} |
    ${local.ssh} -p ${each.value.port} root@${each.value.address} ${shellquote("if ctr -n k8s.io containers ls -q 2>/dev/null | grep -q .; then ctr -n k8s.io images import -; else docker image load; fi")}
  SH
}

step "image.ship" "nodes" {
  on    = { for name, host in target.nodes.hosts : name => host if contains(keys(local.lacking), name) }
  when  = var.source_node == ""
  from  = target.builder
  image = var.image
  ref   = var.image
}

step "k8s.get" "pods" {
  on       = target.site
  after    = [step.relay, step.nodes]
  kind     = "pod"
  selector = "!antdbctl/none" # all of them

  expect "no pod waits for the image any more" {
    that = !anytrue([
      for p in self.objects : anytrue([
        for s in try(p.status.containerStatuses, []) : s.image == var.image && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], try(s.state.waiting.reason, ""))
      ]) && (var.at == "" || try(p.spec.nodeName, "") == var.at)
    ])
    hint = "The kubelet tries again within five minutes, if the name is right to the letter: ${local.full}."
  }

  retry {
    attempts = 20
    delay    = "20s"
  }
}
