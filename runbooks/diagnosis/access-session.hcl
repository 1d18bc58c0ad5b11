# What goes wrong once a login has succeeded: SFTP, shells, sudo, programs.

finding "G-33" {
  title = {
    en = "The machine's sshd has no SFTP"
    zh = "该机器的 sshd 未启用 SFTP"
  }
  layer    = "access"
  per      = "node"
  explains = ["G-35"]

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && can(regex("ssh: subsystem request failed|subsystem .{0,20}(refused|failed)|the server has no sftp", self.error))
    strength = "proof"
  }

  cause = {
    en = "Files go to ${try(compact([step.target])[0], "the machine")} by SFTP, and its sshd refuses that subsystem."
    zh = "文件经 SFTP 传到 ${try(compact([step.target])[0], "该机器")}，但其 sshd 拒绝 sftp 子系统。"
  }
  check = {
    en = "sshd -T | grep -i subsystem there."
    zh = "在该机器上 sshd -T | grep -i subsystem。"
  }
  remedy = {
    en = "Put \"Subsystem sftp internal-sftp\" into /etc/ssh/sshd_config and reload sshd."
    zh = "在 /etc/ssh/sshd_config 中加入 “Subsystem sftp internal-sftp” 并 reload sshd。"
  }
}

finding "G-34" {
  title = {
    en = "A file could not be written on a machine"
    zh = "无法在目标机器上写入文件"
  }
  layer = "access"
  per   = "site"
  steps = ["host.", "image."]

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && startswith(self.module, "host.") && can(regex("SSH_FX_PERMISSION_DENIED|SSH_FX_FAILURE|may not write in |may not give |no space left on \\S+ of|no inode is left", self.error))
  }
  line "said" {
    in       = ["run"]
    match    = "(?:may not write in (?P<folder>\\S+)|no space left on (?P<mount>\\S+) of|no inode is left on (?P<inodes>\\S+)|sftp: \"(?P<why>[^\"]+)\" \\(SSH_FX_\\w+\\))"
    strength = "hint"
  }

  cause = {
    en = "${try(compact([step.target])[0], "The machine")} did not take a file: ${try("the user may not write in ${compact([said.folder])[0]}", "${compact([said.mount])[0]} is full", "no inode is left on ${compact([said.inodes])[0]}", "SFTP says ${compact([said.why])[0]}", "it may not be written, or the disk is full")}. SFTP's \"Failure\" stands for a full disk as well as for a target that cannot be replaced."
    zh = "${try(compact([step.target])[0], "该机器")} 未能写入文件：${try("用户无权写 ${compact([said.folder])[0]}", "${compact([said.mount])[0]} 已满", "${compact([said.inodes])[0]} 的 inode 已用尽", "SFTP 返回 ${compact([said.why])[0]}", "没有写权限或磁盘已满")}。SFTP 的 “Failure” 既可能是磁盘满，也可能是目标无法被替换。"
  }
  check = {
    en = "df -h and df -i of the folder there, and ls -ld of it."
    zh = "在该机器上对目标目录执行 df -h、df -i 与 ls -ld。"
  }
  remedy = {
    en = "Free space, or log in as a user that may write there (user = \"root\", or sudo = true in the target)."
    zh = "清理空间，或换用有写权限的用户（target 中 user = \"root\" 或 sudo = true）。"
  }
}

finding "G-35" {
  title = {
    en = "The login shell prints something, which breaks SFTP and commands"
    zh = "登录 shell 有多余输出，破坏了 SFTP 或命令通道"
  }
  layer = "access"
  per   = "node"

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("error receiving version packet|packet too long|server unexpectedly closed connection", self.error))
  }

  cause = {
    en = "SFTP with ${try(compact([step.target])[0], "the machine")} ended before it began: .bashrc, .profile or a banner prints text into the channel, or the connection was dropped in the middle."
    zh = "与 ${try(compact([step.target])[0], "该机器")} 的 SFTP 刚开始就断开：.bashrc、.profile 或登录脚本向通道输出了文字，或连接中途被切断。"
  }
  check = {
    en = "ssh HOST true must print nothing at all."
    zh = "ssh 主机 true 不应有任何输出。"
  }
  remedy = {
    en = "Let such scripts speak to terminals only: [ -t 1 ] || return at the top of .bashrc. Where nothing is printed, look for a firewall that cuts idle connections (ServerAliveInterval)."
    zh = "让这些脚本只对终端输出：在 .bashrc 开头加 [ -t 1 ] || return。若确无输出，检查会切断空闲连接的防火墙（ServerAliveInterval）。"
  }
}

finding "G-37" {
  title = {
    en = "The user on the machine lacks a program, sudo or the Docker socket"
    zh = "登录用户缺少程序、sudo 权限或 Docker 权限"
  }
  layer    = "access"
  per      = "site"
  explains = ["G-05"]

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("(docker|ctr|crictl|podman|sudo)\"?: (command not found|not found|未找到命令|executable file not found)|docker is not installed|a password is required|no tty present and no askpass|must have a tty|is not in the sudoers file|cannot run commands as|permission denied while trying to connect to the Docker|may not use (the Docker engine|containerd)|Cannot connect to the Docker daemon|the Docker engine does not run|containerd does not run", self.error))
  }
  line "said" {
    in       = ["run"]
    match    = "(?P<program>docker|ctr|crictl|podman|sudo): (?:command not found|not found|未找到命令)|sudo: (?P<sudo>a password is required|no tty present and no askpass program specified|sorry, you must have a tty to run sudo)|(?P<user>\\S+) is not in the sudoers file|(?P<socket>permission denied while trying to connect to the Docker daemon socket)|(?P<daemon>Cannot connect to the Docker daemon)"
    strength = "hint"
  }

  cause = {
    en = "A command could not run on ${try(compact([step.target])[0], "the machine")}: ${try("${compact([said.program])[0]} is not installed, or not in the PATH of a shell that is no login shell", "sudo: ${compact([said.sudo])[0]}", "${compact([said.user])[0]} may not use sudo", "${compact([said.socket])[0]}", "the Docker engine does not run", "see the step's error")}."
    zh = "命令无法在 ${try(compact([step.target])[0], "该机器")} 上执行：${try("${compact([said.program])[0]} 未安装，或不在非登录 shell 的 PATH 中", "sudo：${compact([said.sudo])[0]}", "用户 ${compact([said.user])[0]} 没有 sudo 权限", "无权访问 Docker 套接字（${compact([said.socket])[0]}）", "Docker 引擎未运行", "见步骤错误信息")}。"
  }
  check = {
    en = "ssh HOST 'id; command -v docker ctr crictl; sudo -n true'"
    zh = "ssh 主机 'id; command -v docker ctr crictl; sudo -n true'"
  }
  remedy = {
    en = "Log in as root, or set sudo = true (with sudo_password, or NOPASSWD in sudoers); usermod -aG docker USER for the socket; link programs from /usr/local/bin into /usr/bin; systemctl start docker or containerd."
    zh = "以 root 登录，或设 sudo = true（配 sudo_password，或在 sudoers 中设 NOPASSWD）；访问套接字用 usermod -aG docker 用户；把 /usr/local/bin 下的程序链接到 /usr/bin；systemctl start docker 或 containerd。"
  }
}
