# A task of an earlier cluster stands in the way of a new one of its name. The
# cluster is asked for again by pgo.cluster, which says in the plan what the
# earlier one has left, takes the task away, and touches nothing that may hold
# data; what it must not touch it refuses.
#
#   antdbctl diagnose --fix G-96 --var-file site.hcl

runbook "stale-pgtask" {
  title = "Create the cluster that a stale task was in the way of"
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

variable "image" {
  type        = string
  description = "Database image of the cluster, as in the rollout."
}

variable "replicas" {
  type        = number
  default     = 0
  description = "Members that follow the primary."
}

variable "pgo_url" {
  type        = string
  default     = null
  description = "The operator's apiserver; by default reached by a port-forward to its Service."
}

variable "pgo_certs" {
  type        = string
  default     = null
  description = "Folder with ca.crt, client.crt and client.key of the operator's apiserver (PGO 4)."
}

variable "pgouser_file" {
  type        = string
  default     = "~/.pgouser"
  description = "File with one line user:password for the operator's apiserver."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

# The operator may be about to make it right now: then there is nothing to do.
step "k8s.get" "record" {
  on   = target.site
  kind = "pgclusters.crunchydata.com"
  name = var.cluster

  expect "the cluster is gone from the operator's records" {
    that = !self.found || try(self.object.status.state, "") == "pgcluster Created"
    hint = "Cluster ${var.cluster} is there: its task is not stale, and stays."
  }
}

step "pgo.cluster" "cluster" {
  on       = target.site
  after    = [step.record]
  timeout  = "15m"
  name     = var.cluster
  image    = var.image
  replicas = var.replicas

  api {
    url          = var.pgo_url
    ca           = var.pgo_certs == null ? null : "${var.pgo_certs}/ca.crt"
    cert         = var.pgo_certs == null ? null : "${var.pgo_certs}/client.crt"
    key          = var.pgo_certs == null ? null : "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}
