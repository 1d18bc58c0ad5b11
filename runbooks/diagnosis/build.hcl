# What goes wrong while an image is built, seen in the log of image.build. A
# builder's words count only when the build failed: a mirror that does not
# answer is nothing where the next one did.

finding "G-01" {
  title = {
    en = "A line of docker history stands in the Dockerfile as it is"
    zh = "Dockerfile 中直接粘贴了 docker history 的原始行"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "(?i)unknown instruction: (?P<word>\\|\\d+)"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "The builder met ${try(said.word, "|N")}: docker history writes build arguments as \"|7 A=1 B=2 … /bin/sh -c command\", and that is no instruction of a Dockerfile."
    zh = "构建器遇到了 ${try(said.word, "|N")}：docker history 把构建参数写成 “|7 A=1 B=2 … /bin/sh -c 命令”，这不是 Dockerfile 指令。"
  }
  check = {
    en = "grep -n '^|' Dockerfile"
    zh = "grep -n '^|' Dockerfile"
  }
  remedy = {
    en = "Turn each such line into ARG lines for its A=1 and a RUN line for its command, or recover the whole Dockerfile by a step image.recover, which does it for you."
    zh = "把这类行改写成若干 ARG 行加一条 RUN 行；也可以用 image.recover 步骤从镜像直接还原 Dockerfile，它会自动完成改写。"
  }
}

finding "G-02" {
  title = {
    en = "A bare /bin/sh -c line of docker history stands in the Dockerfile"
    zh = "Dockerfile 中出现了 docker history 的 /bin/sh -c 行"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "(?i)unknown instruction: (?P<word>/bin/sh|/bin/bash)"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "A command of docker history was pasted with its shell in front (${try(said.word, "/bin/sh")} -c …). A Dockerfile wants RUN there; after #(nop) comes an instruction that needs neither."
    zh = "从 docker history 粘贴命令时带上了 shell 前缀（${try(said.word, "/bin/sh")} -c …）。Dockerfile 此处应写 RUN；带 #(nop) 的行本身就是指令，去掉前缀即可。"
  }
  check = {
    en = "grep -n '^/bin/' Dockerfile"
    zh = "grep -n '^/bin/' Dockerfile"
  }
  remedy = {
    en = "Write RUN instead of \"/bin/sh -c\", and drop \"/bin/sh -c #(nop)\" altogether; or recover the Dockerfile by a step image.recover."
    zh = "把 “/bin/sh -c” 换成 RUN，“/bin/sh -c #(nop)” 则整段删去；也可以用 image.recover 步骤还原 Dockerfile。"
  }
}

finding "G-03" {
  title = {
    en = "A file that the Dockerfile copies is not in the build context"
    zh = "Dockerfile 要复制的文件不在构建上下文中"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "(?:COPY|ADD) failed: (?:stat|lstat|file not found in build context or excluded by \\.dockerignore: stat) (?:/var/lib/docker/tmp/docker-builder\\d+/)?(?P<path>[^: ]+)"
  }
  line "said_buildkit" {
    in    = ["run"]
    match = "(?:failed to calculate checksum of ref|failed to compute cache key).*?\"(?P<path>/[^\"]+)\": not found"
  }
  line "said_early" {
    in    = ["run"]
    match = "(?P<path>[^ \"]+)\"? is not in the context"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "COPY or ADD wants ${try(said.path, said_buildkit.path, said_early.path)}, and the build context has no such file: it was not put there, .dockerignore leaves it out, or the build was started in another folder."
    zh = "COPY/ADD 需要 ${try(said.path, said_buildkit.path, said_early.path)}，但构建上下文里没有这个文件：可能未放入、被 .dockerignore 排除，或者构建目录不对。"
  }
  check = {
    en = "ls -l the path below the step's context, and look for it in .dockerignore. The path is counted from the context's folder, not from the Dockerfile's."
    zh = "在步骤的 context 目录下 ls -l 该路径，并查看 .dockerignore。路径以上下文目录为起点，而不是以 Dockerfile 所在目录为起点。"
  }
  remedy = {
    en = "Put the file there (a step image.recover takes such files out of the image's layers), or correct the path in the Dockerfile."
    zh = "把文件放进去（image.recover 可从镜像层中提取此类文件），或修正 Dockerfile 中的路径。"
  }
}

