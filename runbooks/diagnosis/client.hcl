# Logins and sessions: refused, too many, read-only, stuck.

finding "G-68" {
  title = { en = "pg_hba.conf lets this client not in", zh = "pg_hba.conf 不允许该客户端登录" }
  layer = "client"
  per   = "cluster"
  steps = ["sql.", "pgo.", "patroni."]

  line "run" {
    in       = ["run", "job"]
    match    = "no pg_hba.conf entry for host \"(?P<host>[^\"]+)\", user \"(?P<user>[^\"]+)\", database \"(?P<database>[^\"]+)\"(?:, (?P<how>SSL off|SSL on|no encryption|SSL encryption))?|没有用于主机 \"(?P<host_zh>[^\"]+)\", 用户 \"(?P<user_zh>[^\"]+)\", 数据库 \"(?P<database_zh>[^\"]+)\"(?:, (?P<how_zh>[^ ]+))? ?的 pg_hba.conf 记录"
    strength = "strong"
  }

  line "server" {
    in       = ["container", "server"]
    match    = "no pg_hba.conf entry for host \"(?P<host>[^\"]+)\", user \"(?P<user>[^\"]+)\"|没有用于主机 \"(?P<host_zh>[^\"]+)\", 用户 \"(?P<user_zh>[^\"]+)\""
    strength = "hint"
    past     = true
  }

  cause = {
    en = "The server has no line in pg_hba.conf for user ${coalesce(run.user, run.user_zh)} from ${coalesce(run.host, run.host_zh)}.${strcontains(coalesce(run.host, run.host_zh), ":") ? " That is an IPv6 address; the operator's lines are for IPv4 only (0.0.0.0/0)." : ""}${contains(["SSL off", "no encryption"], coalesce(run.how, "")) ? " The connection came without TLS; PGO 5 and later accept only connections with it." : ""}"
    zh = "服务器的 pg_hba.conf 中没有允许用户 ${coalesce(run.user, run.user_zh)} 从 ${coalesce(run.host, run.host_zh)} 登录的条目。${strcontains(coalesce(run.host, run.host_zh), ":") ? "这是 IPv6 地址，而 operator 写的条目只有 IPv4（0.0.0.0/0）。" : ""}${contains(["SSL off", "no encryption"], coalesce(run.how, "")) ? "连接没有使用 TLS，而 PGO 5 及以上只接受 TLS 连接。" : ""}"
  }
  check  = { en = "On the primary: select * from pg_hba_file_rules (PostgreSQL 10 and later); does the name of the service resolve to an IPv6 address?", zh = "在主库：select * from pg_hba_file_rules（PostgreSQL 10 及以上）；并确认 Service 名称是否解析到了 IPv6 地址。" }
  remedy = { en = "IPv6: connect to the IPv4 address, or make the cluster single-stack. No TLS: sslmode=require in the client. Otherwise add a line through Patroni (patronictl edit-config, postgresql.pg_hba), not in the file: Patroni overwrites it.", zh = "IPv6：改连 IPv4 地址，或改为单栈集群；未用 TLS：客户端设置 sslmode=require；其他情况：通过 Patroni（patronictl edit-config 的 postgresql.pg_hba）增加条目，不要直接改文件，Patroni 会覆盖它。" }
}

