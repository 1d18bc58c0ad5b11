# What the image gives the server, and the server refuses to start without.

finding "G-40" {
  title = {
    en = "${try(fatal.library, "pgaudit.so")} is missing from the image, and the settings preload it"
    zh = "镜像中缺少配置要预加载的 ${try(fatal.library, "pgaudit.so")}"
  }
  layer    = "postmaster"
  per      = "cluster"
  steps    = ["pgo.", "image.", "patroni.", "k8s."]
  explains = ["G-42", "G-43", "G-44", "G-54", "G-61", "G-66", "G-72", "G-75", "G-76", "G-77", "G-78", "G-83", "G-88", "G-98", "G-105"]

  line "fatal" {
    in       = ["container", "server"]
    match    = "(?:could not access file|无法访问文件) *\"(?:\\$libdir/)?(?P<library>[^\"/$\\s]*(?:audit|stat_stat|nodemx|[.]so)[^\"/\\s]*)\"?"
    strength = "proof"
  }
  fact "image" {
    of = "image.check"
    when = contains(["B6.6", "B6.17"], self.id) && self.verdict == "bad" && can(regex("could not access file|no server starts that preloads it", self.evidence)) && (
      anytrue([for c in facts.k8s_container : c.image == self.name && !c.ready && (c.restarts > 0 || c.state == "terminated")])
      || anytrue([for s in facts.run_step : s.status == "failed" && startswith(s.module, "image.") && strcontains(s.error, self.id)])
    )
    strength = "proof"
  }
  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && can(regex("(could not access file|无法访问文件) ?[\"“'][^\"”'/]*\\.?so|is not there: no server starts that preloads it", self.error))
    strength = "strong"
  }
  # A server that once could not start and is up now has been mended.
  unless = place.cluster != "" && anytrue([for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && p.ready]) && !anytrue([
    for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && !p.ready
  ])

  cause = {
    en = "${try(fatal.library, "pgaudit.so")} is not in the image${try(" ${[for c in facts.k8s_container : c.image if c.place.pod == fatal.place.pod && c.place.container == "database"][0]}", try(" ${image.name}", ""))}, and shared_preload_libraries names it: the server ends at once, Patroni gives up, and the container ends with exit code 0.${try(image.layer > 0 ? " Layer ${image.layer} (${image.command}) took it away." : "", "")} AntDB unpacked over /usr/pgsql-11 replaces the extensions that were there."
    zh = "镜像${try(" ${[for c in facts.k8s_container : c.image if c.place.pod == fatal.place.pod && c.place.container == "database"][0]} ", try(" ${image.name} ", ""))}中没有 ${try(fatal.library, "pgaudit.so")}，而 shared_preload_libraries 要求加载它：服务器立即退出，Patroni 放弃初始化，容器以退出码 0 结束。${try(image.layer > 0 ? "第 ${image.layer} 层（${image.command}）删除了它。" : "", "")}用 AntDB 覆盖 /usr/pgsql-11 会连同原有扩展一起替换掉。"
  }
  check = {
    en = "antdbctl image check ${try([for c in facts.k8s_container : c.image if c.place.pod == fatal.place.pod && c.place.container == "database"][0], image.name, "IMAGE")}: B6.6 and B6.17 say which library, and which layer removed it."
    zh = "antdbctl image check ${try([for c in facts.k8s_container : c.image if c.place.pod == fatal.place.pod && c.place.container == "database"][0], image.name, "镜像")}：B6.6 与 B6.17 会指出缺哪个库、被哪一层删除。"
  }
  remedy = {
    en = "Build ${trimsuffix(try(fatal.library, "pgaudit.so"), ".so")} with this server's own pg_config (make install USE_PGXS=1 PG_CONFIG=/usr/pgsql-11/bin/pg_config${strcontains(try(fatal.library, "pgaudit.so"), "pgaudit") ? "; branch 1.3 for version 11" : ""}), put it into the AntDB tarball, rebuild the image under a new tag, ship it to all nodes, and make the cluster anew. Or, ${strcontains(try(fatal.library, "pgaudit.so"), "pgaudit") ? "without audit" : "where nobody needs it"}, take the library out of shared_preload_libraries."
    zh = "用该服务器自己的 pg_config 编译 ${trimsuffix(try(fatal.library, "pgaudit.so"), ".so")}（make install USE_PGXS=1 PG_CONFIG=/usr/pgsql-11/bin/pg_config${strcontains(try(fatal.library, "pgaudit.so"), "pgaudit") ? "，版本 11 用 1.3 分支" : ""}），放入 AntDB 安装包，换新标签重建镜像并分发到所有节点，再重建集群。若不需要${strcontains(try(fatal.library, "pgaudit.so"), "pgaudit") ? "审计" : "它"}，也可以把该库从 shared_preload_libraries 中去掉。"
  }
  fix {
    runbook = "fixes/preload.hcl"
    vars = {
      cluster    = try(fatal.place.cluster, [for p in facts.k8s_pod : p.place.cluster if p.role == "database" && !p.ready][0], "")
      namespace  = try(fatal.place.namespace, [for p in facts.k8s_pod : p.place.namespace if p.role == "database" && !p.ready][0], "")
      library    = try(fatal.library, "pgaudit.so")
      generation = try([for c in facts.pgo_cluster : c.generation if c.name == fatal.place.cluster][0], "4")
    }
  }
}

