# The database server itself: what it does not start with, and what stops it.

finding "G-73" {
  title    = { en = "The data is of another major version than the server", zh = "数据目录的大版本与服务器不同" }
  layer    = "postmaster"
  per      = "pod"
  steps    = ["pgo.", "patroni.", "k8s.", "image."]
  explains = ["G-43", "G-54", "G-66", "G-72", "G-78", "G-88", "G-98", "G-105", "B-25"]

  line "said" {
    in       = ["container", "server"]
    match    = "database files are incompatible with server|数据库文件和服务器不兼容"
    strength = "proof"
  }

  line "versions" {
    in       = ["container", "server"]
    match    = "(?:initialized by PostgreSQL version|数据目录是以 PostgreSQL 版本) (?P<data>[0-9]+(?:\\.[0-9]+)*).{0,60}?(?:this version|当前版本) (?P<server>[0-9]+(?:\\.[0-9]+)*)"
    strength = "strong"
  }

  line "gate" {
    in       = ["container"]
    match    = "Expected PostgreSQL version (?P<wanted>\\d+)"
    strength = "strong"
  }

  unless = anytrue([for p in facts.k8s_pod : p.name == try(said.place.pod, gate.place.pod, "") && p.ready])

  cause = {
    en = try("The data directory was made by PostgreSQL ${versions.data}, and the image has server ${versions.server}.${versions.line == "" ? null : ""}", "The cluster's record asks for PostgreSQL ${gate.wanted}, and the image ${try(one([for c in facts.k8s_container : c.image if c.place.pod == gate.place.pod && c.place.container == "database"]), "of the database")} has another major version.", "The data directory was made by a server of another major version (or other block size) than the one in the image.")
    zh = try("数据目录由 PostgreSQL ${versions.data} 初始化，而镜像中的服务器是 ${versions.server}。${versions.line == "" ? null : ""}", "集群记录要求 PostgreSQL ${gate.wanted}，而镜像 ${try(one([for c in facts.k8s_container : c.image if c.place.pod == gate.place.pod && c.place.container == "database"]), "")} 是另一个大版本。", "数据目录由另一个大版本（或不同块大小）的服务器初始化，与镜像中的服务器不兼容。")
  }
  check  = { en = "cat /pgdata/*/PG_VERSION on the volume; postgres --version in the image (crictl or docker run). PGO 4.2.1's default image tag is PostgreSQL 12.1.", zh = "查看卷上的 /pgdata/*/PG_VERSION，以及镜像中的 postgres --version。注意 PGO 4.2.1 的默认镜像标签是 PostgreSQL 12.1。" }
  remedy = { en = "Start this volume with an image of its own major version (--ccp-image and --ccp-image-tag; spec.image and spec.postgresVersion). A newer major needs pg_upgrade or dump and restore, never just another image.", zh = "用与数据相同大版本的镜像启动该卷（--ccp-image 与 --ccp-image-tag；或 spec.image 与 spec.postgresVersion）。升级大版本必须用 pg_upgrade 或逻辑导出导入，不能只换镜像。" }
}