finding "G-69" {
  title = { en = "A user's password in the Secret is not the one that the database has", zh = "用户口令与 Secret 不一致，或已过期" }
  layer = "client"
  per   = "cluster"
  steps = ["sql.", "pgo."]

  fact "drift" {
    of       = "pg.role"
    when     = self.name != "primaryuser" && self.exists && self.matches == "no"
    strength = "proof"
  }

  fact "expired" {
    of       = "pg.role"
    when     = self.name != "primaryuser" && self.exists && self.login && self.expires < 0
    strength = "proof"
  }

  line "run" {
    in       = ["run", "job"]
    match    = "password authentication failed for user \"(?P<user>[^\"]+)\"|用户 \"(?P<user_zh>[^\"]+)\" Password 认证失败"
    strength = "strong"
  }

  # Everybody mistypes now and then: alone it says nothing.
  line "server" {
    in       = ["container", "server"]
    match    = "password authentication failed for user \"(?P<user>[^\"]+)\"|用户 \"(?P<user_zh>[^\"]+)\" Password 认证失败"
    strength = "hint"
    past     = true
  }

  cause = {
    en = try("The password of ${expired.name} has expired ${floor(-expired.expires / 86400)} days ago (VALID UNTIL). Every login fails as if the password were wrong.", "User ${drift.name} has another password in the database than Secret ${drift.secret} of cluster ${drift.place.cluster} tells: somebody changed it by ALTER USER, or the Secret by hand. Who takes it from the Secret is refused.", "The server refuses the password that was given for user ${coalesce(run.user, run.user_zh)}: it is not the one that the database has, or VALID UNTIL has passed.")
    zh = try("${expired.name} 的口令已于 ${floor(-expired.expires / 86400)} 天前过期（VALID UNTIL），所有登录都会报口令错误。", "集群 ${drift.place.cluster} 中用户 ${drift.name} 在数据库里的口令与 Secret ${drift.secret} 中的不同：有人用 ALTER USER 改了口令，或手工改了 Secret。凡是从 Secret 取口令的程序都会被拒绝。", "服务器拒绝了用户 ${coalesce(run.user, run.user_zh)} 的口令：与数据库中的不一致，或已超过 VALID UNTIL。")
  }
  check = {
    en = "select rolname, rolvaliduntil, left(rolpassword, 5) from pg_authid where rolname = '${try(expired.name, drift.name, coalesce(run.user, run.user_zh))}' on the primary. A login over TCP with the password of Secret ${try(expired.secret, drift.secret, "CLUSTER-USER-secret")} must work: antdbctl's sql.vantage tries it from everywhere."
    zh = "在主库：select rolname, rolvaliduntil, left(rolpassword, 5) from pg_authid where rolname = '${try(expired.name, drift.name, coalesce(run.user, run.user_zh))}'。用 Secret ${try(expired.secret, drift.secret, "集群名-用户名-secret")} 中的口令经 TCP 登录应当成功：antdbctl 的 sql.vantage 会从各处尝试。"
  }
  remedy = {
    en = "Set it in one way that changes both: the step pgo.user, or `pgo update user` (PGO 4), or the Secret (PGO 5 and later). The fix brings the database to what the Secret says, without expiry; if programs already use the other password, put that into pgo.user instead (runbooks/antdb-rotate-password.hcl)."
    zh = "用能同时修改两处的方式设置口令：pgo.user 步骤、`pgo update user`（PGO 4），或修改 Secret（PGO 5 及以上）。本修复以 Secret 为准更新数据库并取消过期时间；如果应用已在使用另一个口令，请改用 pgo.user 写入那个口令（runbooks/antdb-rotate-password.hcl）。"
  }

  fix {
    runbook = "fixes/user-password.hcl"
    vars    = { cluster = try(drift.place.cluster, expired.place.cluster), namespace = try(drift.place.namespace, expired.place.namespace), user = try([for r in facts.pg_role : r.name if r.exists && (r.matches == "no" || r.expires < 0) && !contains(["postgres", "primaryuser"], r.name) && r.place.cluster == drift.place.cluster && r.place.namespace == drift.place.namespace][0], [for r in facts.pg_role : r.name if r.exists && (r.matches == "no" || r.expires < 0) && !contains(["postgres", "primaryuser"], r.name) && r.place.cluster == expired.place.cluster && r.place.namespace == expired.place.namespace][0], drift.name, expired.name), secret_name = try([for r in facts.pg_role : r.secret if r.exists && (r.matches == "no" || r.expires < 0) && !contains(["postgres", "primaryuser"], r.name) && r.place.cluster == drift.place.cluster && r.place.namespace == drift.place.namespace][0], drift.secret, expired.secret) }
  }
}