finding "G-41" {
  title = {
    en = "A preloaded library does not fit the server"
    zh = "预加载的库与服务器不兼容"
  }
  layer    = "postmaster"
  per      = "cluster"
  steps    = ["pgo.", "image.", "patroni."]
  explains = ["G-42", "G-43", "G-44", "G-54", "G-61", "G-66", "G-72", "G-75", "G-76", "G-77", "G-78", "G-83", "G-88", "G-98", "G-105", "G-111"]

  line "fatal" {
    in       = ["container", "server"]
    match    = "(?:incompatible library|不兼容的库|库) *\"(?P<path>[^\"]+)\"(?:[:：] (?P<why>version mismatch|missing magic block|magic block mismatch)|[:： ]?不兼容[:：] *(?P<grund>[^\\s.。]+)|[:：] *魔法块不匹配)|(?:could not load library|无法加载库) *\"(?P<lib>[^\"]+)\"[:：] (?P<reason>[^\\n]{0,60}?(?:undefined symbol: \\S+|file too short|invalid ELF header|wrong ELF class[^\\n]{0,20}))"
    strength = "proof"
  }
  line "detail" {
    in       = ["container", "server"]
    match    = "(?:Server is version|服务器版本是) *(?P<server>\\d+), *(?:library is version|库的版本是) *(?P<library>[0-9.]+\\d)"
    strength = "hint"
  }
  fact "image" {
    of       = "image.check"
    when     = contains(["B6.7", "B6.8"], self.id) && self.verdict == "bad" && anytrue([for c in facts.k8s_container : c.image == self.name && !c.ready && (c.restarts > 0 || c.state == "terminated")])
    strength = "proof"
  }
  # A server that once could not start and is up now has been mended.
  unless = place.cluster != "" && anytrue([for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && p.ready]) && !anytrue([
    for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && !p.ready
  ])

  cause = {
    en = "${try(compact([fatal.path, fatal.lib])[0], "A library of the image")} was built for another server${try(" (${compact([fatal.why, fatal.grund, fatal.reason])[0]})", "")}${try(": the server is version ${detail.server}, the library is for ${detail.library}", "")}.${try(" ${image.evidence}.", "")} A library of the PGDG packages, or one cut short on its way, does this."
    zh = "${try(compact([fatal.path, fatal.lib])[0], "镜像中的某个库")} 是为另一个服务器编译的${try("（${compact([fatal.why, fatal.grund, fatal.reason])[0]}）", "")}${try("：服务器版本 ${detail.server}，库版本 ${detail.library}", "")}。${try("${image.evidence}。", "")}直接使用 PGDG 软件包里的库，或文件传输不完整，都会如此。"
  }
  check = {
    en = "antdbctl image check ${try([for c in facts.k8s_container : c.image if c.place.pod == fatal.place.pod && c.place.container == "database"][0], image.name, "IMAGE")}: B6.7 (fits this server) and B6.8 (pgaudit's branch)."
    zh = "antdbctl image check ${try([for c in facts.k8s_container : c.image if c.place.pod == fatal.place.pod && c.place.container == "database"][0], image.name, "镜像")}：看 B6.7（与服务器匹配）与 B6.8（pgaudit 分支）。"
  }
  remedy = {
    en = "Build the extension anew with this server's pg_config, in the branch for its major version (pgaudit: 1.2 for 10, 1.3 for 11, 1.4 for 12, 1.5 for 13), rebuild and ship the image."
    zh = "用该服务器的 pg_config 以对应分支重新编译扩展（pgaudit：10 用 1.2，11 用 1.3，12 用 1.4，13 用 1.5），然后重建并分发镜像。"
  }
}

