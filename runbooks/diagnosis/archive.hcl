# What keeps pgBackRest from archiving WAL and from copying the database.

finding "G-83" {
  title    = { en = "WAL did not reach the archive in time, so the backup was given up", zh = "WAL 未能及时归档，备份被放弃" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-88", "B-16", "B-25"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "WAL segment (?P<segment>[0-9A-F]{24}) was not archived before the (?P<ms>\\d+) ?ms timeout"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "pgBackRest waited ${said.ms} ms for WAL segment ${said.segment} of cluster ${said.place.cluster} in the archive; it did not come: archive_command does not work, or is too slow."
    zh = "pgBackRest 等待集群 ${said.place.cluster} 的 WAL 段 ${said.segment} 归档 ${said.ms} 毫秒仍未完成：archive_command 不工作或太慢。"
  }
  check = {
    en = "select * from pg_stat_archiver on the primary, and the lines of its log with “archive command failed”."
    zh = "在主节点 select * from pg_stat_archiver，并查看日志中 “archive command failed” 前后的内容。"
  }
  remedy = {
    en = "Make archiving work (run archive_command by hand in the database's container and read what it says), then take the backup again. If it only is slow: a larger archive-timeout, or process-max."
    zh = "先让归档恢复（在数据库容器内手工执行 archive_command 看报错），再重新备份。若只是慢，调大 archive-timeout 或 process-max。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = said.place.cluster, namespace = said.place.namespace }
  }
}

finding "G-84" {
  title    = { en = "WAL is not archived: archive_command fails", zh = "WAL 归档失败：archive_command 执行出错" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "sql."]
  explains = ["G-83", "B-01", "B-16"]

  line "said" {
    in       = ["container", "server"]
    match    = "archive command failed with exit code (?P<code>\\d+)|归档命令执行失败，退出代码为 (?P<code_zh>\\d+)"
    strength = "hint"
    past     = true
  }

  fact "failing" {
    of       = "pg.archiver"
    when     = self.failing && ((self.failed >= 3 && (self.last_ok < 0 || self.last_ok > 180)) || self.pending > 20)
    strength = "strong"
  }

  cause = {
    en = "The server in ${try(failing.place.pod, said.place.pod)} cannot archive WAL${try(failing.last_ok >= 0 ? " since ${floor(failing.last_ok / 60)} minutes" : ", and never could", "")}${try(failing.pending > 0 ? " (${failing.pending} files wait)" : "", "")}${try(": exit code ${coalesce(said.code, said.code_zh)}, ${lookup({ "126" = "the command may not be executed", "127" = "the command, or a program in it, is not there", "41" = "a file could not be opened", "44" = "the stanza is another database's", "47" = "a path could not be made", "49" = "the repository's host could not be connected", "55" = "a file is missing: there is no stanza yet", "63" = "it was terminated", "64" = "a file could not be written", "82" = "the archive took too long", "99" = "the answer was no pgBackRest protocol: a shell prints something", "102" = "a command could not be executed", "103" = "the repository is not valid or not reachable", "125" = "the remote process ended unexpectedly" }, coalesce(said.code, said.code_zh), "see pgBackRest's list of errors")}", "")}. WAL stays in pg_wal until the volume is full, and a restore cannot go beyond the last archived file."
    zh = "${try(failing.place.pod, said.place.pod)} 中的服务器无法归档 WAL${try(failing.last_ok >= 0 ? "，已持续 ${floor(failing.last_ok / 60)} 分钟" : "，从未成功过", "")}${try(failing.pending > 0 ? "（${failing.pending} 个文件等待归档）" : "", "")}${try("：退出代码 ${coalesce(said.code, said.code_zh)}，${lookup({ "126" = "命令没有执行权限", "127" = "命令或其中的程序不存在", "41" = "无法打开文件", "44" = "stanza 属于另一个数据库", "47" = "无法创建目录", "49" = "无法连接备份库主机", "55" = "缺少文件：stanza 尚未创建", "63" = "进程被终止", "64" = "无法写入文件", "82" = "归档超时", "99" = "返回内容不是 pgBackRest 协议：shell 输出了多余内容", "102" = "无法执行命令", "103" = "备份库无效或不可达", "125" = "远端进程意外退出" }, coalesce(said.code, said.code_zh), "参见 pgBackRest 错误码表")}", "")}。WAL 会一直留在 pg_wal 直到卷写满，恢复也无法超过最后归档的文件。"
  }
  check = {
    en = "select * from pg_stat_archiver; show archive_command; run it by hand in the container: pgbackrest --stanza=db check"
    zh = "select * from pg_stat_archiver；show archive_command；在容器内手工验证：pgbackrest --stanza=db check"
  }
  remedy = {
    en = "Follow what the command prints before the failure (missing stanza, refused SSH, full repository, /bin/sh that is not bash). The server tries again every minute by itself; when it works, watch pg_stat_archiver until the files that wait are gone. Do not set archive_command to true: that breaks the chain of WAL."
    zh = "根据失败前命令的输出处理（stanza 缺失、SSH 被拒、备份库已满、/bin/sh 不是 bash 等）。服务器每分钟自动重试；恢复后观察 pg_stat_archiver 直到积压清空。不要把 archive_command 改成 true 应付，那会使 WAL 链断裂。"
  }
}