finding "G-04" {
  title = {
    en = "The Dockerfile copies from above the build context"
    zh = "Dockerfile 复制了构建上下文之外的文件"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-03", "G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "Forbidden path outside the build context: (?P<path>\\S+)"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "${try(said.path, "A path")} leads out of the build context. The builder is sent the context's folder and nothing else."
    zh = "${try(said.path, "某个路径")} 指向构建上下文之外。构建器只会收到上下文目录，看不到其他任何文件。"
  }
  check = {
    en = "grep -nE '^(COPY|ADD) .*\\.\\./' Dockerfile"
    zh = "grep -nE '^(COPY|ADD) .*\\.\\./' Dockerfile"
  }
  remedy = {
    en = "Move the file below the context, or take the folder above as the step's context and name the Dockerfile in it."
    zh = "把文件移到上下文目录之下，或者把上一级目录作为步骤的 context，再指明 Dockerfile。"
  }
}

finding "G-05" {
  title = {
    en = "A RUN line of the Dockerfile failed"
    zh = "Dockerfile 的某条 RUN 执行失败"
  }
  layer  = "build"
  per    = "site"
  steps  = ["image.build"]
  unless = step == null

  line "said" {
    in    = ["run"]
    match = "The command '(?P<command>.{0,120}).*? returned a non-zero code: (?P<code>\\d+)"
  }
  line "said_buildkit" {
    in    = ["run"]
    match = "process \"(?P<command>.{0,120}).*? did not complete successfully: exit code: (?P<code>\\d+)"
  }
  line "said_short" {
    in    = ["run"]
    match = "a RUN line failed"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "A command of the build ended with exit code ${try(said.code, said_buildkit.code, "other than 0")}: ${try(trimsuffix(said.command, "'"), trimsuffix(said_buildkit.command, "\""), "see the step's error")}. None of the known reasons was found in what it printed."
    zh = "构建中的命令以退出码 ${try(said.code, said_buildkit.code, "非 0")} 结束：${try(trimsuffix(said.command, "'"), trimsuffix(said_buildkit.command, "\""), "见步骤的错误信息")}。其输出中没有发现已知的原因。"
  }
  check = {
    en = "Read the lines that the command printed just before it ended; they stand above in the step's log."
    zh = "查看该命令结束前打印的最后几行，它们就在步骤日志中这一行的上方。"
  }
  remedy = {
    en = "Correct what they name. To try it by hand: docker run --rm -it IMAGE_OF_THE_STEP_BEFORE sh, and the command there."
    zh = "按输出内容修正。可手工重现：docker run --rm -it 上一步的镜像 sh，然后在里面执行该命令。"
  }
}

