# What a build rests on: its base image, its arguments, the machine's disk and
# architecture.

finding "G-09" {
  title = {
    en = "The base image is not on the machine that builds, and cannot be pulled"
    zh = "构建机上没有基础镜像，且无法拉取"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "pull access denied for (?P<image>[^\\s,]+)|the base image (?P<base>\\S+) is not on|failed to resolve source metadata for (?P<source>\\S+?):? |manifest for (?P<manifest>\\S+) not found"
  }
  line "said_name" {
    in    = ["run"]
    match = "lookup registry-1\\.docker\\.io"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "FROM names ${try(compact([said.image, said.base, said.source, said.manifest])[0], "an image")}, which the machine that builds does not have and cannot get: no registry is reached, or the registry has no such image, or wants a login."
    zh = "FROM 引用的 ${try(compact([said.image, said.base, said.source, said.manifest])[0], "基础镜像")} 在构建机上不存在，也拉不下来：连不上镜像仓库，或者仓库中没有该镜像，或者需要登录。"
  }
  check = {
    en = "On the machine that builds: docker image inspect ${try(compact([said.image, said.base, said.source, said.manifest])[0], "IMAGE")}"
    zh = "在构建机上执行：docker image inspect ${try(compact([said.image, said.base, said.source, said.manifest])[0], "镜像名")}"
  }
  remedy = {
    en = "Bring it there before the build: docker save on a machine that has it, then a step image.load (or image.ship) with exactly the name that FROM has, tag included."
    zh = "构建之前先把它带过去：在有该镜像的机器上 docker save，再用 image.load（或 image.ship）步骤导入；名称与标签必须和 FROM 完全一致。"
  }
}

finding "G-10" {
  title = {
    en = "A program is for another architecture, or a script lacks its #! line"
    zh = "程序架构不符，或脚本缺少 #! 首行"
  }
  layer    = "image"
  per      = "pod"
  steps    = ["image.", "pgo.", "k8s.", "container."]
  explains = ["G-05", "G-43", "G-54", "G-61", "G-66", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]

  line "said" {
    in    = ["container", "job", "event", "run"]
    match = "exec (?:user process caused(?: \"|: )|(?P<program>/\\S+): )?exec format error|exec user process caused: exec format error|可执行文件格式错误"
  }

  fact "ended" {
    of       = "k8s.container"
    when     = !self.ready && can(regex("(?i)exec format error", "${self.message} ${self.last_message}"))
    strength = "strong"
  }
  fact "image" {
    of       = "image.check"
    when     = self.id == "B6.20" && self.verdict == "bad" && anytrue([for c in facts.k8s_container : c.image == self.name && !c.ready && (c.restarts > 0 || c.state == "terminated")])
    strength = "proof"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "The kernel refuses to start ${try(compact([said.program])[0], "the program")} of ${try(ended.image, image.name, [for c in facts.k8s_container : c.image if c.place.pod == said.place.pod && c.place.container == "database"][0], "the image")}: it is built for another architecture than the node's, or it is a script that does not begin with #!.${try(" ${image.evidence}.", "")}"
    zh = "内核拒绝启动镜像 ${try(ended.image, image.name, [for c in facts.k8s_container : c.image if c.place.pod == said.place.pod && c.place.container == "database"][0], "")} 中的${try(compact([said.program])[0], "程序")}：它不是为本节点架构编译的，或者是没有 #! 首行的脚本。${try("${image.evidence}。", "")}"
  }
  check = {
    en = "docker image inspect --format '{{.Architecture}}' IMAGE on the node, and uname -m there; head -1 of the entrypoint script."
    zh = "在节点上对比 docker image inspect --format '{{.Architecture}}' 镜像 与 uname -m；再看入口脚本的第一行。"
  }
  remedy = {
    en = "Build on a machine of the nodes' architecture, from a base image and an AntDB tarball of that architecture; give scripts a first line such as #!/bin/bash."
    zh = "在与节点同架构的机器上构建，基础镜像与 AntDB 安装包也要同架构；脚本首行写上 #!/bin/bash。"
  }
}

