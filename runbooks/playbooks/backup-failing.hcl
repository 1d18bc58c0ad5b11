# Is there a backup to go back to, and does the archive grow.

playbook "backup failing" {
  look "backup.collect" "repositories" {
    on = target.site
  }

  look "sql.collect" "servers" {
    on = target.site
  }

  look "k8s.collect" "cluster" {
    on = target.site
  }

  finding "a repository has no backup that is good" {
    when     = anytrue([for s in look.repositories.facts.pgbackrest_stanza : s.backups == 0])
    cause    = "There is nothing to restore from."
    remedy   = "Make one with backup.run, once the archive works."
    evidence = [for s in look.repositories.facts.pgbackrest_stanza : "${s.place.cluster}: code ${s.code}, ${s.message}" if s.backups == 0]
  }

  finding "the last backup is old" {
    when     = anytrue([for s in look.repositories.facts.pgbackrest_stanza : s.backups > 0 && s.last_age > 172800])
    cause    = "No backup has succeeded for two days: the schedule does not run, or it fails."
    remedy   = "Look at the jobs below and at the schedule (pgo.cluster, backup_schedule); backup.run makes one now."
    evidence = [for s in look.repositories.facts.pgbackrest_stanza : "${s.place.cluster}: last good one ${floor(s.last_age / 3600)} h ago"]
  }

  finding "WAL is not archived" {
    when     = anytrue([for a in look.servers.facts.pg_archiver : a.mode != "off" && a.failing])
    cause    = "Changes since the last backup cannot be restored, and WAL fills the primary's volume."
    remedy   = "The server's log has the command's own error beside \"archive command failed\": repository unreachable, full, or of another database (antdbctl diagnose tells which)."
    evidence = [for a in look.servers.facts.pg_archiver : "${a.place.pod}: ${a.failed} failures, ${a.pending} files wait, last success ${a.last_ok < 0 ? "never" : "${a.last_ok} s ago"}" if a.failing]
  }

  finding "a backup job failed" {
    when     = anytrue([for j in look.cluster.facts.k8s_job : contains(["backup", "stanza-create"], j.purpose) && j.over == "Failed"])
    cause    = "The job ended without a backup."
    remedy   = "kubectl logs job/NAME; the last ERROR has pgBackRest's code."
    evidence = [for j in look.cluster.facts.k8s_job : "job ${j.name}: ${j.message}" if contains(["backup", "stanza-create"], j.purpose) && j.over == "Failed"]
  }
}
