# Logging in to machines: addresses, host keys, keys and passwords.

finding "G-26" {
  title = {
    en = "SSH on a machine cannot be reached"
    zh = "无法连接某台机器的 SSH 端口"
  }
  layer    = "access"
  per      = "node"
  explains = ["G-36"]

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("cannot reach ", self.error)) && can(regex("connection refused|no route to host|network is unreachable|i/o timeout|no answer within|connection timed out", self.error)) && !can(regex("(:6443|/api/|apiserver|:8443)", self.error))
  }
  fact "reach" {
    of = "node.reach"
    when = !self.reachable && can(regex("connection refused|no route to host|network is unreachable|i/o timeout|no answer within|connection timed out", self.error)) && anytrue([
      for r in facts.node_reach : r.reachable
    ])
  }
  line "said" {
    in       = ["run"]
    match    = "(?:dial tcp )?(?P<address>[0-9a-zA-Z.:\\[\\]-]+:22): (?:connect: )?(?P<why>connection refused|i/o timeout|no route to host|no answer within \\S+)"
    strength = "hint"
  }

  cause = {
    en = "No SSH connection to ${try(compact([reach.place.node, reach.name])[0], compact([step.target])[0], said.address, "the machine")}: ${try(reach.error, said.why, "see the step's error")}. Refused: no sshd listens there. No answer: the machine is down, or a firewall drops the packets. No route: the address is wrong or the machine is off the network."
    zh = "无法 SSH 到 ${try(compact([reach.place.node, reach.name])[0], compact([step.target])[0], said.address, "该机器")}：${try(reach.error, said.why, "见步骤错误信息")}。refused 表示没有 sshd 监听；无应答表示机器宕机或防火墙丢包；no route 表示地址错误或机器脱网。"
  }
  check = {
    en = "nc -vz ADDRESS 22 from here; on its console: systemctl status sshd, ss -lntp | grep :22."
    zh = "在本机 nc -vz 地址 22；在其控制台查看 systemctl status sshd、ss -lntp | grep :22。"
  }
  remedy = {
    en = "Start sshd (systemctl enable --now sshd), open port 22 for this machine, or correct address and port of the host in the target."
    zh = "启动 sshd（systemctl enable --now sshd）、对本机放通 22 端口，或修正 target 中该主机的地址与端口。"
  }
}

finding "G-27" {
  title = {
    en = "A machine refuses the login: no key or password of ours is accepted"
    zh = "机器拒绝登录：提供的密钥或密码均不被接受"
  }
  layer    = "access"
  per      = "node"
  explains = ["G-36"]

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("unable to authenticate, attempted methods|user \\S+ is refused: ", self.error))
  }
  fact "reach" {
    of       = "node.reach"
    when     = !self.reachable && can(regex("unable to authenticate|is refused: |Permission denied \\(publickey", self.error))
    strength = "hint"
  }
  line "said" {
    in       = ["run"]
    match    = "(?:user (?P<user>\\S+) is refused: (?:offered )?(?P<offered>.{0,400}))|unable to authenticate, attempted methods \\[(?P<tried>[^\\]]*)\\]"
    strength = "hint"
  }

  cause = {
    en = "${try(compact([step.target])[0], compact([reach.place.node, reach.name])[0], "The machine")} speaks SSH and lets nobody in${try(": user ${compact([said.user])[0]}, offered ${regexreplace(compact([said.offered])[0], " \\(ssh:.*$", "")}", try(": tried ${compact([said.tried])[0]}", ""))}. The public key is not in that user's authorized_keys, the file or its folder is writable by others, the user is another one, or passwords are switched off."
    zh = "${try(compact([step.target])[0], compact([reach.place.node, reach.name])[0], "该机器")} 的 SSH 可达但拒绝登录${try("：用户 ${compact([said.user])[0]}，已出示 ${regexreplace(compact([said.offered])[0], " \\(ssh:.*$", "")}", try("：已尝试 ${compact([said.tried])[0]}", ""))}。可能是公钥不在该用户的 authorized_keys 中、文件或目录权限过宽、用户名不对，或禁用了密码登录。"
  }
  check = {
    en = "There: ls -ld ~ ~/.ssh ~/.ssh/authorized_keys (700, 700, 600), and journalctl -u sshd for its own reason."
    zh = "在该机器上：ls -ld ~ ~/.ssh ~/.ssh/authorized_keys（应为 700、700、600），并用 journalctl -u sshd 查看 sshd 给出的原因。"
  }
  remedy = {
    en = "ssh-copy-id -i KEY.pub USER@HOST, or name user, identity or password in the target."
    zh = "ssh-copy-id -i 公钥 用户@主机，或在 target 中写明 user、identity 或 password。"
  }
}

