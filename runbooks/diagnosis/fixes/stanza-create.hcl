# The job that makes pgBackRest's stanza failed, and PGO 4 does not repeat it.
# The stanza is made in the repository's pod, as that job would have, and then a
# full backup that the operator takes for the cluster's first one: replicas that
# wait for it follow by themselves. Nothing is deleted; a stanza of another
# database is refused by pgBackRest itself.
#
#   antdbctl diagnose --fix G-77 --var-file site.hcl

runbook "stanza-create" {
  title = "Make the stanza and the first backup again"
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

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

step "k8s.wait" "repository" {
  on       = target.site
  kind     = "pod"
  selector = "pg-cluster=${var.cluster},pgo-backrest-repo=true"
  within   = "1m"
}

step "k8s.wait" "primary" {
  on       = target.site
  kind     = "pod"
  selector = "pg-cluster=${var.cluster},role=master"
  within   = "1m"
}

step "container.exec" "stanza" {
  on     = step.repository.container
  unless = "pgbackrest info --stanza=db | grep -Eq 'status: ok|no valid backups'"
  script = "pgbackrest stanza-create --stanza=db --log-level-console=info --pg1-host=\"$1\" --pg1-path=\"$2\""
  args   = [step.primary.object.status.podIP, "/pgdata/${step.primary.object.metadata.labels["deployment-name"]}"]
}

step "backup.run" "first" {
  on      = target.site
  after   = [step.stanza]
  cluster = var.cluster
  type    = "full"
  max_age = "168h" # a good backup of this week will do
  timeout = "2h"
}

step "backup.check" "proof" {
  on      = target.site
  after   = [step.first]
  cluster = var.cluster
  max_age = "168h"
}
