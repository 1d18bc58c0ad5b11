# The whole site on one page. It only looks.
#
#   antdbctl apply runbooks/health-check.hcl --var-file site.hcl --auto-approve
#
# What is wrong is explained by: antdbctl diagnose runbooks/playbooks --var-file site.hcl

runbook "health-check" {
  title = "The whole site on one page"
}

variable "nodes" {
  type        = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
  description = "The machines, to look at by SSH."
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
  type    = string
  default = "~/.ssh/known_hosts"
}

variable "kubeconfig" {
  type        = string
  default     = null
  description = "Access to the cluster; $KUBECONFIG or ~/.kube/config by default."
}

variable "namespace" {
  type        = string
  default     = "pgouser1"
  description = "Namespace of the database clusters."
}

variable "disk_percent" {
  type        = number
  default     = 85
  description = "How full a disk may be."
}

variable "backup_hours" {
  type        = number
  default     = 48
  description = "How old the last good backup may be."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}

step "host.collect" "machines" {
  on = target.nodes
}

step "k8s.collect" "kubernetes" {
  on = target.site
}

step "patroni.collect" "members" {
  on = target.site
}

step "sql.collect" "servers" {
  on = target.site
}

step "backup.collect" "backups" {
  on = target.site
}

output "machines" {
  value = { for name, m in step.machines : name => concat(
    [for d in m.facts.node_disk : "✗ ${d.path} ${d.percent} % full" if length(d.holds) > 0 && d.percent > var.disk_percent],
    [for c in m.facts.node_clock : "✗ clock off by ${c.offset} s" if abs(c.offset) > 2 + c.error],
    [for r in m.facts.node_runtime : "✗ ${r.name} does not run" if !r.running],
    [for k in step.kubernetes.facts.k8s_node : k.ready ? "✓ ready, ${k.runtime}" : "✗ not ready: ${k.message}" if k.name == name],
  ) }
}

output "clusters" {
  value = { for c in step.members.facts.patroni_cluster : c.name => concat(
    [c.leader == "" ? "✗ nobody leads" : "✓ ${c.leader} leads, timeline ${c.timeline}"],
    [for m in step.members.facts.patroni_member : m.reachable && m.lag < 16777216 ? "✓ ${m.name} follows, ${m.lag < 0 ? "lag unknown" : "${floor(m.lag / 1024)} KiB behind"}" : "✗ ${m.name} ${m.state}: ${m.reachable ? "${floor(m.lag / 1048576)} MiB behind" : "does not answer"}" if m.place.cluster == c.name && m.role != "leader"],
    [for s in step.servers.facts.pg_server : "✗ ${s.place.pod}: ${s.connections} of ${s.max_connections} connections" if s.place.cluster == c.name && s.max_connections > 0 && s.connections > s.max_connections * 0.9],
    [for d in step.servers.facts.pg_data : "${d.percent > var.disk_percent ? "✗" : "✓"} ${d.place.pod}: volume ${d.percent} % full" if d.place.cluster == c.name],
    [for a in step.servers.facts.pg_archiver : a.failing ? "✗ ${a.place.pod}: WAL is not archived" : "✓ WAL is archived" if a.place.cluster == c.name && a.mode != "off" && a.archived + a.failed > 0],
    [for b in step.backups.facts.pgbackrest_stanza : b.backups > 0 && b.last_age < var.backup_hours * 3600 ? "✓ ${b.backups} backups, the last ${floor(b.last_age / 3600)} h ago" : "✗ ${b.backups == 0 ? "no backup: ${b.message}" : "last backup ${floor(b.last_age / 3600)} h ago"}" if b.place.cluster == c.name],
    [for r in step.servers.facts.pg_role : "✗ Secret ${r.secret} has another password than role ${r.name}" if r.place.cluster == c.name && r.matches == "no"],
  ) }
}

output "kubernetes" {
  value = concat(
    [for a in step.kubernetes.facts.k8s_apiserver : a.error == "" ? "✓ API server ${a.version} answers in ${floor(a.millis)} ms" : "✗ ${a.error}"],
    [for d in step.kubernetes.facts.k8s_dns : "${d.ready == d.wants ? "✓" : "✗"} DNS: ${d.ready} of ${d.wants} ready" if d.wants > 0],
    [for p in step.kubernetes.facts.k8s_pod : "✗ pod ${p.name}: ${p.phase}${p.reason == "" ? "" : ", ${p.reason}"}" if !p.ready && !contains(["Succeeded"], p.phase)],
    [for c in step.kubernetes.facts.certificate : "✗ ${c.where} ends in ${floor(c.left / 86400)} days" if c.left < 2592000],
    [for c in step.kubernetes.facts.k8s_claim : "✗ claim ${c.name} waits for a volume" if c.phase != "Bound" && c.used],
  )
}

output "not_seen" {
  value = concat(step.kubernetes.gaps, step.members.gaps, step.servers.gaps, step.backups.gaps, flatten([for m in step.machines : m.gaps]))
}
