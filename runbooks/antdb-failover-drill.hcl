# Does the cluster survive the loss of its primary, how long does it take, and is
# anything lost? Under a steady writer the primary is made to fail for real; the
# acknowledged writes are compared with what is there afterwards.
#
#   antdbctl apply runbooks/antdb-failover-drill.hcl --var-file site.hcl
#   antdbctl apply runbooks/antdb-failover-drill.hcl --var-file site.hcl --var by=freeze --var every=0s
#
# A drill that held the limits stays good for a month: applied again before that,
# nothing happens.

runbook "antdb-failover-drill" {
  title = "A real failure of the primary, measured"
}

variable "kubeconfig" {
  type        = string
  default     = null
  description = "Access to the cluster; $KUBECONFIG or ~/.kube/config by default."
}

variable "cluster" {
  type    = string
  default = "antdb"
}

variable "namespace" {
  type    = string
  default = "pgouser1"
}

variable "by" {
  type        = string
  default     = "pod"
  description = "The accident: pod, process, or freeze."

  validation {
    condition     = contains(["pod", "process", "freeze"], var.by)
    error_message = "Accidents are pod, process and freeze."
  }
}

variable "max_downtime" {
  type        = string
  default     = "60s"
  description = "The longest time without an acknowledged write that is tolerable."
}

variable "max_lost" {
  type        = number
  default     = 0
  description = "How many acknowledged writes may be gone. Streaming is asynchronous by default: under load a few may be."
}

variable "every" {
  type        = string
  default     = "720h"
  description = "How long a drill that held the limits stays good."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

step "patroni.status" "before" {
  on      = target.site
  cluster = var.cluster

  expect "a replica could take over" {
    that = self.replicas > 0 && !self.paused
    hint = "Nothing would fail over: ${join("; ", self.problems)}"
  }
}

step "patroni.drill" "failover" {
  on           = target.site
  after        = [step.before]
  cluster      = var.cluster
  by           = var.by
  max_downtime = var.max_downtime
  max_lost     = var.max_lost
  every        = var.every
}

step "patroni.status" "after" {
  on      = target.site
  after   = [step.failover]
  cluster = var.cluster

  expect "the cluster is whole again" {
    that = self.healthy && self.replicas == step.before.replicas
    hint = join("; ", self.problems)
  }
}

output "verdict" {
  value = step.failover.verdict
}

output "measured" {
  value = { for f in step.failover.facts : f.name => f.value }
}