finding "G-85" {
  title    = { en = "This pgBackRest does not know the server's version", zh = "该版本 pgBackRest 不支持服务器的版本" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-83", "G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "unexpected control version = (?P<control>\\d+) and catalog version = (?P<catalog>\\d+)"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "The server's control version ${said.control} and catalog version ${said.catalog} are newer than the pgBackRest in the image of cluster ${said.place.cluster} knows (2.20 knows PostgreSQL up to 12; AntDB 6.2 is a 13)."
    zh = "服务器的控制版本 ${said.control}、系统表版本 ${said.catalog} 比集群 ${said.place.cluster} 镜像中的 pgBackRest 所支持的新（2.20 最高支持 PostgreSQL 12，而 AntDB 6.2 基于 13）。"
  }
  check = {
    en = "pgbackrest version in the database's and the repository's container; pg_controldata | head -3."
    zh = "在数据库和备份库容器内 pgbackrest version；pg_controldata | head -3。"
  }
  remedy = {
    en = "Put a newer pgBackRest, the same in both, into the database's image and the repository's."
    zh = "在数据库镜像和备份库镜像中换用相同的、更新的 pgBackRest。"
  }
}

finding "G-86" {
  title    = { en = "pgBackRest misses pg_control: clocks or file times are wrong", zh = "pgBackRest 找不到 pg_control：时钟或文件时间异常" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "pg_control must be present in all online backups"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "pgBackRest takes files by their times, and those of cluster ${said.place.cluster} lie in the future of the clock that it sees${try(": node ${one([for c in facts.node_clock : c.place.node if c.outlier && abs(c.offset) - c.error > 2])} is ${format("%.0f", abs(one([for c in facts.node_clock : c.offset if c.outlier && abs(c.offset) - c.error > 2])))} s off", "")}."
    zh = "pgBackRest 按文件时间挑选文件，而集群 ${said.place.cluster} 的文件时间晚于它看到的时钟${try("：节点 ${one([for c in facts.node_clock : c.place.node if c.outlier && abs(c.offset) - c.error > 2])} 的时钟偏差 ${format("%.0f", abs(one([for c in facts.node_clock : c.offset if c.outlier && abs(c.offset) - c.error > 2])))} 秒", "")}。"
  }
  check = {
    en = "date on every node at once; on NFS also the file server's: touch /pgdata/x; stat -c %y /pgdata/x; date."
    zh = "同时在各节点执行 date；使用 NFS 时还要看文件服务器的时钟：touch /pgdata/x; stat -c %y /pgdata/x; date。"
  }
  remedy = {
    en = "Let chrony run on all nodes and on the file server, wait until they agree, then take the backup again."
    zh = "在所有节点和文件服务器上运行 chrony，等时钟一致后重新备份。"
  }
}

finding "G-87" {
  title    = { en = "pgBackRest looks at another data directory than the server's", zh = "pgBackRest 配置的数据目录与服务器不一致" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-83", "G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "version .(?P<asked>[0-9.]+). and path .(?P<path>/[^ ]+?). queried from cluster do not match version .(?P<found>[0-9.]+). and (?:path )?.(?P<given>/[^ ]+?). (?:read )?from"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "The server of cluster ${said.place.cluster} runs on ${said.path} (version ${said.asked}), while pgBackRest is told ${said.given} (version ${said.found}). A restored or failed-over PGO 4 cluster has another directory than its name says."
    zh = "集群 ${said.place.cluster} 的服务器运行在 ${said.path}（版本 ${said.asked}），而 pgBackRest 配置的是 ${said.given}（版本 ${said.found}）。经过恢复或切换的 PGO 4 集群，其数据目录不再与集群同名。"
  }
  check = {
    en = "show data_directory on the primary; PGBACKREST_DB_PATH in the repository's container."
    zh = "在主节点 show data_directory；查看备份库容器内的 PGBACKREST_DB_PATH。"
  }
  remedy = {
    en = "Set PGBACKREST_DB_PATH of Deployment ${said.place.cluster}-backrest-shared-repo to ${said.path}, then take the backup again."
    zh = "将 Deployment ${said.place.cluster}-backrest-shared-repo 的 PGBACKREST_DB_PATH 设为 ${said.path}，然后重新备份。"
  }
}