finding "G-28" {
  title = {
    en = "The host key of a machine is not known yet"
    zh = "尚未登记该机器的主机密钥"
  }
  layer    = "access"
  per      = "node"
  explains = ["G-36"]

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && can(regex("knownhosts: key is unknown|host key of \\S+ is not known", self.error))
    strength = "proof"
  }
  fact "reach" {
    of       = "node.reach"
    when     = !self.reachable && can(regex("key is unknown|host key of \\S+ is not known", self.error))
    strength = "strong"
  }
  line "said" {
    in       = ["run"]
    match    = "host key of (?P<host>\\S+) is not known: it shows an (?P<key>[^;\\n]+)"
    strength = "hint"
  }

  cause = {
    en = "known_hosts has no entry for ${try(said.host, compact([step.target])[0], compact([reach.place.node])[0], "the machine")}${try(", which shows ${said.key}", "")}. Without one nobody can tell the machine from somebody in between, so nothing is sent to it."
    zh = "known_hosts 中没有 ${try(said.host, compact([step.target])[0], compact([reach.place.node])[0], "该机器")} 的记录${try("，对方出示的是 ${said.key}", "")}。没有记录就无法排除中间人，因此不会向它发送任何内容。"
  }
  check = {
    en = "On the machine's console: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Both fingerprints must be the same."
    zh = "在该机器控制台：ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub，两边指纹必须一致。"
  }
  remedy = {
    en = "If they are: ssh-keyscan HOST >> ~/.ssh/known_hosts (or the target's known_hosts), or host_key_check = \"accept-new\" for the first contact."
    zh = "一致则执行 ssh-keyscan 主机 >> ~/.ssh/known_hosts（或 target 指定的 known_hosts）；首次接入也可设 host_key_check = \"accept-new\"。"
  }
}

finding "G-29" {
  title = {
    en = "A machine shows another host key than the one on record"
    zh = "主机密钥与登记的不一致"
  }
  layer    = "access"
  per      = "node"
  explains = ["G-28", "G-36"]

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && can(regex("knownhosts: key mismatch|HOST KEY (CHANGED|REVOKED)|REMOTE HOST IDENTIFICATION HAS CHANGED", self.error))
    strength = "proof"
  }
  fact "reach" {
    of   = "node.reach"
    when = !self.reachable && can(regex("key mismatch|HOST KEY (CHANGED|REVOKED)", self.error))
  }
  line "said" {
    in       = ["run"]
    match    = "HOST KEY CHANGED: (?P<host>\\S+) shows an (?P<shown>.{0,90}), but (?P<record>\\S+:\\d+) has"
    strength = "hint"
  }

  cause = {
    en = "${try(said.host, compact([step.target])[0], compact([reach.place.node])[0], "The machine")} shows ${try(said.shown, "a key")} and ${try(said.record, "known_hosts")} has another: it was installed anew, its address now belongs to another machine, or somebody sits in between."
    zh = "${try(said.host, compact([step.target])[0], compact([reach.place.node])[0], "该机器")} 出示了 ${try(said.shown, "一个密钥")}，而 ${try(said.record, "known_hosts")} 中登记的是另一个：机器重装过、IP 换给了别的机器，或存在中间人。"
  }
  check = {
    en = "Ask who reinstalled it; compare with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on its console."
    zh = "先确认是否有人重装；再与其控制台上 ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub 的结果比对。"
  }
  remedy = {
    en = "Only when the new key is the machine's own: ssh-keygen -R HOST, then ssh-keyscan HOST >> known_hosts."
    zh = "只有确认新密钥属于该机器后：ssh-keygen -R 主机，再 ssh-keyscan 主机 >> known_hosts。"
  }
}