finding "G-74" {
  title    = { en = "The data directory is in use elsewhere, or its control data is damaged", zh = "数据目录被另一个实例占用，或控制信息损坏" }
  layer    = "postmaster"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "k8s."]
  explains = ["G-43", "G-54", "G-66", "G-72", "G-105"]

  line "locked" {
    in       = ["container", "server"]
    match    = "lock file \"(?P<file>postmaster\\.pid|[^\"]*\\.s\\.PGSQL\\.\\d+\\.lock)\" already exists|锁文件 \"(?P<file_zh>postmaster\\.pid|[^\"]*\\.s\\.PGSQL\\.\\d+\\.lock)\" 已经存在"
    strength = "strong"
  }

  line "checkpoint" {
    in       = ["container", "server"]
    match    = "could not locate a valid checkpoint record|无法找到一个有效的 checkpoint 记录"
    strength = "proof"
  }

  fact "shared" {
    of = "k8s.pod"
    when = self.role == "database" && !self.ready && self.phase == "Running" && self.deleting < 0 && anytrue([
      for p in facts.k8s_pod : p.role == "database" && p.name != self.name && p.place.namespace == self.place.namespace && p.phase == "Running" && length([for c in p.claims : c if contains(self.claims, c)]) > 0
    ])
    strength = "hint"
  }

  unless = anytrue([for p in facts.k8s_pod : p.name == try(checkpoint.place.pod, locked.place.pod, "") && p.ready])

  cause = {
    en = try("The server in ${checkpoint.place.pod} finds no valid checkpoint in its WAL: files of pg_wal or pg_control are lost or older than the data (a crash on storage that does not sync, a copied or half restored directory).", "The server in ${locked.place.pod} finds ${coalesce(locked.file, locked.file_zh)}: another server has this data directory open${try(" (pods ${join(", ", sort([for p in facts.k8s_pod : p.name if p.role == "database" && p.place.namespace == shared.place.namespace && length([for c in p.claims : c if contains(shared.claims, c)]) > 0]))} mount the same claim)", "")}, or one that was killed left the file and its number is taken by another process.")
    zh = try("${checkpoint.place.pod} 中的服务器在 WAL 里找不到有效的检查点：pg_wal 或 pg_control 丢失，或比数据旧（存储没有真正落盘时崩溃，或目录是拷贝/不完整恢复的）。", "${locked.place.pod} 中的服务器发现 ${coalesce(locked.file, locked.file_zh)}：另一个服务器正打开同一数据目录${try("（Pod ${join("、", sort([for p in facts.k8s_pod : p.name if p.role == "database" && p.place.namespace == shared.place.namespace && length([for c in p.claims : c if contains(shared.claims, c)]) > 0]))} 挂载了同一个 PVC）", "")}，或上次被杀的服务器留下了该文件且其进程号已被占用。")
  }
  check = { en = "kubectl get pods -o wide and the claims they mount; on every node: grep -l postmaster /proc/*/comm; ls -l of the data directory and of pg_wal.", zh = "kubectl get pods -o wide 并查看各自挂载的 PVC；在每个节点检查是否还有 postgres 进程；查看数据目录和 pg_wal 的文件。" }
  remedy = {
    en = try("Do not run pg_resetwal on the only copy. If a replica is whole, fail over to it and copy this member anew (patronictl reinit); else restore from pgBackRest. ${checkpoint.place.pod == "" ? null : ""}", "Stop all but one of the servers on this volume (scale the Deployment that should not be there to 0) and wait until its pod is gone. Remove postmaster.pid only when surely no server runs on it, on any node: two servers on one directory destroy it.")
    zh = try("不要在唯一的副本上执行 pg_resetwal。若有完好的副本，切换过去并重建本成员（patronictl reinit）；否则用 pgBackRest 恢复。${checkpoint.place.pod == "" ? null : ""}", "只保留一个使用该卷的服务器（把多余的 Deployment 缩容为 0），等其 Pod 消失。只有在确认所有节点上都没有服务器使用该目录时才能删除 postmaster.pid：两个服务器同时打开一个目录会毁掉数据。")
  }
}