finding "G-70" {
  title = { en = "A client is too old for SCRAM passwords", zh = "客户端版本太旧，不支持 SCRAM 口令认证" }
  layer = "client"
  per   = "site"
  steps = ["sql.", "pgo."]

  line "said" {
    in       = ["run", "job", "operator"]
    match    = "SCRAM authentication requires libpq version 10 or above|authentication (?:method|type) 10 (?:is )?not supported|unknown authentication response: 10|unsupported authentication (?:method|type):? ?10"
    strength = "strong"
  }

  fact "scram" {
    of       = "pg.server"
    when     = lookup(self.settings, "password_encryption", "") == "scram-sha-256"
    strength = "hint"
  }

  cause = {
    en = "The server keeps the password as SCRAM-SHA-256, and the client's driver knows md5 only (libpq before 10, JDBC before 42.2, the user functions of PGO 4.2)."
    zh = "服务器以 SCRAM-SHA-256 保存口令，而客户端驱动只支持 md5（libpq 10 以前、JDBC 42.2 以前、PGO 4.2 的用户管理功能）。"
  }
  check  = { en = "select rolname, left(rolpassword, 13) from pg_authid; show password_encryption.", zh = "select rolname, left(rolpassword, 13) from pg_authid；show password_encryption。" }
  remedy = { en = "Better: a newer driver. Else set the role's password again as md5: step sql.role with encryption = \"md5\", or set password_encryption = 'md5' before ALTER ROLE … PASSWORD.", zh = "首选升级驱动。否则用 md5 重新设置该角色口令：sql.role 步骤设置 encryption = \"md5\"，或先 set password_encryption = 'md5' 再 ALTER ROLE … PASSWORD。" }
}

finding "G-71" {
  title    = { en = "The server has no connection left", zh = "数据库连接数已用尽" }
  layer    = "client"
  per      = "cluster"
  steps    = ["sql.", "pgo.", "patroni.", "backup."]
  explains = ["B-13", "G-72"]

  fact "full" {
    of       = "pg.server"
    when     = self.max_connections > 0 && self.connections >= self.max_connections - 3
    strength = "proof"
  }

  fact "refused" {
    of       = "pg.server"
    when     = can(regex("too many clients|remaining connection slots are reserved|connection limit exceeded|已经有太多的客户|已保留的连接位置", self.error))
    strength = "proof"
  }

  line "run" {
    in       = ["run", "job"]
    match    = "sorry, too many clients already|remaining connection slots are reserved|connection limit exceeded|对不起, ?已经有太多的客户|已保留的连接位置"
    strength = "strong"
  }

  line "server" {
    in       = ["container", "server"]
    match    = "sorry, too many clients already|remaining connection slots are reserved|connection limit exceeded|对不起, ?已经有太多的客户|已保留的连接位置"
    strength = "hint"
    past     = true
  }

  cause = {
    en = "${try("${full.connections} of ${full.max_connections} connections of ${full.place.pod} are taken", "The server ${try("in ${refused.place.pod} ", "")}refuses new connections: all are taken")}. New logins fail with “too many clients”; Patroni and backups may fail as well."
    zh = "${try("${full.place.pod} 的 ${full.max_connections} 个连接已占用 ${full.connections} 个", "${try("${refused.place.pod} 中的", "")}服务器拒绝新连接：连接已全部占用")}。新登录会报 “too many clients”，Patroni 和备份也可能失败。"
  }
  check  = { en = "In the container, over the local socket: select usename, application_name, state, count(*) from pg_stat_activity group by 1, 2, 3 order by 4 desc.", zh = "在容器内通过本地 socket：select usename, application_name, state, count(*) from pg_stat_activity group by 1, 2, 3 order by 4 desc。" }
  remedy = { en = "Find who leaks connections (many “idle” of one application) and end them: select pg_terminate_backend(pid) …. Then bound the application's pool, or put PgBouncer before it. More connections: step patroni.config with max_connections, which restarts all members.", zh = "找出泄漏连接的应用（同一应用有大量 idle 连接）并终止：select pg_terminate_backend(pid) …。然后限制应用连接池，或在前面部署 PgBouncer。需要更多连接时用 patroni.config 调整 max_connections，所有成员都要重启。" }
}