finding "G-11" {
  title = {
    en = "The image was built without PG_MAJOR: its PGROOT leads nowhere"
    zh = "构建镜像时未传 PG_MAJOR：PGROOT 指向不存在的目录"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.", "pgo."]
  explains = ["G-43", "G-54", "G-57", "G-61", "G-66", "G-77", "G-88", "G-98", "G-105"]

  line "said" {
    in    = ["container"]
    match = "/usr/pgsql-/|PGROOT=/usr/pgsql-(?:\\s|$)|(?:initdb|pg_ctl|pg_controldata): (?:command not found|未找到命令)|No such file or directory: '(?:initdb|pg_ctl|pg_controldata)'"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.") && can(regex("build arguments that have no value|build-arg PG_MAJOR", self.error))
    strength = "proof"
  }
  fact "image" {
    of       = "image.check"
    when     = contains(["B6.1", "B6.3"], self.id) && self.verdict == "bad" && can(regex("PG_MAJOR|/usr/pgsql-[/ ]|/usr/pgsql-$", "${self.evidence} ${self.remedy}")) && anytrue([for c in facts.k8s_container : c.image == self.name && !c.ready && (c.restarts > 0 || c.state == "terminated")])
    strength = "proof"
  }

  cause = {
    en = "The Dockerfile puts PGROOT and PATH together from build arguments that were not given, so that the image says /usr/pgsql- and initdb is not found, although the build itself succeeded.${try(" ${image.evidence}.", "")}"
    zh = "Dockerfile 用构建参数拼出 PGROOT 与 PATH，而构建时没有给出这些参数，于是镜像里写成 /usr/pgsql-，启动时找不到 initdb，尽管构建本身是成功的。${try("${image.evidence}。", "")}"
  }
  check = {
    en = "docker image inspect --format '{{.Config.Env}}' IMAGE: PGROOT must end in the major version."
    zh = "docker image inspect --format '{{.Config.Env}}' 镜像：PGROOT 必须以大版本号结尾。"
  }
  remedy = {
    en = "Build again with args = { PG_MAJOR = \"11\", … } for every ARG without a default, ship the image, and let the pods start anew. image.build refuses such a build by itself."
    zh = "为每个没有默认值的 ARG 传值（args = { PG_MAJOR = \"11\", … }）重新构建，分发镜像并重启 Pod。用 image.build 构建时会自动拒绝这种情况。"
  }
}

finding "G-12" {
  title = {
    en = "The disk of the machine that builds is full"
    zh = "构建机磁盘已满"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build", "image.save"]
  explains = ["G-05", "G-03", "G-14"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "no space left on device|设备上没有空间|the disk of the Docker engine is full|No space left on device"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && (startswith(self.module, "image.build") || startswith(self.module, "image.save")) && can(regex("(?i)no space left on device|disk of .{0,60} is full", self.error))
    strength = "hint"
  }

  cause = {
    en = "The build ended for want of space where the Docker engine keeps its images on ${try(compact([step.target])[0], "the machine that builds")} (/var/lib/docker by default): every RUN line needs as much as it adds, beside the context and the layers of older builds."
    zh = "${try(compact([step.target])[0], "构建机")} 上 Docker 存放镜像的磁盘（默认 /var/lib/docker）空间不足，构建中断：每条 RUN 都要占用其新增内容的空间，另外还有上下文和历史构建的层。"
  }
  check = {
    en = "df -h /var/lib/docker; docker system df"
    zh = "df -h /var/lib/docker；docker system df"
  }
  remedy = {
    en = "docker builder prune and docker image prune take away what no image uses; or move the engine's data-root to a larger disk."
    zh = "docker builder prune 与 docker image prune 可清掉无镜像引用的内容；或把 Docker 的 data-root 移到更大的磁盘。"
  }
}
