# A cluster whose image lacks a library starts without it: the library is taken
# out of shared_preload_libraries in the settings that the operator made for the
# cluster, which the next start reads. Nothing else in them changes. Without
# pgaudit nothing is audited: where that is not wanted, build an image that has
# it instead (runbooks/antdb-rollout.hcl).
#
#   antdbctl diagnose --fix G-40 --var-file site.hcl

runbook "preload" {
  title = "Start the database without a library that its image lacks"
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

  validation {
    condition     = var.cluster != ""
    error_message = "No cluster was made of this image yet: build the image with the library in it."
  }
}

variable "library" {
  type        = string
  default     = "pgaudit.so"
  description = "The library that is missing."
}

variable "generation" {
  type        = string
  default     = "4"
  description = "Of the operator. From 5 on it preloads pgaudit always: only another image helps."

  validation {
    condition     = startswith(var.generation, "4")
    error_message = "PGO 5 and later preload pgaudit whatever the settings say: build an image that has it."
  }
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

# PGO 4.2 keeps the settings of a cluster here, …
step "k8s.get" "default" {
  on   = target.site
  kind = "ConfigMap"
  name = "${var.cluster}-pgha-default-config"
}

# … and PGO 4.5 to 4.7 here.
step "k8s.get" "settings" {
  on   = target.site
  kind = "ConfigMap"
  name = "${var.cluster}-pgha-config"
}

locals {
  operators = "pgaudit.so,pg_stat_statements.so"

  whole = step.default.found ? yamldecode(step.default.object.data["postgres-ha.yaml"]) : {}
  boot  = try(local.whole.bootstrap, {})
  dcs   = try(local.boot.dcs, {})
  pg    = try(local.dcs.postgresql, {})
  set   = try(local.pg.parameters, {})

  newer_key = "${var.cluster}-dcs-config"
  newer     = step.settings.found ? yamldecode(step.settings.object.data[local.newer_key]) : {}
  newer_pg  = try(local.newer.postgresql, {})
  newer_set = try(local.newer_pg.parameters, {})

  name = trimsuffix(basename(var.library), ".so")
  left = {
    default  = join(",", [for l in split(",", try(local.set.shared_preload_libraries, local.operators)) : trimspace(l) if trimsuffix(basename(trimspace(l)), ".so") != local.name])
    settings = join(",", [for l in split(",", try(local.newer_set.shared_preload_libraries, local.operators)) : trimspace(l) if trimsuffix(basename(trimspace(l)), ".so") != local.name])
  }
}

step "k8s.apply" "without" {
  on   = target.site
  when = step.default.found

  manifest = yamlencode({
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "${var.cluster}-pgha-default-config" }
    data = { "postgres-ha.yaml" = yamlencode(merge(local.whole, { bootstrap = merge(local.boot, { dcs = merge(local.dcs, {
      postgresql = merge(local.pg, { parameters = merge(local.set, { shared_preload_libraries = local.left.default }) })
    }) }) })) }
  })
}

step "k8s.apply" "without_newer" {
  on   = target.site
  when = step.settings.found

  manifest = yamlencode({
    apiVersion = "v1"
    kind       = "ConfigMap"
    metadata   = { name = "${var.cluster}-pgha-config" }
    data = { (local.newer_key) = yamlencode(merge(local.newer, {
      postgresql = merge(local.newer_pg, { parameters = merge(local.newer_set, { shared_preload_libraries = local.left.settings }) })
    })) }
  })
}

# The kubelet brings the settings into the pod within a minute or two, and starts
# a container that keeps ending every five minutes at least.
step "k8s.get" "database" {
  on       = target.site
  after    = [step.without, step.without_newer]
  kind     = "pod"
  selector = "pg-cluster=${var.cluster},pgo-pg-database=true"

  expect "the database is ready" {
    that = anytrue([
      for p in self.objects : anytrue([for c in try(p.status.containerStatuses, []) : c.name == "database" && c.ready])
    ])
    hint = "Its log says what is missing now: kubectl logs -c database --previous."
  }

  retry {
    attempts = 24
    delay    = "20s"
  }
}