finding "G-72" {
  title = { en = "The client talks to a server that takes no writes", zh = "客户端连到了不可写的服务器" }
  layer = "client"
  per   = "cluster"
  steps = ["sql.", "pgo.", "patroni."]

  line "readonly" {
    in       = ["run", "job"]
    match    = "cannot execute (?P<statement>[A-Z ]+?) in a read-only transaction|不能在一个只读模式的事务中执行(?P<statement_zh>[A-Z ]+)"
    strength = "strong"
  }

  fact "starting" {
    of = "pg.server"
    when = can(regex("the database system is (?:starting up|in recovery mode|not yet accepting connections|shutting down)|数据库系统(?:启动中|在恢复模式中)", self.error)) && anytrue([
      for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && !p.ready && p.ready_age > 180
    ])
    strength = "strong"
  }

  cause = {
    en = try("The server in ${starting.place.pod} has not accepted a connection for more than three minutes: ${starting.error}. It still replays WAL after a crash, or it falls again and again.", "${coalesce(readonly.statement, readonly.statement_zh)} was sent to a server that is a standby (or whose transactions are read-only by default): the connection goes to a replica, or to a primary of yesterday.")
    zh = try("${starting.place.pod} 中的服务器已超过三分钟不接受连接：${starting.error}。它可能仍在做崩溃恢复，或反复崩溃。", "${coalesce(readonly.statement, readonly.statement_zh)} 被发送到了备库（或默认只读的会话）：连接指向了副本，或切换之前的旧主库。")
  }
  check  = { en = "select pg_is_in_recovery(), inet_server_addr(), current_setting('default_transaction_read_only'); kubectl get endpoints of the cluster's service.", zh = "select pg_is_in_recovery(), inet_server_addr(), current_setting('default_transaction_read_only')；kubectl get endpoints 查看集群 Service 的后端。" }
  remedy = { en = try("Wait while the log shows “redo” moving on; if the same messages come again, look at what ends the server (memory, disk, a corrupt page). ${starting.error == "" ? null : ""}", "Connect through the cluster's service (not a pod's address, which stays with the pod), use target_session_attrs=read-write, and let the application reconnect after a failover."), zh = try("日志中 redo 位置持续前进时等待即可；若同样的信息反复出现，查明是什么终止了服务器（内存、磁盘、坏块）。${starting.error == "" ? null : ""}", "通过集群的 Service 连接（不要用 Pod 地址，它不随主库移动），使用 target_session_attrs=read-write，并让应用在切换后重连。") }
}