finding "G-06" {
  title = {
    en = "The build cannot reach its package mirrors"
    zh = "构建时无法访问软件包镜像源"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "Could not (?:retrieve mirrorlist|resolve host:) (?P<host>[^\\s;\"]+)|Cannot find a valid baseurl for repo: (?P<repo>\\S+)|Temporary failure resolving '(?P<name>[^']+)'|Failed to download metadata for repo '(?P<repository>[^']+)'|(?:Name or service not known|Network is unreachable|Could not connect to) .{0,80}(?:yum|dnf|apt|repo)"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "A RUN line installs packages and cannot reach ${try(compact([said.host, said.repo, said.name, said.repository])[0], "the repository")}. The mirror lists of CentOS 7 are switched off since July 2024; or the machine that builds has no way to the internet."
    zh = "RUN 行安装软件包时无法访问 ${try(compact([said.host, said.repo, said.name, said.repository])[0], "软件源")}。CentOS 7 的 mirrorlist 已于 2024 年 7 月停用；也可能构建机不能访问外网。"
  }
  check = {
    en = "On the machine that builds: curl -I the URL of the message. Without a way out, no public mirror will do."
    zh = "在构建机上 curl -I 日志里的 URL。若构建机本身不能出网，任何公网镜像源都不可用。"
  }
  remedy = {
    en = "Build FROM an image that has the packages already (the operator's own, loaded by image.load), or point the repositories at a mirror of the site: for CentOS 7 a copy of vault.centos.org, by sed over /etc/yum.repos.d/*.repo in an earlier RUN."
    zh = "改为 FROM 一个已经装好这些软件包的镜像（例如先用 image.load 导入的官方镜像），或把软件源指向内网镜像：CentOS 7 用 vault.centos.org 的内网副本，在之前的 RUN 里用 sed 改 /etc/yum.repos.d/*.repo。"
  }
}

finding "G-07" {
  title = {
    en = "The PostgreSQL repository for this system is gone (404)"
    zh = "该系统版本的 PGDG 软件源已下线（404）"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-05", "G-06"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "(?P<url>https?://\\S*(?:pgdg|postgresql\\.org|yum/)\\S*/repodata/repomd\\.xml): \\[Errno 14\\] HTTPS? Error 404"
  }
  line "said_apt" {
    in    = ["run"]
    match = "The repository '(?P<url>https?://\\S*pgdg\\S*) .{0,60}(?:no longer has|does not have) a Release file"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "${try(said.url, said_apt.url, "The repository of PGDG")} is answered with 404: PGDG has moved the packages for EL7, and those of old major versions, into its archive."
    zh = "${try(said.url, said_apt.url, "PGDG 软件源")} 返回 404：PGDG 已把 EL7 以及旧大版本的软件包移入归档。"
  }
  check = {
    en = "curl -I the URL. The PostgreSQL project keeps old packages in an archive of its own."
    zh = "curl -I 该 URL。旧版本的软件包在 PostgreSQL 项目的归档仓库中。"
  }
  remedy = {
    en = "Build FROM an image that has the server and pgBackRest already, or point the .repo file at the archive (or the site's copy of it)."
    zh = "改为 FROM 已装好数据库与 pgBackRest 的镜像，或把 .repo 指向归档源（或其内网副本）。"
  }
}

finding "G-08" {
  title = {
    en = "tar does not find the archive that was copied into the image"
    zh = "tar 找不到复制进镜像的压缩包"
  }
  layer    = "build"
  per      = "site"
  steps    = ["image.build"]
  explains = ["G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "tar: (?P<archive>[^\\s:：]+)[:：] *(?:Cannot open|无法 *open|无法打开)"
  }
  line "said_early" {
    in    = ["run"]
    match = "reads (?P<archive>\\S+?),? .{0,80}so there is no such file"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.build")
    strength = "hint"
  }

  cause = {
    en = "tar looks for ${try(said.archive, said_early.archive)} in the working directory, / by default, while COPY put it elsewhere, such as into /tmp. ADD, on the other hand, unpacks an archive by itself and leaves none."
    zh = "tar 在工作目录（默认是 /）里找 ${try(said.archive, said_early.archive)}，而 COPY 把它放到了别处（例如 /tmp）。另外，ADD 会自动解包，解包后压缩包本身并不存在。"
  }
  check = {
    en = "Compare the target of the COPY or ADD line with the path in the RUN line."
    zh = "对比 COPY/ADD 行的目标路径与 RUN 行里的路径。"
  }
  remedy = {
    en = "Give tar the whole path: tar -xf /tmp/antdb41.tar.gz -C /usr/pgsql-11."
    zh = "给 tar 写绝对路径：tar -xf /tmp/antdb41.tar.gz -C /usr/pgsql-11。"
  }
}