finding "G-75" {
  title    = { en = "The database's volume is full", zh = "数据库的卷已写满" }
  layer    = "volume"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "backup.", "k8s."]
  explains = ["G-43", "G-54", "G-66", "G-72", "G-83", "G-105", "B-01", "B-04", "B-05"]

  line "said" {
    in       = ["container", "server"]
    match    = "(?:could not (?:write|extend|create|fsync|rename|link)|无法(?:写入|扩展|扩充|创建|fsync)|不能(?:写入|扩展|创建)).{0,160}: ?(?:No space left on device|设备上没有空间)"
    strength = "strong"
  }

  fact "full" {
    of       = "pg.data"
    when     = self.percent >= 99 || (self.percent >= 95 && self.free < 67108864)
    strength = "proof"
  }

  unless = full == null && anytrue([for p in facts.k8s_pod : p.name == try(said.place.pod, "") && p.ready])

  cause = {
    en = "${try("The volume of ${full.place.pod} is ${full.percent} % full (${floor(full.free / 1048576)} MiB free)", "The volume of ${said.place.pod} is full")}: the server cannot write WAL and stops.${try(length(full.copies) > 0 ? " ${length(full.copies)} directories that failed bootstraps left lie beside the data: ${join(", ", slice(full.copies, 0, min(3, length(full.copies))))}${length(full.copies) > 3 ? ", …" : ""}." : "", "")}${try(full.wal > 2147483648 ? " pg_wal alone has ${format("%.1f", full.wal / 1073741824)} GiB: WAL is not let go (archiving that fails, a slot that nobody reads)." : "", "")}"
    zh = "${try("${full.place.pod} 的卷已使用 ${full.percent}%（剩余 ${floor(full.free / 1048576)} MiB）", "${said.place.pod} 的卷已满")}：服务器无法写 WAL，只能停止。${try(length(full.copies) > 0 ? "数据目录旁有 ${length(full.copies)} 个初始化失败留下的目录：${join("、", slice(full.copies, 0, min(3, length(full.copies))))}${length(full.copies) > 3 ? "……" : ""}。" : "", "")}${try(full.wal > 2147483648 ? "仅 pg_wal 就有 ${format("%.1f", full.wal / 1073741824)} GiB：WAL 无法清理（归档失败，或复制槽无人读取）。" : "", "")}"
  }
  check  = { en = "In the pod: df -h /pgdata; du -xsh /pgdata/* /pgdata/*/pg_wal; select * from pg_stat_archiver; select * from pg_replication_slots.", zh = "在 Pod 内：df -h /pgdata；du -xsh /pgdata/* /pgdata/*/pg_wal；select * from pg_stat_archiver；select * from pg_replication_slots。" }
  remedy = { en = "Never delete files in pg_wal by hand. Make room at the volume (grow it, or remove the NAME_DATE-TIME copies of failed bootstraps after a look into them), start the server, then take the reason away: repair archiving, drop a slot that nobody reads.", zh = "绝不要手工删除 pg_wal 中的文件。先在卷上腾出空间（扩容，或查看确认后删除初始化失败留下的 “目录名_日期时间” 拷贝），启动服务器，再消除根因：修复归档、删除无人读取的复制槽。" }
}

finding "G-110" {
  title    = { en = "The server that answers is not AntDB", zh = "应答的服务器不是 AntDB" }
  layer    = "image"
  per      = "cluster"
  steps    = ["sql.", "pgo."]
  explains = ["G-22"]

  fact "expected" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "sql.") && can(regex("AntDB|ADB", self.error)) && can(regex("PostgreSQL \\d+(?:\\.\\d+)? on |(?:is|was) not AntDB|no AntDB|plain PostgreSQL", self.error))
    strength = "strong"
  }

  fact "mixed" {
    of = "pg.server"
    when = !self.antdb && self.version != "" && self.place.cluster != "" && anytrue([
      for s in facts.pg_server : s.antdb && s.place.cluster == self.place.cluster && s.place.namespace == self.place.namespace
    ])
    strength = "proof"
  }

  cause = {
    en = try("In cluster ${mixed.place.cluster} some servers are AntDB, and that in ${mixed.place.pod} is not (${mixed.version}): its node has another image under the same name. AntDB's catalogs and plain PostgreSQL's differ, and nothing refuses the mix.", "A step expected AntDB, and the server that answered says plain PostgreSQL: the wrong image runs under this name, or the connection ends at another cluster.")
    zh = try("集群 ${mixed.place.cluster} 中有的服务器是 AntDB，而 ${mixed.place.pod} 不是（${mixed.version}）：该节点上同名镜像的内容不同。AntDB 与原生 PostgreSQL 的系统表不同，而两者混用不会被拒绝。", "步骤期望 AntDB，但应答的是原生 PostgreSQL：该名称下运行的是错误的镜像，或连接到了另一个集群。")
  }
  check  = { en = "select version() in every pod: AntDB says “ADB x.y”; select current_setting('grammar', true). Compare the imageID of the pods.", zh = "在每个 Pod 执行 select version()：AntDB 会显示 “ADB x.y”；select current_setting('grammar', true)。并比较各 Pod 的 imageID。" }
  remedy = { en = "Stop the rollout. Bring the right image, under a tag of its own, to every node (image.ship), and have the wrong member copied anew. Never start one kind on the other's data.", zh = "停止本次上线。用独立的标签把正确的镜像分发到每个节点（image.ship），并重建错误的成员。绝不要用其中一种服务器打开另一种的数据目录。" }
}

