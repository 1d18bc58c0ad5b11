# A replica cannot follow any more. It is copied anew from the leader: Patroni
# empties its data directory, and only its. What is only there is lost: save it
# first. The leader is asked to do it, and the step waits until it streams.
#
#   antdbctl diagnose --fix G-62 --var-file site.hcl

runbook "reinitialize" {
  title = "Copy a replica anew from the leader"
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

variable "member" {
  type        = string
  description = "The member that is copied anew: the name of its pod."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

step "patroni.status" "before" {
  on      = target.site
  cluster = var.cluster

  expect "another member leads" {
    that = self.leader != "" && self.leader != var.member
    hint = "Without a leader there is nothing to copy from, and the leader itself is never emptied."
  }
}

step "k8s.get" "pod" {
  on   = target.site
  kind = "pod"
  name = var.member

  expect "the member's pod is there" {
    that = self.found
    hint = "Its pod has been replaced since: diagnose again."
  }
}

step "container.exec" "copy" {
  on      = step.before.primary
  after   = [step.pod]
  timeout = "4h"
  confirm = "Empty the data directory of ${var.member} and copy it anew from the leader? Transactions that only it has are lost."
  args    = [var.member, var.cluster, try(step.pod.object.status.podIP, "")]

  unless = <<-SH
    [ "$(psql -Atc "select count(*) from pg_stat_replication where application_name = '${var.member}' and state = 'streaming'")" -gt 0 ]
  SH

  script = <<-SH
    set -eu
    member=$1 cluster=$2 address=$3
    [ "$(psql -Atc 'select pg_is_in_recovery()')" = f ] || { echo "this server is no primary" >&2; exit 1; }
    [ "$(hostname)" != "$member" ] || { echo "$member is the leader" >&2; exit 1; }
    if [ -f /tmp/postgres-ha-bootstrap.yaml ]; then # PGO 4
      curl -fsS -m 30 -X POST -H 'Content-Type: application/json' -d '{"force": true}' "http://$address:8009/reinitialize"
    else
      patronictl reinit "$cluster-ha" "$member" --force
    fi
    while :; do
      sleep 5
      n=$(psql -Atc "select count(*) from pg_stat_replication where application_name = '$member' and state = 'streaming'")
      [ "$n" = 0 ] || break
    done
  SH
}

step "patroni.status" "after" {
  on      = target.site
  after   = [step.copy]
  cluster = var.cluster

  expect "the member follows" {
    that = anytrue([for m in self.found : m.name == var.member && contains(["running", "streaming"], m.state)])
    hint = join("; ", self.problems)
  }
}
