# Database parameters as they should be, on every member, for good: also those
# that take a restart. Replicas are restarted first; where there is one, the
# primary hands over to it before its own turn.
#
#   antdbctl plan  runbooks/antdb-tune.hcl --var-file site.hcl
#   antdbctl apply runbooks/antdb-tune.hcl --var-file site.hcl --var 'parameters={max_connections = "150"}'

runbook "antdb-tune" {
  title = "Parameters of an AntDB cluster, proved on every member"
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

variable "parameters" {
  type = map(string)
  default = {
    max_connections            = "150" # takes a restart
    work_mem                   = "8MB"
    log_min_duration_statement = "2s"
  }
  description = "As in postgresql.conf; null takes one out of the configuration."
}

variable "restart" {
  type        = string
  default     = "rolling"
  description = "\"never\" leaves the members waiting for a restart."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

step "patroni.status" "before" {
  on      = target.site
  cluster = var.cluster

  expect "the cluster is in order" {
    that = self.healthy || alltrue([for p in self.problems : strcontains(p, "restart")])
    hint = "Mend this first: ${join("; ", self.problems)}"
  }
}

step "patroni.config" "parameters" {
  on         = target.site
  after      = [step.before]
  cluster    = var.cluster
  parameters = var.parameters
  restart    = var.restart
}

# Who leads now: a restart may have made another the primary.
step "patroni.status" "after" {
  on      = target.site
  after   = [step.parameters]
  cluster = var.cluster

  expect "all members follow, none waits for a restart" {
    that = self.leader != "" && (var.restart == "never" || length(self.pending_restart) == 0)
    hint = join("; ", self.problems)
  }
}

step "sql.query" "live" {
  on  = step.after.primary
  sql = "select name, setting, unit, pending_restart from pg_settings where name = any (string_to_array('${join(",", keys(var.parameters))}', ',')) order by name"

  expect "the primary runs with all of them" {
    that = var.restart == "never" || !anytrue([for r in self.rows : r.pending_restart])
  }
}

output "leader" {
  value = step.after.leader
}

output "running" {
  value = step.parameters.running
}
