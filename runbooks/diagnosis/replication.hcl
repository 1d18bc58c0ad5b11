# Standbys that do not follow, and what keeps WAL from being let go.

finding "G-62" {
  title    = { en = "A replica has gone its own way: its timeline is not the leader's", zh = "副本与主节点分叉：时间线不一致" }
  layer    = "replication"
  per      = "pod"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-54", "G-63", "G-64", "B-04", "B-05", "B-24"]

  fact "behind" {
    of = "patroni.member"
    when = self.role != "leader" && self.timeline > 0 && self.state != "creating replica" && anytrue([
      for m in facts.patroni_member : m.role == "leader" && m.timeline > self.timeline && m.place.cluster == self.place.cluster && m.place.namespace == self.place.namespace
      ]) && !anytrue([
      for s in facts.pg_server : s.place.pod == self.name && s.place.namespace == self.place.namespace && s.receiving
    ])
    strength = "strong"
  }

  # What a server that cannot start says.
  line "stopped" {
    in       = ["container", "server"]
    match    = "requested timeline \\d+ does not contain minimum recovery point|所要求的时间线\\d+不包含最小恢复点|requested timeline (?P<timeline>\\d+) is not a child of this server's history|所要求的时间线(?P<timeline_zh>\\d+)不在服务器的历史时间线里|new timeline \\d+ forked off current database system timeline \\d+ before current recovery point|在当前恢复点\\S+之前, 新的时间点\\d+脱离了"
    strength = "strong"
  }

  # What a server that runs says at every attempt to stream.
  line "refused" {
    in       = ["container", "server"]
    match    = "requested starting point \\S+ on timeline \\d+ is not in this server's history|请求的起始点\\S+ 时间线\\d+，不在该服务器的时间线历史记录里|highest timeline \\d+ of the primary is behind recovery timeline \\d+|主服务器上的最高时间线\\d+还在恢复时间线\\d+的后边|new timeline \\d+ forked off current database system timeline \\d+ before current recovery point"
    strength = "hint"
    past     = true
  }

  # It is being copied anew already, or follows again.
  unless = anytrue([
    for m in facts.patroni_member : contains(compact([try(behind.name, ""), try(stopped.place.pod, "")]), m.name) && m.state == "creating replica"
    ]) || behind == null && anytrue([
    for s in facts.pg_server : s.place.pod == try(stopped.place.pod, "") && (s.receiving || !s.recovery && s.error == "")
  ])

  cause = {
    en = "Member ${try(behind.name, stopped.place.pod)} has WAL that the leader never had${try(" (it is on timeline ${behind.timeline}, the leader on ${max([for m in facts.patroni_member : m.timeline if m.role == "leader" && m.place.cluster == behind.place.cluster && m.place.namespace == behind.place.namespace]...)})", "")}: it was primary when another was promoted, and pg_rewind has not brought it back. It cannot follow, and will not by waiting."
    zh = "成员 ${try(behind.name, stopped.place.pod)} 上有主节点从未有过的 WAL${try("（它在时间线 ${behind.timeline}，主节点在 ${max([for m in facts.patroni_member : m.timeline if m.role == "leader" && m.place.cluster == behind.place.cluster && m.place.namespace == behind.place.namespace]...)}）", "")}：别的成员被提升时它还是主节点，而 pg_rewind 没有把它拉回来。继续等待也无法恢复复制。"
  }
  check = {
    en = "In its container: patronictl list (TL and Lag columns); curl -s localhost:8009/history; pg_controldata | grep -i timeline."
    zh = "在其容器内：patronictl list（看 TL 和 Lag 列）；curl -s localhost:8009/history；pg_controldata | grep -i timeline。"
  }
  remedy = {
    en = "If transactions that only this member has may matter, pg_dump them first. Then have it copied anew from the leader: patronictl reinit ${try(behind.place.cluster, stopped.place.cluster)} ${try(behind.name, stopped.place.pod)} (POST /reinitialize on that member). Its data directory is emptied; the leader is not touched."
    zh = "如果只存在于该成员上的事务可能重要，先用 pg_dump 导出。然后从主节点重新拷贝：patronictl reinit ${try(behind.place.cluster, stopped.place.cluster)} ${try(behind.name, stopped.place.pod)}（即在该成员上 POST /reinitialize）。该成员的数据目录会被清空重建，主节点不受影响。"
  }

  fix {
    runbook = "fixes/reinitialize.hcl"
    vars    = { cluster = try(behind.place.cluster, stopped.place.cluster), namespace = try(behind.place.namespace, stopped.place.namespace), member = try(behind.name, stopped.place.pod) }
  }
}