finding "G-31" {
  title = {
    en = "The machine's sshd is too old, or too new, for a common cipher"
    zh = "与该机器的 sshd 没有共同的加密算法"
  }
  layer    = "access"
  per      = "node"
  explains = ["G-36"]

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && can(regex("no common algorithm for", self.error))
    strength = "proof"
  }
  line "said" {
    in       = ["run"]
    match    = "no common algorithm for (?P<what>[^;]+); (?:we|client) offered: \\[?(?P<ours>[^\\];]{0,200})\\]?.{0,40}(?:peer|server) offered: \\[?(?P<theirs>[^\\]\\n]{0,200})"
    strength = "hint"
  }

  cause = {
    en = "We and ${try(compact([step.target])[0], "the machine")} agree on no algorithm for ${try(said.what, "the connection")}${try("; it offers ${said.theirs}", "")}. sshd of CentOS 6 knows none that counts as safe today; a hardened sshd may offer too few."
    zh = "与 ${try(compact([step.target])[0], "该机器")} 在 ${try(said.what, "连接")} 上没有共同算法${try("；对方提供 ${said.theirs}", "")}。CentOS 6 的 sshd 只支持如今已不安全的算法；过度加固的 sshd 也可能提供得太少。"
  }
  check = {
    en = "sshd -T | grep -iE 'kexalgorithms|ciphers|macs|hostkeyalgorithms' there."
    zh = "在该机器上 sshd -T | grep -iE 'kexalgorithms|ciphers|macs|hostkeyalgorithms'。"
  }
  remedy = {
    en = "Update openssh-server there, or allow one algorithm of ours in its sshd_config (curve25519-sha256, aes128-ctr, hmac-sha2-256)."
    zh = "升级该机器的 openssh-server，或在 sshd_config 中放开至少一个我方算法（curve25519-sha256、aes128-ctr、hmac-sha2-256）。"
  }
}

finding "G-32" {
  title = {
    en = "The private key is locked, or is none"
    zh = "私钥有口令保护，或不是有效私钥"
  }
  layer    = "access"
  per      = "site"
  explains = ["G-27", "G-36"]

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("private key is passphrase protected|it is locked and the target has no passphrase|the passphrase does not open it|ssh: no key found", self.error))
  }
  line "said" {
    in       = ["run"]
    match    = "not (?P<file>\\S+): (?P<why>it is locked and the target has no passphrase|the passphrase does not open it|ssh: no key found)|this private key is passphrase protected"
    strength = "hint"
  }

  cause = {
    en = "The key ${try(compact([said.file])[0], "that the target names")} could not be used: ${try(compact([said.why])[0], "it is protected by a passphrase, or is no private key (a .pub file, or PuTTY's format)")}."
    zh = "密钥 ${try(compact([said.file])[0], "")} 无法使用：${try(compact([said.why])[0], "有口令保护，或根本不是私钥（例如 .pub 文件或 PuTTY 格式）")}。"
  }
  check = {
    en = "ssh-keygen -yf KEY asks for a passphrase, or says that it is no key."
    zh = "ssh-keygen -yf 私钥：会提示输入口令，或说明它不是私钥。"
  }
  remedy = {
    en = "ssh-add KEY, or give the target a passphrase (a secret), or name the right file as identity; puttygen KEY.ppk -O private-openssh turns PuTTY's keys into OpenSSH's."
    zh = "ssh-add 私钥，或在 target 中用 secret 给出 passphrase，或改正 identity；PuTTY 密钥用 puttygen KEY.ppk -O private-openssh 转换。"
  }
}

finding "G-36" {
  title = {
    en = "ssh, scp or a jump host could not connect"
    zh = "ssh、scp 或跳板机连接失败"
  }
  layer = "access"
  per   = "site"

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("ssh: connect to host \\S+ port \\d+: |ssh: Could not resolve hostname|Host key verification failed|Permission denied \\(publickey[^)]*\\)|ProxyCommand says", self.error))
  }
  line "said" {
    in       = ["run"]
    match    = "ssh: connect to host (?P<host>\\S+) port \\d+: (?P<why>[A-Z][a-z ]+)|Could not resolve hostname (?P<name>[^:\\s]+)|(?P<verify>Host key verification failed)|(?P<denied>Permission denied \\(publickey[^)]*\\))"
    strength = "hint"
  }

  cause = {
    en = "A command that goes by ssh ended with ${try(compact([said.why, said.verify, said.denied])[0], "an error of ssh")}${try(" (${compact([said.host, said.name])[0]})", "")}."
    zh = "经由 ssh 的命令失败：${try(compact([said.why, said.verify, said.denied])[0], "ssh 报错")}${try("（${compact([said.host, said.name])[0]}）", "")}。"
  }
  check = {
    en = "Run the same ssh with -v: it says which key, host and configuration it takes."
    zh = "加 -v 重跑同一条 ssh，查看它使用了哪个密钥、主机与配置。"
  }
  remedy = {
    en = "Refused or timed out: sshd, firewall, address. Could not resolve: /etc/hosts or DNS. Verification: known_hosts. Permission denied: authorized_keys of the user that ssh takes."
    zh = "refused/超时：检查 sshd、防火墙与地址；无法解析：/etc/hosts 或 DNS；校验失败：known_hosts；Permission denied：对应用户的 authorized_keys。"
  }
}
