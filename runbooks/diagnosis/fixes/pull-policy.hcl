# The containers of a database use the image that their node has, and ask no
# registry. Only this one setting is written; the pods are made anew for it.
#
#   antdbctl diagnose --fix A-01 --var-file site.hcl

runbook "pull-policy" {
  title = "Let pods use the image that their node has"
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
  default     = ""
  description = "Name of the database cluster."
}

variable "generation" {
  type        = string
  default     = "4"
  description = "Of the operator: from 5 on it keeps the setting in the PostgresCluster."
}

variable "deployment" {
  type        = string
  default     = ""
  description = "Deployment that makes the pods, where the operator is of generation 4."
}

variable "container" {
  type    = string
  default = "database"
}

locals {
  name = var.deployment != "" ? var.deployment : var.cluster
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

step "k8s.apply" "deployment" {
  on   = target.site
  when = var.generation == "4"

  manifest = yamlencode({
    apiVersion = "apps/v1"
    kind       = "Deployment"
    metadata   = { name = local.name }
    spec       = { template = { spec = { containers = [{ name = var.container, imagePullPolicy = "IfNotPresent" }] } } }
  })
}

step "k8s.apply" "cluster" {
  on   = target.site
  when = var.generation != "4"

  manifest = yamlencode({
    apiVersion = "postgres-operator.crunchydata.com/v1beta1"
    kind       = "PostgresCluster"
    metadata   = { name = var.cluster }
    spec       = { imagePullPolicy = "IfNotPresent" }
  })
}

step "k8s.get" "pods" {
  on       = target.site
  after    = [step.deployment, step.cluster]
  kind     = "pod"
  selector = var.generation == "4" ? "pg-cluster=${var.cluster}" : "postgres-operator.crunchydata.com/cluster=${var.cluster}"

  expect "no pod asks a registry any more" {
    that = !anytrue([
      for p in self.objects : anytrue([
        for c in p.spec.containers : c.name == var.container && try(c.imagePullPolicy, "") == "Always"
      ]) && try(p.metadata.deletionTimestamp, "") == ""
    ])
    hint = "If they do all the same, the admission AlwaysPullImages is on: a registry that the nodes reach is needed."
  }

  retry {
    attempts = 30
    delay    = "5s"
  }
}