finding "B-26" {
  title    = { en = "The archive has a timeline that the primary never was on: no replica can start", zh = "归档中存在主节点从未有过的时间线：副本无法启动" }
  layer    = "replication"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-54", "G-62", "G-63", "G-64", "B-04"]

  line "stray" {
    in       = ["container", "server"]
    match    = "requested timeline (?P<timeline>\\d+) (?:does not contain minimum recovery point|is not a child of this server's history)|所要求的时间线(?P<timeline_zh>\\d+)(?:不包含最小恢复点|不在服务器的历史时间线里)"
    strength = "strong"
  }

  # The timeline is the leader's: then it is the replica that went astray. Or it
  # follows again.
  unless = anytrue([for s in facts.pg_server : s.place.pod == stray.place.pod && s.receiving]) || try(!anytrue([
    for c in facts.patroni_cluster : c.leader != "" && c.timeline > 0 && c.timeline < tonumber(coalesce(stray.timeline, stray.timeline_zh)) && c.place.cluster == stray.place.cluster && c.place.namespace == stray.place.namespace
  ]), true)

  cause = {
    en = "${stray.place.pod} follows the newest timeline that it finds in the archive, ${coalesce(stray.timeline, stray.timeline_zh)}; but the leader of cluster ${stray.place.cluster} is on timeline ${max([for c in facts.patroni_cluster : c.timeline if c.place.cluster == stray.place.cluster]...)}. A server that was promoted outside of Patroni (pg_ctl promote, a test restore with archiving on) has put its history there. Copying the replica anew does not help as long as it is there."
    zh = "${stray.place.pod} 沿归档中最新的时间线 ${coalesce(stray.timeline, stray.timeline_zh)} 恢复，而集群 ${stray.place.cluster} 的主节点在时间线 ${max([for c in facts.patroni_cluster : c.timeline if c.place.cluster == stray.place.cluster]...)}。某个在 Patroni 之外被提升的服务器（pg_ctl promote、开着归档的恢复演练）把自己的时间线历史写进了归档。只要它还在，重新拷贝副本也无济于事。"
  }
  check = {
    en = "In the repository's pod: find the .history files under archive/db; on the primary: select timeline_id from pg_control_checkpoint()."
    zh = "在备份库 Pod 中查找 archive/db 下的 .history 文件；在主节点：select timeline_id from pg_control_checkpoint()。"
  }
  remedy = {
    en = "Make sure that no server of that timeline is in use. Then move its history file (${format("%08X", parseint(coalesce(stray.timeline, stray.timeline_zh), 10))}.history) and the folders of its WAL (${format("%08X", parseint(coalesce(stray.timeline, stray.timeline_zh), 10))}…) out of the repository's archive, keep them, and have the replica copied anew: patronictl reinit ${stray.place.cluster} ${stray.place.pod}."
    zh = "确认没有服务器在使用该时间线。然后把它的历史文件（${format("%08X", parseint(coalesce(stray.timeline, stray.timeline_zh), 10))}.history）和 WAL 目录（${format("%08X", parseint(coalesce(stray.timeline, stray.timeline_zh), 10))}…）移出备份库归档并妥善保存，再重新拷贝副本：patronictl reinit ${stray.place.cluster} ${stray.place.pod}。"
  }
}