finding "G-111" {
  title = { en = "pgaudit was built for another server than this AntDB", zh = "pgaudit 不是针对此 AntDB 编译的" }
  layer = "image"
  per   = "site"
  steps = ["image.", "sql.", "pgo."]

  fact "built" {
    of       = "image.check"
    when     = self.id == "B6.7" && self.verdict == "bad"
    strength = "proof"
  }

  cause  = { en = "The pgaudit.so in image ${built.name} does not come from a build with this server's pg_config${built.evidence != "" ? ": ${built.evidence}" : ""}. It loads, since the magic block is PostgreSQL's, but AntDB numbers its node types differently: audit records are wrong or missing.", zh = "镜像 ${built.name} 中的 pgaudit.so 不是用该服务器的 pg_config 编译的${built.evidence != "" ? "：${built.evidence}" : ""}。由于 magic block 与 PostgreSQL 相同，它能被加载，但 AntDB 的节点类型编号不同，审计记录会出错或缺失。" }
  check  = { en = "antdbctl image check; in the container: strings pgaudit.so | grep GCC, and an audited statement whose record is compared.", zh = "antdbctl image check；在容器内 strings pgaudit.so | grep GCC，并执行一条被审计的语句核对审计记录。" }
  remedy = { en = "Build pgaudit (1.3 for PostgreSQL 11) with make USE_PGXS=1 PG_CONFIG=<AntDB>/bin/pg_config, put it into the tarball, rebuild and ship the image.", zh = "用 make USE_PGXS=1 PG_CONFIG=<AntDB>/bin/pg_config 编译 pgaudit（PostgreSQL 11 对应 1.3），放入安装包，重新构建并分发镜像。" }
}

finding "G-112" {
  title    = { en = "Files of two installations are mixed in the image", zh = "镜像中混入了两套安装的文件" }
  layer    = "image"
  per      = "pod"
  steps    = ["image.", "pgo.", "patroni."]
  explains = ["G-41", "G-43", "G-54", "G-66", "G-98", "G-105", "B-04"]

  line "zone" {
    in       = ["container", "server", "run"]
    match    = "invalid value for parameter \"(?P<parameter>TimeZone|log_timezone)\": \"(?P<value>[^\"]*)\"|参数 \"(?P<parameter_zh>TimeZone|log_timezone)\" 的值无效: \"(?P<value_zh>[^\"]*)\""
    strength = "strong"
  }

  line "symbol" {
    in       = ["container", "server", "run"]
    match    = "undefined symbol: (?P<symbol>PQ[A-Za-z]+)"
    strength = "strong"
  }

  fact "libpq" {
    of       = "image.check"
    when     = self.id == "B6.10" && self.verdict == "bad"
    strength = "proof"
  }

  unless = libpq == null && anytrue([for p in facts.k8s_pod : p.name == try(symbol.place.pod, zone.place.pod, "") && p.ready])

  cause = {
    en = "${try("A library finds a libpq that has no ${symbol.symbol}: it is the libpq of another version.", try("The server refuses its own time zone (${coalesce(zone.parameter, zone.parameter_zh)} = “${coalesce(zone.value, zone.value_zh)}”): its share directory with the time zones is not the one that it was built with.", "Image ${libpq.name}: ${libpq.evidence}"))} bin, lib and share must come from one build."
    zh = "${try("某个库加载到的 libpq 中没有 ${symbol.symbol}：那是另一个版本的 libpq。", try("服务器不认识自己的时区设置（${coalesce(zone.parameter, zone.parameter_zh)} = “${coalesce(zone.value, zone.value_zh)}”）：存放时区数据的 share 目录不是编译时对应的那一套。", "镜像 ${libpq.name}：${libpq.evidence}"))} bin、lib、share 必须来自同一次构建。"
  }
  check  = { en = "In the image: pg_config --sharedir --libdir; ldd $(pg_config --pkglibdir)/libpqwalreceiver.so | grep libpq; ldconfig -p | grep libpq.", zh = "在镜像中：pg_config --sharedir --libdir；ldd $(pg_config --pkglibdir)/libpqwalreceiver.so | grep libpq；ldconfig -p | grep libpq。" }
  remedy = { en = "Empty the server's directory before unpacking, use one consistent tarball (bin lib share of one make install), and let ld.so.conf.d name its lib directory first. Run image.check before the image is shipped.", zh = "解包前清空服务器目录，使用同一次 make install 产生的完整安装包（bin lib share），并在 ld.so.conf.d 中让其 lib 目录优先。分发前先运行 image.check。" }
}