finding "G-42" {
  title = {
    en = "pgaudit is created, but not preloaded"
    zh = "创建了 pgaudit 扩展但没有预加载"
  }
  layer = "postmaster"
  per   = "cluster"
  steps = ["sql.", "container.exec"]

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && can(regex("pgaudit must be loaded via shared_preload_libraries", self.error))
    strength = "proof"
  }
  fact "server" {
    of       = "pg.server"
    when     = lookup(self.settings, "shared_preload_libraries", "pgaudit") != "" && !strcontains(lookup(self.settings, "shared_preload_libraries", "pgaudit"), "pgaudit") && anytrue([for s in facts.run_step : s.status == "failed" && strcontains(s.error, "pgaudit")])
    strength = "hint"
  }

  cause = {
    en = "CREATE EXTENSION pgaudit was refused: the running server has not preloaded the library${try(" (shared_preload_libraries = ${server.settings["shared_preload_libraries"]})", "")}."
    zh = "CREATE EXTENSION pgaudit 被拒绝：运行中的服务器没有预加载该库${try("（shared_preload_libraries = ${server.settings["shared_preload_libraries"]}）", "")}。"
  }
  check = {
    en = "SHOW shared_preload_libraries on the primary."
    zh = "在主库上 SHOW shared_preload_libraries。"
  }
  remedy = {
    en = "Add pgaudit to shared_preload_libraries by a step patroni.config, which restarts the members one by one; only then create the extension."
    zh = "用 patroni.config 步骤把 pgaudit 加入 shared_preload_libraries（会逐个重启成员），之后再创建扩展。"
  }
}