finding "G-63" {
  title    = { en = "A replica needs WAL that the primary has removed already", zh = "副本需要的 WAL 已被主节点删除" }
  layer    = "replication"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-54", "B-04", "B-05", "B-24"]

  line "removed" {
    in       = ["container", "server"]
    match    = "requested WAL segment (?P<segment>[0-9A-F]{24}) has already been removed|所要求的WAL段(?P<segment_zh>[0-9A-F]{24})已经被删除"
    strength = "strong"
    past     = true
  }

  fact "starved" {
    of = "pg.server"
    when = self.recovery && !self.receiving && self.error == "" && self.place.cluster != "" && !anytrue([
      for m in facts.patroni_member : m.name == self.place.pod && m.state == "creating replica"
    ])
    strength = "strong"
  }

  require = ["removed", "starved"]

  cause = {
    en = "Replica ${starved.place.pod} asks for WAL segment ${coalesce(removed.segment, removed.segment_zh)}, which the primary no longer has: the replica was away, or too slow, for longer than the primary keeps WAL, no replication slot held it back, and the archive does not have it either (or restore_command cannot reach it)."
    zh = "副本 ${starved.place.pod} 请求 WAL 段 ${coalesce(removed.segment, removed.segment_zh)}，但主节点已将其删除：副本离线或落后的时间超过了主节点保留 WAL 的时长，没有复制槽阻止删除，归档里也取不到（或 restore_command 无法访问归档）。"
  }
  check = {
    en = "On the primary: select * from pg_stat_archiver; show wal_keep_size (wal_keep_segments before 13); in the repository: pgbackrest info. Does the archive have ${coalesce(removed.segment, removed.segment_zh)}?"
    zh = "在主节点：select * from pg_stat_archiver；show wal_keep_size（13 以前为 wal_keep_segments）；在备份库：pgbackrest info，看归档中是否有 ${coalesce(removed.segment, removed.segment_zh)}。"
  }
  remedy = {
    en = "If the archive has the segment, repair the replica's way to it: it then catches up by itself. Else have the replica copied anew: patronictl reinit ${starved.place.cluster} ${starved.place.pod}. That it does not come back: make archiving work, or keep more WAL (wal_keep_size, or use_slots: true in Patroni's configuration and an eye on the volume)."
    zh = "如果归档里有这个 WAL 段，修复副本访问归档的路径即可自动追上；否则重新拷贝副本：patronictl reinit ${starved.place.cluster} ${starved.place.pod}。为避免再次发生：保证归档正常，或保留更多 WAL（wal_keep_size，或在 Patroni 配置中启用 use_slots 并关注磁盘空间）。"
  }

  fix {
    runbook = "fixes/reinitialize.hcl"
    vars    = { cluster = starved.place.cluster, namespace = starved.place.namespace, member = starved.place.pod }
  }
}

finding "G-64" {
  title    = { en = "pg_rewind has failed, and the old primary stays down", zh = "pg_rewind 失败，旧主节点无法恢复" }
  layer    = "replication"
  per      = "pod"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-54", "B-04", "B-05"]

  line "failed" {
    in       = ["container"]
    match    = "Failed to rewind from heal(?:th|t)y (?:master|primary|leader)(?:: (?P<leader>\\S+))?"
    strength = "strong"
    past     = true
  }

  line "why" {
    in       = ["container"]
    match    = "pg_rewind: (?:fatal: |error: )?(?P<reason>(?:could not|target server needs|source and target|no common|无法|目标服务器|源和目标).{0,160})"
    strength = "hint"
  }

  fact "down" {
    of       = "patroni.member"
    when     = self.role != "leader" && contains(["start failed", "stopped", "crashed", "stop failed", "unknown"], self.state)
    strength = "strong"
  }

  require = ["failed", "down"]

  cause = {
    en = "After a failover Patroni tried to bring ${down.name} back by pg_rewind${failed.leader != null ? " from ${failed.leader}" : ""}, and failed${try(": ${why.reason}", "")}. The member is in state “${down.state}” and nothing copies it anew."
    zh = "故障切换后 Patroni 尝试用 pg_rewind${failed.leader != null ? "（源 ${failed.leader}）" : ""}恢复 ${down.name}，但失败了${try("：${why.reason}", "")}。该成员处于 “${down.state}” 状态，也没有在重新拷贝。"
  }
  check = {
    en = "kubectl -n ${down.place.namespace} logs ${failed.place.pod} -c database | grep -A3 pg_rewind; pg_controldata must show wal_log_hints on or data checksums; the superuser's password must be the one in the Secret."
    zh = "kubectl -n ${down.place.namespace} logs ${failed.place.pod} -c database | grep -A3 pg_rewind；pg_controldata 中 wal_log_hints 须为 on 或启用了数据校验和；超级用户口令须与 Secret 一致。"
  }
  remedy = {
    en = "Have the member copied anew: patronictl reinit ${down.place.cluster} ${down.name}. remove_data_directory_on_rewind_failure: true in Patroni's configuration does that by itself the next time."
    zh = "重新拷贝该成员：patronictl reinit ${down.place.cluster} ${down.name}。在 Patroni 配置中设置 remove_data_directory_on_rewind_failure: true，下次会自动处理。"
  }

  fix {
    runbook = "fixes/reinitialize.hcl"
    vars    = { cluster = down.place.cluster, namespace = down.place.namespace, member = down.name }
  }
}