finding "B-01" {
  title   = { en = "The database's volume is filling", zh = "数据库的卷空间不足" }
  layer   = "volume"
  per     = "cluster"
  warning = true

  fact "filling" {
    of       = "pg.data"
    when     = self.percent >= 85 && self.percent < 99 && !(self.percent >= 95 && self.free < 67108864)
    strength = "proof"
  }

  cause  = { en = "The volume of ${filling.place.pod} is ${filling.percent} % full: ${format("%.1f", filling.free / 1073741824)} GiB are free, pg_wal has ${format("%.1f", filling.wal / 1073741824)} GiB${length(filling.copies) > 0 ? ", and ${length(filling.copies)} copies of failed bootstraps lie beside the data" : ""}. At 100 % the server stops.", zh = "${filling.place.pod} 的卷已使用 ${filling.percent}%：剩余 ${format("%.1f", filling.free / 1073741824)} GiB，pg_wal 占 ${format("%.1f", filling.wal / 1073741824)} GiB${length(filling.copies) > 0 ? "，数据目录旁还有 ${length(filling.copies)} 个初始化失败留下的拷贝" : ""}。写满后服务器会停止。" }
  check  = { en = "du -xsh /pgdata/* /pgdata/*/pg_wal /pgdata/*/base/* | sort -h | tail in the pod.", zh = "在 Pod 内执行 du -xsh /pgdata/* /pgdata/*/pg_wal /pgdata/*/base/* | sort -h | tail。" }
  remedy = { en = "Grow the volume, or make room: old logs in pg_log, tables and indexes that nobody needs, copies of failed bootstraps; see that WAL is archived.", zh = "扩容，或腾出空间：pg_log 中的旧日志、无用的表和索引、初始化失败的拷贝；并确认 WAL 归档正常。" }
}

finding "B-07" {
  title   = { en = "A transaction has been open for very long", zh = "存在超长事务" }
  layer   = "client"
  per     = "cluster"
  warning = true

  fact "long" {
    of       = "pg.server"
    when     = !self.recovery && (self.idle_in_tx >= 3600 || self.longest_query >= 86400)
    strength = "proof"
  }

  cause  = { en = "On ${long.place.pod} ${long.idle_in_tx >= 3600 ? "a session has been idle in a transaction for ${floor(long.idle_in_tx / 3600)} h" : "a query has run for ${floor(long.longest_query / 3600)} h"}. As long as it is open VACUUM removes nothing newer: tables grow.", zh = "${long.place.pod} 上${long.idle_in_tx >= 3600 ? "有会话已在事务中空闲 ${floor(long.idle_in_tx / 3600)} 小时" : "有查询已运行 ${floor(long.longest_query / 3600)} 小时"}。在它结束之前 VACUUM 无法清理更新的死元组，表会持续膨胀。" }
  check  = { en = "select pid, usename, application_name, state, now()-xact_start as age, left(query, 60) from pg_stat_activity where xact_start is not null order by xact_start limit 5.", zh = "select pid, usename, application_name, state, now()-xact_start as age, left(query, 60) from pg_stat_activity where xact_start is not null order by xact_start limit 5。" }
  remedy = { en = "Ask its owner, then select pg_terminate_backend(PID). Set idle_in_transaction_session_timeout.", zh = "与其负责人确认后执行 select pg_terminate_backend(PID)，并设置 idle_in_transaction_session_timeout。" }
}