finding "G-107" {
  title    = { en = "The cluster has taken up an earlier cluster's volume, with its old passwords", zh = "集群沿用了旧集群的数据卷和旧口令" }
  layer    = "client"
  per      = "cluster"
  steps    = ["sql.", "pgo."]
  explains = ["G-67", "G-69"]

  fact "older" {
    of = "k8s.claim"
    when = self.place.cluster != "" && self.used && !endswith(self.name, "-pgbr-repo") && !can(regex("-repo[1-4]$", self.name)) && anytrue([
      for c in facts.pgo_cluster : c.name == self.place.cluster && c.place.namespace == self.place.namespace && self.age > c.age + 600
    ])
    strength = "strong"
  }

  fact "refused" {
    of       = "pg.role"
    when     = self.exists && self.matches == "no"
    strength = "strong"
  }

  require = ["older", "refused"]

  cause = {
    en = "Claim ${older.name} is ${format("%.1f", (older.age - one([for c in facts.pgo_cluster : c.age if c.name == older.place.cluster && c.place.namespace == older.place.namespace])) / 86400)} days older than cluster ${older.place.cluster}: it was kept when an earlier cluster of that name was deleted. Data and passwords in it are that cluster's; the Secrets are new and fit no longer (${join(", ", sort([for r in facts.pg_role : r.name if r.matches == "no" && r.place.cluster == refused.place.cluster && r.place.namespace == refused.place.namespace]))})."
    zh = "PVC ${older.name} 比集群 ${older.place.cluster} 早创建 ${format("%.1f", (older.age - one([for c in facts.pgo_cluster : c.age if c.name == older.place.cluster && c.place.namespace == older.place.namespace])) / 86400)} 天：它是删除同名旧集群时保留下来的。其中的数据和口令属于旧集群，而 Secret 是新建的，已不匹配（${join("、", sort([for r in facts.pg_role : r.name if r.matches == "no" && r.place.cluster == refused.place.cluster && r.place.namespace == refused.place.namespace]))}）。"
  }
  check  = { en = "kubectl -n ${older.place.namespace} get pvc ${older.name} (its age); are the databases in it those that you expect?", zh = "kubectl -n ${older.place.namespace} get pvc ${older.name}（看创建时间）；其中的库是否符合预期？" }
  remedy = { en = "If the old data is wanted, give its users the Secrets' passwords (the fix does it for one; diagnose again for the next). If not: delete the cluster with its data, see that claim and volume are gone (a hostPath folder keeps its files), and create it again.", zh = "如果需要旧数据，把各用户的口令改为 Secret 中的值（本修复每次处理一个用户，再次诊断处理下一个）。如果不需要：连同数据删除集群，确认 PVC 和 PV 都已清除（hostPath 目录里的文件会留下），再重新创建。" }

  fix {
    runbook = "fixes/user-password.hcl"
    vars    = { cluster = refused.place.cluster, namespace = refused.place.namespace, user = try([for r in facts.pg_role : r.name if r.exists && (r.matches == "no" || r.expires < 0) && !contains(["postgres", "primaryuser"], r.name) && r.place.cluster == refused.place.cluster && r.place.namespace == refused.place.namespace][0], refused.name), secret_name = try([for r in facts.pg_role : r.secret if r.exists && (r.matches == "no" || r.expires < 0) && !contains(["postgres", "primaryuser"], r.name) && r.place.cluster == refused.place.cluster && r.place.namespace == refused.place.namespace][0], refused.secret) }
  }
}

finding "G-108" {
  title = { en = "A user that has a Secret is not in the database", zh = "有 Secret 的用户在数据库中不存在" }
  layer = "client"
  per   = "cluster"
  steps = ["sql.", "pgo."]

  fact "missing" {
    of       = "pg.role"
    when     = !self.exists && self.secret != ""
    strength = "strong"
  }

  line "sed" {
    in       = ["container"]
    match    = "sed: -e expression #\\d+, char \\d+: .{3,80}"
    strength = "strong"
    past     = true
  }

  line "syntax" {
    in       = ["container", "server"]
    match    = "syntax error at or near|在 \"[^\"]*\" 或附近的语法错误"
    strength = "hint"
    past     = true
  }

  require = ["missing"]

  cause = {
    en = "Secret ${missing.secret} has the password of ${missing.name}, but cluster ${missing.place.cluster} has no such role.${sed != null ? " Its creation failed: the password has a character that the image's set-up script (sed) cannot take: / & \\ or '." : " It was dropped, or its creation failed when the cluster was made."}"
    zh = "Secret ${missing.secret} 中有 ${missing.name} 的口令，但集群 ${missing.place.cluster} 中没有这个角色。${sed != null ? "建用户失败：口令含有镜像初始化脚本（sed）无法处理的字符：/ & \\ 或 '。" : "它可能被删除，或在创建集群时建用户失败。"}"
  }
  check  = { en = "\\du ${missing.name} on the primary; the beginning of the database container's log, around “post_bootstrap” and setup.sql.", zh = "在主库执行 \\du ${missing.name}；查看数据库容器日志开头 post_bootstrap 与 setup.sql 附近的内容。" }
  remedy = { en = "Use passwords of letters and digits only. Then make the user: `pgo create user ${missing.place.cluster} --username=${missing.name} --managed` (PGO 4), or spec.users (PGO 5 and later).", zh = "口令只使用字母和数字。然后重建用户：`pgo create user ${missing.place.cluster} --username=${missing.name} --managed`（PGO 4），或在 spec.users 中声明（PGO 5 及以上）。" }
}

