# Backups as a whole: replicas that wait for one, jobs, stanzas, age.

finding "G-88" {
  title = { en = "A replica was asked for and is never made: it waits for the first backup", zh = "副本一直未创建：它在等待首次备份" }
  layer = "operator"
  per   = "cluster"
  steps = ["pgo.", "backup.", "patroni.", "k8s."]

  fact "waiting" {
    of = "pgo.replica"
    when = self.cluster_exists && self.pods == 0 && self.age > 900 && can(regex("(?i)pending", "${self.status} ${self.message}")) && !anytrue([
      for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == self.place.cluster && j.place.namespace == self.place.namespace
    ])
    strength = "strong"
  }

  cause = {
    en = "Pgreplica ${waiting.name} of cluster ${waiting.place.cluster} has waited for ${floor(waiting.age / 60)} minutes for the first backup, which failed or was never taken. PGO 4 does not try again."
    zh = "集群 ${waiting.place.cluster} 的 Pgreplica ${waiting.name} 已等待首次备份 ${floor(waiting.age / 60)} 分钟，而首次备份失败或从未执行。PGO 4 不会重试。"
  }
  check = {
    en = "kubectl -n ${waiting.place.namespace} get jobs -l pg-cluster=${waiting.place.cluster}; the log of the failed one says why."
    zh = "kubectl -n ${waiting.place.namespace} get jobs -l pg-cluster=${waiting.place.cluster}；失败作业的日志会说明原因。"
  }
  remedy = {
    en = "Take the reason of the failed job away, then make the stanza and a full backup that the operator takes for the first (step backup.run), as the fix does: the replica follows by itself."
    zh = "先消除作业失败的原因，再创建 stanza 并执行一次被 operator 认作首次备份的全量备份（backup.run 步骤，本修复即如此），之后副本会自动创建。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = waiting.place.cluster, namespace = waiting.place.namespace }
  }
}

finding "B-16" {
  title   = { en = "The last good backup is old", zh = "最近一次有效备份过旧" }
  layer   = "backup"
  per     = "cluster"
  steps   = ["backup.", "pgo.", "k8s."]
  warning = true

  fact "old" {
    of       = "pgbackrest.stanza"
    when     = self.backups > 0 && self.last_age > 691200
    strength = "proof"
  }

  cause = {
    en = "The last good backup of cluster ${old.place.cluster} is ${floor(old.last_age / 86400)} days old: a restore would replay that much WAL, and may need files that are gone."
    zh = "集群 ${old.place.cluster} 最近一次有效备份已是 ${floor(old.last_age / 86400)} 天前：恢复时要回放大量 WAL，且所需文件可能已不存在。"
  }
  check = {
    en = "pgbackrest info in the repository's pod; is there a schedule (pgo show schedule, or spec.backups.pgbackrest.repos[].schedules)?"
    zh = "在备份库 Pod 内 pgbackrest info；是否配置了备份计划（pgo show schedule，或 spec.backups.pgbackrest.repos[].schedules）？"
  }
  remedy = {
    en = "Take a backup now (step backup.run), and set up a schedule."
    zh = "立即备份（backup.run 步骤），并配置备份计划。"
  }
}

finding "B-25" {
  title    = { en = "A backup job of the cluster has failed, and none has succeeded since", zh = "集群的备份作业失败，此后没有成功的备份" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-88"]

  fact "job" {
    of = "k8s.job"
    when = contains(["stanza-create", "backup"], self.purpose) && self.over == "Failed" && self.place.cluster != "" && !anytrue([
      for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < self.age && s.place.cluster == self.place.cluster && s.place.namespace == self.place.namespace
      ]) && !anytrue([
      for j in facts.k8s_job : j.succeeded > 0 && j.purpose == self.purpose && j.age < self.age && j.place.cluster == self.place.cluster && j.place.namespace == self.place.namespace
    ])
    strength = "strong"
  }

  cause = {
    en = "Job ${job.name} (${job.purpose}) of cluster ${job.place.cluster} has failed${job.message != "" ? ": ${job.message}" : ""}. The operator does not repeat it."
    zh = "集群 ${job.place.cluster} 的作业 ${job.name}（${job.purpose}）失败${job.message != "" ? "：${job.message}" : ""}。operator 不会重试。"
  }
  check = {
    en = "kubectl -n ${job.place.namespace} logs job/${job.name} --tail=50"
    zh = "kubectl -n ${job.place.namespace} logs job/${job.name} --tail=50"
  }
  remedy = {
    en = "Take away what its log complains of, then make the stanza and a backup again, as the fix does."
    zh = "消除日志中报告的问题，然后重新创建 stanza 并备份（本修复即如此）。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = job.place.cluster, namespace = job.place.namespace }
  }
}

finding "B-27" {
  title    = { en = "The stanza is missing: nothing is backed up or archived", zh = "stanza 不存在：既无备份也无法归档" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-84", "G-88"]

  fact "stanza" {
    of = "pgbackrest.stanza"
    when = can(regex("missing stanza", self.message)) && anytrue([
      for p in facts.k8s_pod : p.role == "database" && p.leads && p.ready && p.ready_age > 300 && p.place.cluster == self.place.cluster && p.place.namespace == self.place.namespace
      ]) && !anytrue([
      for j in facts.k8s_job : j.active > 0 && j.purpose == "stanza-create" && j.place.cluster == self.place.cluster && j.place.namespace == self.place.namespace
    ])
    strength = "strong"
  }

  cause = {
    en = "The repository of cluster ${stanza.place.cluster} has no stanza (${stanza.message}), though its database serves: the job that makes it never ran or failed, or the repository's files were removed."
    zh = "集群 ${stanza.place.cluster} 的数据库已在服务，但备份库中没有 stanza（${stanza.message}）：创建它的作业没有运行或失败，或备份库的文件被删除。"
  }
  check = {
    en = "pgbackrest info in the repository's pod; kubectl -n ${stanza.place.namespace} get jobs -l pg-cluster=${stanza.place.cluster}; ls of its volume: is it the right one?"
    zh = "在备份库 Pod 内 pgbackrest info；kubectl -n ${stanza.place.namespace} get jobs -l pg-cluster=${stanza.place.cluster}；查看备份库卷的内容，确认挂载的是正确的卷。"
  }
  remedy = {
    en = "If backups were there before, find out first where they went. Then make the stanza and a full backup, as the fix does; WAL that waits is archived by itself."
    zh = "如果以前有过备份，先弄清它们去了哪里。然后创建 stanza 并执行全量备份（本修复即如此）；积压的 WAL 会自动归档。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = stanza.place.cluster, namespace = stanza.place.namespace }
  }
}