finding "B-08" {
  title   = { en = "Transaction numbers are running out", zh = "事务号即将耗尽" }
  layer   = "postmaster"
  per     = "cluster"
  warning = true

  fact "old" {
    of       = "pg.server"
    when     = self.xid_age >= 1000000000
    strength = "proof"
  }

  cause  = { en = "The oldest database of ${old.place.pod} is ${floor(old.xid_age / 1000000)} million transactions old. At about 2,100 million the server takes no writes any more.", zh = "${old.place.pod} 中最老的数据库事务年龄已达 ${floor(old.xid_age / 1000000)} 百万。达到约 21 亿时服务器将拒绝写入。" }
  check  = { en = "select datname, age(datfrozenxid) from pg_database order by 2 desc; what holds it back: pg_stat_activity (old xact_start), pg_prepared_xacts, pg_replication_slots (xmin).", zh = "select datname, age(datfrozenxid) from pg_database order by 2 desc；阻碍因素：pg_stat_activity 中的长事务、pg_prepared_xacts、pg_replication_slots 的 xmin。" }
  remedy = { en = "End what holds it back, then VACUUM (FREEZE, VERBOSE) the oldest tables of that database.", zh = "先结束阻碍因素，再对该库最老的表执行 VACUUM (FREEZE, VERBOSE)。" }
}

finding "B-09" {
  title    = { en = "The server takes no writes: transaction numbers have run out", zh = "事务号耗尽，服务器拒绝写入" }
  layer    = "postmaster"
  per      = "cluster"
  steps    = ["sql."]
  explains = ["B-08"]

  fact "spent" {
    of       = "pg.server"
    when     = self.xid_age >= 2100000000
    strength = "strong"
  }

  line "said" {
    in       = ["run", "container", "server"]
    match    = "database is not accepting commands (?:that generate new MultiXactIds )?to avoid wraparound data loss in database|数据库没有接[收受](?:产生新的MultiXactIds的)?命令来?避免"
    strength = "strong"
  }

  cause  = { en = "The server refuses every statement that needs a transaction number, lest old rows become invisible${try(" (age ${floor(spent.xid_age / 1000000)} million)", "")}.", zh = "为避免旧数据变得不可见，服务器拒绝所有需要事务号的语句${try("（事务年龄 ${floor(spent.xid_age / 1000000)} 百万）", "")}。" }
  check  = { en = "select datname, age(datfrozenxid) from pg_database order by 2 desc.", zh = "select datname, age(datfrozenxid) from pg_database order by 2 desc。" }
  remedy = { en = "End old transactions, prepared ones and slots with an old xmin; then VACUUM that database as superuser (not VACUUM FULL). From PostgreSQL 13 on this works in normal mode; before, in single-user mode.", zh = "结束长事务、两阶段事务和 xmin 过老的复制槽，然后以超级用户对该库执行 VACUUM（不要用 VACUUM FULL）。新版本可在正常模式执行，较老版本可能需要单用户模式。" }
}

finding "B-20" {
  title = { en = "A page of the database is damaged", zh = "数据库存在损坏的数据页" }
  layer = "postmaster"
  per   = "pod"
  steps = ["sql.", "backup.", "pgo."]

  line "page" {
    in       = ["container", "server"]
    match    = "invalid page in block (?P<block>\\d+) of relation (?P<relation>\\S+)|关系 \"(?P<relation_zh>[^\"]+)\" 中的块 (?P<block_zh>\\d+) 存在无效的页"
    strength = "strong"
    past     = true
  }

  cause  = { en = "The server in ${page.place.pod} found block ${coalesce(page.block, page.block_zh)} of ${coalesce(page.relation, page.relation_zh)} damaged (${page.count} times): the storage or a crash has altered it.", zh = "${page.place.pod} 中的服务器发现 ${coalesce(page.relation, page.relation_zh)} 的第 ${coalesce(page.block, page.block_zh)} 块损坏（${page.count} 次）：存储故障或崩溃破坏了数据。" }
  check  = { en = "select oid::regclass from pg_class where pg_relation_filepath(oid) = '${coalesce(page.relation, page.relation_zh)}'; is the page whole on a replica? dmesg of the node for disk errors.", zh = "select oid::regclass from pg_class where pg_relation_filepath(oid) = '${coalesce(page.relation, page.relation_zh)}'；检查副本上该页是否完好；查看节点 dmesg 是否有磁盘错误。" }
  remedy = { en = "An index: REINDEX. A table: fail over to a replica on which it is whole and copy this member anew; else restore from the last good backup. zero_damaged_pages throws data away: last of all.", zh = "索引：REINDEX。表：切换到数据完好的副本并重建本成员；否则用最近的有效备份恢复。zero_damaged_pages 会丢弃数据，只能作为最后手段。" }
}