finding "G-48" {
  title = {
    en = "The locale of the database is missing from the image"
    zh = "镜像中缺少数据库使用的 locale"
  }
  layer    = "initdb"
  per      = "cluster"
  steps    = ["pgo.", "image."]
  explains = ["G-43", "G-44", "G-54", "G-61", "G-66", "G-72", "G-76", "G-77", "G-88", "G-98", "G-105"]

  line "said" {
    in       = ["container", "server"]
    match    = "(?:invalid locale name|无效的语言环境名称)[:：]? *\"(?P<locale>[^\"]+)\"|(?P<incompatible>database locale is incompatible with operating system|数据库所使用的语言环境和操作系统的不兼容)|(?P<settings>invalid locale settings; check LANG|无效的本地化设置)"
    strength = "proof"
  }
  line "detail" {
    in       = ["container", "server"]
    match    = "(?:initialized with|使用) *LC_(?:COLLATE|CTYPE) *\"(?P<locale>[^\"]+)\""
    strength = "hint"
  }
  fact "image" {
    of       = "image.check"
    when     = self.id == "B6.5" && self.verdict == "bad" && anytrue([for c in facts.k8s_container : c.image == self.name && !c.ready && (c.restarts > 0 || c.state == "terminated")])
    strength = "proof"
  }
  # A server that once could not start and is up now has been mended.
  unless = place.cluster != "" && anytrue([for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && p.ready]) && !anytrue([
    for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && !p.ready
  ])

  cause = {
    en = "The server wants locale ${try(compact([said.locale, detail.locale])[0], compact([detail.locale])[0], "en_US.utf-8")}, which the image does not have${try(" (${image.evidence})", "")}: ${try(compact([said.incompatible])[0], "") != "" ? "the data was made with it, by another image" : "initdb stops before it has made anything"}."
    zh = "服务器需要 locale ${try(compact([said.locale, detail.locale])[0], compact([detail.locale])[0], "en_US.utf-8")}，而镜像中没有${try("（${image.evidence}）", "")}：${try(compact([said.incompatible])[0], "") != "" ? "现有数据是用它（由另一个镜像）创建的" : "initdb 在创建任何内容之前就停止了"}。"
  }
  check = {
    en = "docker run --rm --entrypoint locale ${try([for c in facts.k8s_container : c.image if c.place.pod == said.place.pod && c.place.container == "database"][0], "IMAGE")} -a | grep -i ${try(split(".", compact([said.locale, detail.locale])[0])[0], split(".", detail.locale)[0], "en_us")}"
    zh = "docker run --rm --entrypoint locale ${try([for c in facts.k8s_container : c.image if c.place.pod == said.place.pod && c.place.container == "database"][0], "镜像")} -a | grep -i ${try(split(".", compact([said.locale, detail.locale])[0])[0], split(".", detail.locale)[0], "en_us")}"
  }
  remedy = {
    en = "RUN localedef -i ${try(split(".", compact([said.locale, detail.locale])[0])[0], split(".", detail.locale)[0], "en_US")} -f UTF-8 ${try(split(".", compact([said.locale, detail.locale])[0])[0], split(".", detail.locale)[0], "en_US")}.UTF-8 in the Dockerfile (CentOS: glibc-common; Debian: package locales), rebuild, ship, restart the pod."
    zh = "在 Dockerfile 中 RUN localedef -i ${try(split(".", compact([said.locale, detail.locale])[0])[0], split(".", detail.locale)[0], "en_US")} -f UTF-8 ${try(split(".", compact([said.locale, detail.locale])[0])[0], split(".", detail.locale)[0], "en_US")}.UTF-8（CentOS 需 glibc-common，Debian 需 locales 包），重建、分发镜像并重启 Pod。"
  }
}