finding "G-67" {
  title    = { en = "The primary refuses the replication user", zh = "主节点拒绝复制用户登录" }
  layer    = "replication"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-54", "G-63", "G-64", "G-69", "B-04", "B-05"]

  line "refused" {
    in       = ["container", "server"]
    match    = "password authentication failed for user \"(?P<user>primaryuser|_crunchyrepl|replicator|standby)\"|用户 \"(?P<user_zh>primaryuser|_crunchyrepl|replicator|standby)\" Password 认证失败"
    strength = "strong"
    past     = true
  }

  line "unlisted" {
    in       = ["container", "server"]
    match    = "no pg_hba.conf entry for replication connection from host \"(?P<host>[^\"]+)\", user \"(?P<user>[^\"]+)\"|没有来自主机 \"(?P<host_zh>[^\"]+)\", 用户 ?\"(?P<user_zh>[^\"]+)\".{0,20}的复制连接的 ?pg_hba.conf ?记录"
    strength = "strong"
    past     = true
  }

  fact "role" {
    of       = "pg.role"
    when     = self.name == "primaryuser" && self.exists && (self.matches == "no" || self.expires < 0)
    strength = "proof"
  }

  # Every standby streams: what is in the log is past.
  unless = role == null && !anytrue(concat([
    for s in facts.pg_server : s.recovery && !s.receiving && s.place.cluster == try(refused.place.cluster, unlisted.place.cluster) && s.place.namespace == try(refused.place.namespace, unlisted.place.namespace)
    ], [
    for m in facts.patroni_member : m.role != "leader" && !contains(["running", "streaming"], m.state) && m.place.cluster == try(refused.place.cluster, unlisted.place.cluster) && m.place.namespace == try(refused.place.namespace, unlisted.place.namespace)
  ]))

  cause = {
    en = try("pg_hba.conf of the primary has no line for replication from ${coalesce(unlisted.host, unlisted.host_zh)} by user ${coalesce(unlisted.user, unlisted.user_zh)}${strcontains(coalesce(unlisted.host, unlisted.host_zh), ":") ? ": that is an IPv6 address, and the operator's lines are for IPv4 only" : ""}.", "The password of ${try(role.name, coalesce(refused.user, refused.user_zh))} with which the replicas log in is not the one that the primary has. Patroni reads it from the Secret when its container starts: changed in the database or the Secret alone, or without a restart, it locks the replicas out.")
    zh = try("主节点的 pg_hba.conf 中没有允许用户 ${coalesce(unlisted.user, unlisted.user_zh)} 从 ${coalesce(unlisted.host, unlisted.host_zh)} 复制的条目${strcontains(coalesce(unlisted.host, unlisted.host_zh), ":") ? "：这是 IPv6 地址，而 operator 写的条目只有 IPv4" : ""}。", "副本登录所用的 ${try(role.name, coalesce(refused.user, refused.user_zh))} 口令与主节点中的不一致。Patroni 只在容器启动时从 Secret 读取口令：只改数据库、只改 Secret，或改后没有重启，都会把副本拒之门外。")
  }
  check = {
    en = "On the primary: select rolname, rolvaliduntil from pg_roles where rolreplication; in a replica's log: FATAL lines of the walreceiver."
    zh = "在主节点：select rolname, rolvaliduntil from pg_roles where rolreplication；在副本日志中查看 walreceiver 的 FATAL 行。"
  }
  remedy = {
    en = try(unlisted.line != "" ? "Give the pods IPv4 addresses first (or make the cluster single-stack), or add a pg_hba line through Patroni: patronictl edit-config, postgresql.pg_hba." : null, "Give the role in the primary the password of the Secret (PGO 4: ${try(role.secret, "CLUSTER-primaryuser-secret")}), with VALID UNTIL 'infinity', and restart the database containers one by one, replicas first, so that Patroni reads it.")
    zh = try(unlisted.line != "" ? "让 Pod 优先使用 IPv4 地址（或改为单栈集群），或通过 Patroni 增加 pg_hba 条目：patronictl edit-config 中的 postgresql.pg_hba。" : null, "把主节点中该角色的口令改回 Secret（PGO 4：${try(role.secret, "集群名-primaryuser-secret")}）里的值，并设为 VALID UNTIL 'infinity'，然后逐个重启数据库容器（先副本后主节点），让 Patroni 重新读取。")
  }
}

finding "B-04" {
  title    = { en = "A standby receives nothing from its primary", zh = "备库没有从主库接收 WAL" }
  layer    = "replication"
  per      = "pod"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["B-05"]

  fact "starved" {
    of = "pg.server"
    when = self.recovery && !self.receiving && self.error == "" && self.started > 300 && self.place.cluster != "" && anytrue([
      for c in facts.patroni_cluster : c.leader != "" && c.leader != self.place.pod && c.place.cluster == self.place.cluster && c.place.namespace == self.place.namespace
      ]) && !anytrue([
      for m in facts.patroni_member : m.name == self.place.pod && (m.role == "leader" || m.role == "standby_leader" || m.state == "creating replica" || m.state == "streaming" || m.state == "in archive recovery")
    ])
    strength = "strong"
  }

  line "why" {
    in       = ["container", "server"]
    match    = "could not connect to the primary server: (?P<reason>.{0,200})|(?:无法|不能)连接到主服务器: ?(?P<reason_zh>.{0,200})"
    strength = "hint"
    past     = true
  }

  cause = {
    en = "The database in ${starved.place.pod} is a standby, and its WAL receiver does not run: it falls behind with every transaction${try("; it says “${coalesce(why.reason, why.reason_zh)}”", "")}."
    zh = "${starved.place.pod} 中的数据库是备库，但其 WAL receiver 没有运行：每个事务都会让它更落后${try("；它报告 “${coalesce(why.reason, why.reason_zh)}”", "")}。"
  }
  check  = { en = "On the standby: select * from pg_stat_wal_receiver; show primary_conninfo. On the primary: select * from pg_stat_replication.", zh = "在备库：select * from pg_stat_wal_receiver；show primary_conninfo。在主库：select * from pg_stat_replication。" }
  remedy = { en = "See what its log says of the primary: the network between the pods (port 5432), the password of the replication user, WAL that is gone. If nothing helps: patronictl reinit ${starved.place.cluster} ${starved.place.pod}.", zh = "从备库日志看它连接主库时的报错：Pod 间网络（5432 端口）、复制用户口令、WAL 已删除等。仍不能解决时：patronictl reinit ${starved.place.cluster} ${starved.place.pod}。" }

  fix {
    runbook = "fixes/reinitialize.hcl"
    vars    = { cluster = starved.place.cluster, namespace = starved.place.namespace, member = starved.place.pod }
  }
}

finding "B-05" {
  title   = { en = "A replica lags", zh = "副本延迟过大" }
  layer   = "replication"
  per     = "cluster"
  warning = true

  fact "streams" {
    of       = "pg.replication"
    when     = self.state == "streaming" && self.lag >= 268435456
    strength = "proof"
  }

  fact "member" {
    of = "patroni.member"
    when = self.role != "leader" && contains(["running", "streaming"], self.state) && self.lag >= 268435456 && !anytrue([
      for p in facts.k8s_pod : p.name == self.name && p.place.namespace == self.place.namespace && p.ready_age < 900
    ])
    strength = "proof"
  }

  cause = {
    en = "Replica ${try(member.name, streams.name)} is ${floor(try(member.lag, streams.lag) / 1048576)} MiB behind. A failover to it now would lose that, so Patroni will not choose it."
    zh = "副本 ${try(member.name, streams.name)} 落后 ${floor(try(member.lag, streams.lag) / 1048576)} MiB。此时切换到它会丢失这些数据，因此 Patroni 不会选它。"
  }
  check  = { en = "select application_name, state, pg_wal_lsn_diff(sent_lsn, replay_lsn) from pg_stat_replication on the primary; sent but not replayed: the replica's disk or a long query on it; not sent: the network.", zh = "在主库：select application_name, state, pg_wal_lsn_diff(sent_lsn, replay_lsn) from pg_stat_replication；已发送未回放说明副本磁盘慢或有长查询，未发送说明网络慢。" }
  remedy = { en = "Spread bulk loads over time; give the replica the primary's disk and CPU; end queries on the replica that hold back replay.", zh = "分散批量写入；让副本的磁盘和 CPU 与主库一致；终止副本上阻塞回放的查询。" }
}

finding "B-24" {
  title    = { en = "A standby receives WAL and does not replay it", zh = "备库收到 WAL 但不回放" }
  layer    = "replication"
  per      = "pod"
  steps    = ["patroni.", "sql."]
  explains = ["B-05"]

  fact "stuck" {
    of = "pg.server"
    when = self.recovery && self.receiving && self.error == "" && self.replay_age > 300 && anytrue([
      for m in facts.patroni_member : m.name == self.place.pod && m.place.namespace == self.place.namespace && m.lag >= 1048576
    ])
    strength = "strong"
  }

  cause = {
    en = "The standby in ${stuck.place.pod} streams, but has replayed nothing for ${floor(stuck.replay_age / 60)} minutes while the primary went on: replay is paused, or a query on the standby holds it back."
    zh = "${stuck.place.pod} 中的备库在接收 WAL，但已 ${floor(stuck.replay_age / 60)} 分钟没有回放，而主库仍在写入：回放被暂停，或被备库上的查询阻塞。"
  }
  check  = { en = "On the standby: select pg_is_wal_replay_paused(), pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(); select pid, now()-query_start, query from pg_stat_activity where state <> 'idle' order by 2 desc.", zh = "在备库：select pg_is_wal_replay_paused(), pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()；select pid, now()-query_start, query from pg_stat_activity where state <> 'idle' order by 2 desc。" }
  remedy = { en = "Paused: select pg_wal_replay_resume(). Held back: pg_terminate_backend of that query, and a bound such as max_standby_streaming_delay = 30s.", zh = "若被暂停：select pg_wal_replay_resume()。若被查询阻塞：用 pg_terminate_backend 终止该查询，并设置 max_standby_streaming_delay = 30s 之类的上限。" }
}

finding "B-06" {
  title    = { en = "An unused replication slot keeps WAL from being removed", zh = "无人使用的复制槽阻止 WAL 清理" }
  layer    = "replication"
  per      = "cluster"
  warning  = true
  explains = ["B-01"]

  fact "slot" {
    of       = "pg.slot"
    when     = !self.active && self.retained >= 1073741824
    strength = "proof"
  }

  cause = {
    en = "Nobody reads replication slot ${slot.name} of ${slot.place.cluster}, and it holds back ${format("%.1f", slot.retained / 1073741824)} GiB of WAL. It goes on until the volume is full."
    zh = "${slot.place.cluster} 的复制槽 ${slot.name} 无人读取，已使 ${format("%.1f", slot.retained / 1073741824)} GiB WAL 无法清理，直到卷被写满为止。"
  }
  check  = { en = "select slot_name, slot_type, active, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) from pg_replication_slots.", zh = "select slot_name, slot_type, active, pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) from pg_replication_slots。" }
  remedy = { en = "If its reader (a member, a subscription, a CDC tool) comes back, start it. If it is gone for good: select pg_drop_replication_slot('${slot.name}'). From PostgreSQL 13 on, max_slot_wal_keep_size bounds what a slot may keep.", zh = "如果读取者（成员、订阅、CDC 工具）还会回来，尽快启动它；如果已永久下线：select pg_drop_replication_slot('${slot.name}')。PostgreSQL 13 起可用 max_slot_wal_keep_size 限制复制槽保留的 WAL 量。" }
}