finding "B-13" {
  title   = { en = "Connections are running out", zh = "连接数即将用尽" }
  layer   = "client"
  per     = "cluster"
  warning = true

  fact "many" {
    of       = "pg.server"
    when     = self.max_connections >= 20 && self.connections >= self.max_connections * 0.9 && self.connections < self.max_connections - 3
    strength = "proof"
  }

  cause  = { en = "${many.connections} of ${many.max_connections} connections of ${many.place.pod} are taken.", zh = "${many.place.pod} 的 ${many.max_connections} 个连接已占用 ${many.connections} 个。" }
  check  = { en = "select usename, application_name, state, count(*) from pg_stat_activity group by 1, 2, 3 order by 4 desc.", zh = "select usename, application_name, state, count(*) from pg_stat_activity group by 1, 2, 3 order by 4 desc。" }
  remedy = { en = "Bound the applications' pools, or raise max_connections (patroni.config; restarts all members) before logins fail.", zh = "在登录开始失败之前限制应用连接池，或调大 max_connections（patroni.config，所有成员需重启）。" }
}

finding "B-21" {
  title   = { en = "A password expires soon", zh = "口令即将过期" }
  layer   = "client"
  per     = "cluster"
  warning = true

  fact "soon" {
    of       = "pg.role"
    when     = self.exists && self.login && self.expires > 0 && self.expires < 604800
    strength = "proof"
  }

  cause  = { en = "The password of ${soon.name} in ${soon.place.cluster} expires in ${floor(soon.expires / 86400)} days; then every login of it fails.", zh = "${soon.place.cluster} 中 ${soon.name} 的口令将在 ${floor(soon.expires / 86400)} 天后过期，届时该用户全部登录都会失败。" }
  check  = { en = "select rolname, rolvaliduntil from pg_roles where rolvaliduntil < now() + interval '7 days'.", zh = "select rolname, rolvaliduntil from pg_roles where rolvaliduntil < now() + interval '7 days'。" }
  remedy = { en = "Set a new password through the operator (pgo.user; PGO 4 gives it PasswordAgeDays again), or take the end away: ALTER ROLE ${soon.name} VALID UNTIL 'infinity'.", zh = "通过 operator 设置新口令（pgo.user；PGO 4 会重新应用 PasswordAgeDays），或取消期限：ALTER ROLE ${soon.name} VALID UNTIL 'infinity'。" }
}

finding "B-23" {
  title = { en = "Sessions wait for a transaction that somebody left open", zh = "会话被一个未结束的空闲事务阻塞" }
  layer = "client"
  per   = "cluster"
  steps = ["sql."]

  fact "blocked" {
    of       = "pg.server"
    when     = self.waiting >= 5 && self.idle_in_tx >= 300
    strength = "strong"
  }

  cause  = { en = "On ${blocked.place.pod} ${blocked.waiting} sessions wait for locks, while a session has been idle in a transaction for ${floor(blocked.idle_in_tx / 60)} minutes.", zh = "${blocked.place.pod} 上有 ${blocked.waiting} 个会话在等锁，同时有会话已在事务中空闲 ${floor(blocked.idle_in_tx / 60)} 分钟。" }
  check  = { en = "select pid, pg_blocking_pids(pid), state, now()-xact_start, query from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0 or state = 'idle in transaction'.", zh = "select pid, pg_blocking_pids(pid), state, now()-xact_start, query from pg_stat_activity where cardinality(pg_blocking_pids(pid)) > 0 or state = 'idle in transaction'。" }
  remedy = { en = "If it is the one that blocks: select pg_terminate_backend(PID). idle_in_transaction_session_timeout = '5min' keeps it from coming back.", zh = "确认是它在阻塞后：select pg_terminate_backend(PID)。设置 idle_in_transaction_session_timeout = '5min' 防止再次发生。" }
}