finding "G-57" {
  title = {
    en = "A shared library is missing from the image (libpq or glibc)"
    zh = "镜像中缺少共享库（libpq 或 glibc）"
  }
  layer    = "start"
  per      = "cluster"
  steps    = ["pgo.", "image."]
  explains = ["G-43", "G-44", "G-54", "G-61", "G-66", "G-72", "G-76", "G-77", "G-84", "G-88", "G-98", "G-105"]

  line "said" {
    in       = ["container", "job", "server"]
    match    = "(?:(?P<program>[\\w./-]+): )?(?:error while loading shared libraries|载入共享库时出错|加载共享库时出错)[:：] *(?P<library>[^:：\\s]+)[:：]|ImportError: (?P<import>lib[^:\\s]+): cannot open shared object file|version [`'](?P<version>(?:GLIBC|GLIBCXX|OPENSSL)_[0-9.]+)' not found"
    strength = "proof"
  }
  fact "image" {
    of       = "image.check"
    when     = contains(["B6.9", "B6.12", "B6.13"], self.id) && self.verdict == "bad" && anytrue([for c in facts.k8s_container : c.image == self.name && !c.ready && (c.restarts > 0 || c.state == "terminated")])
    strength = "proof"
  }
  # A server that once could not start and is up now has been mended.
  unless = place.cluster != "" && anytrue([for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && p.ready]) && !anytrue([
    for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && !p.ready
  ])

  cause = {
    en = "${try(compact([said.version])[0], "") != "" ? "The server was built on a newer system than the image's: it wants ${try(said.version, "a newer glibc")}." : "${try(compact([said.program])[0], compact([said.import])[0] != "" ? "Patroni" : "", "A program")} does not find ${try(compact([said.library, said.import])[0], "a library")}. libpq.so.5, which Patroni's psycopg2 and pgBackRest use, was in /usr/pgsql-11/lib and went with it."}${try(" ${image.evidence}.", "")}"
    zh = "${try(compact([said.version])[0], "") != "" ? "服务器是在比镜像更新的系统上编译的：需要 ${try(said.version, "更高版本的 glibc")}。" : "${try(compact([said.program])[0], compact([said.import])[0] != "" ? "Patroni" : "", "程序")} 找不到 ${try(compact([said.library, said.import])[0], "共享库")}。Patroni 的 psycopg2 与 pgBackRest 都依赖 libpq.so.5，它原在 /usr/pgsql-11/lib 中，已随目录一起被删。"}${try("${image.evidence}。", "")}"
  }
  check = {
    en = "In the image: ldd /usr/pgsql-11/bin/postgres | grep 'not found'; ldconfig -p | grep libpq; python3 -c 'import psycopg2'"
    zh = "在镜像内：ldd /usr/pgsql-11/bin/postgres | grep 'not found'；ldconfig -p | grep libpq；python3 -c 'import psycopg2'"
  }
  remedy = {
    en = "${try(compact([said.version])[0], "") != "" ? "Build AntDB on a system as old as the image's (EL7), or build the image from a newer base." : "echo /usr/pgsql-11/lib > /etc/ld.so.conf.d/antdb.conf && ldconfig in the Dockerfile, or install the package of libpq; then rebuild and ship."}"
    zh = "${try(compact([said.version])[0], "") != "" ? "在与镜像同样老的系统（EL7）上编译 AntDB，或改用更新的基础镜像。" : "在 Dockerfile 中 echo /usr/pgsql-11/lib > /etc/ld.so.conf.d/antdb.conf && ldconfig，或安装 libpq 软件包；然后重建并分发。"}"
  }
}

finding "G-58" {
  title = {
    en = "This AntDB was built for its distributed cluster, not as a single server"
    zh = "该 AntDB 是分布式集群版，不能作为单机版使用"
  }
  layer    = "initdb"
  per      = "cluster"
  steps    = ["pgo.", "image."]
  explains = ["G-43", "G-44", "G-54", "G-61", "G-66", "G-72", "G-76", "G-77", "G-88", "G-98", "G-105"]

  line "said" {
    in       = ["container"]
    match    = "Postgres-XC node name is mandatory|Postgres-XC:? *(?:必须|需要).{0,10}(?:节点|node)"
    strength = "proof"
  }
  fact "image" {
    of       = "image.check"
    when     = self.id == "B6.4" && self.verdict == "bad" && strcontains(self.evidence, "Postgres-XC") && anytrue([for c in facts.k8s_container : c.image == self.name && !c.ready && (c.restarts > 0 || c.state == "terminated")])
    strength = "proof"
  }
  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && can(regex("Postgres-XC node name is mandatory", self.error))
    strength = "proof"
  }
  # A server that once could not start and is up now has been mended.
  unless = place.cluster != "" && anytrue([for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && p.ready]) && !anytrue([
    for p in facts.k8s_pod : p.place.cluster == place.cluster && p.role == "database" && !p.ready
  ])

  cause = {
    en = "initdb of this image wants --nodename: AntDB was compiled with its default, the distributed cluster. The operator runs single servers under Patroni."
    zh = "该镜像的 initdb 要求 --nodename：AntDB 是按默认选项（分布式集群）编译的，而 Operator 运行的是由 Patroni 管理的单机实例。"
  }
  check = {
    en = "/usr/pgsql-11/bin/pg_config --configure in the image: it must have --disable-cluster."
    zh = "在镜像内 /usr/pgsql-11/bin/pg_config --configure，应包含 --disable-cluster。"
  }
  remedy = {
    en = "Take AntDB's single-node build, or compile it with --disable-cluster; rebuild the image under a new tag and ship it."
    zh = "使用 AntDB 单机版，或以 --disable-cluster 重新编译；换新标签重建镜像并分发。"
  }
}
