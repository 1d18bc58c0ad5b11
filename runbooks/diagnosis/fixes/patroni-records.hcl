# Patroni's record says that the cluster has been initialised, and nobody has its
# data. The mark "initialize" is taken off, so that a member bootstraps; settings
# and all else in the record stay. This is only right when the data is gone for
# good: where a volume or a backup still has it, restore that instead.
#
# Kubernetes lets a field be dropped by who owns it: the mark is taken over by
# this runbook first, and then left out.
#
#   antdbctl diagnose --fix G-61 --var-file site.hcl

runbook "patroni-records" {
  title = "Let a cluster bootstrap whose record is stale"
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

variable "cluster" {
  type        = string
  description = "Name of the database cluster."
}

variable "record" {
  type        = string
  description = "Name of the record: CLUSTER-config."
}

variable "record_kind" {
  type    = string
  default = "ConfigMap"
}

variable "system" {
  type        = string
  default     = ""
  description = "System identifier that the record was found to have."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

step "k8s.get" "record" {
  on   = target.site
  kind = var.record_kind
  name = var.record

  expect "the record is the one that was diagnosed" {
    that = self.found && contains([var.system, "dropped"], try(self.object.metadata.annotations.initialize, "dropped"))
    hint = "Its mark has changed meanwhile: diagnose again."
  }
}

step "k8s.get" "leader" {
  on   = target.site
  kind = var.record_kind
  name = replace(var.record, "/-config$/", "-leader")

  expect "nobody leads the cluster" {
    that = try(self.object.metadata.annotations.leader, "") == ""
    hint = "A member leads it: the record is not stale."
  }
}

step "k8s.get" "members" {
  on       = target.site
  kind     = "pod"
  selector = "crunchy-pgha-scope=${var.cluster}"

  expect "no member runs the database" {
    that = alltrue([for p in try(self.objects, []) : !strcontains(try(p.metadata.annotations.status, ""), "\"state\":\"running\"")])
    hint = "A member says that its database runs: look at it first."
  }
}

step "k8s.apply" "taken" {
  on      = target.site
  after   = [step.leader, step.members]
  when    = try(step.record.object.metadata.annotations.initialize, null) != null
  confirm = "No volume has the data of cluster ${var.cluster} (system ${var.system}) any more, and an empty database may be made?"
  manifest = yamlencode({
    apiVersion = "v1", kind = var.record_kind
    metadata   = { name = var.record, annotations = { initialize = "taken back" } }
  })
}

step "k8s.apply" "dropped" {
  on    = target.site
  after = [step.taken]
  manifest = yamlencode({
    apiVersion = "v1", kind = var.record_kind
    metadata   = { name = var.record, annotations = {} }
  })
}
