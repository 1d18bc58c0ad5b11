# The machines below everything: lost, full, read-only, out of memory, out of time.

finding "B-02" {
  title   = { en = "A machine's file system is filling", zh = "节点文件系统空间不足" }
  layer   = "machine"
  per     = "node"
  warning = true

  fact "disk" {
    of       = "node.disk"
    when     = length(self.holds) > 0 && (self.percent >= 85 || self.inodes >= 90)
    strength = "proof"
  }

  cause  = { en = "${disk.path} of ${disk.place.node} is ${disk.percent} % full${disk.inodes >= 90 ? ", of its inodes ${disk.inodes} % are used" : ""}; it holds ${join(", ", disk.holds)}. From 85 % on the kubelet deletes images, later it evicts pods.", zh = "${disk.place.node} 的 ${disk.path} 已使用 ${disk.percent}%${disk.inodes >= 90 ? "，inode 已使用 ${disk.inodes}%" : ""}，其上有 ${join("、", disk.holds)}。超过 85% kubelet 会删除镜像，继续上升会驱逐 Pod。" }
  check  = { en = "df -h ${disk.path}; df -i ${disk.path}; du -xh --max-depth=2 ${disk.path} | sort -h | tail on ${disk.place.node}.", zh = "在 ${disk.place.node} 上：df -h ${disk.path}；df -i ${disk.path}；du -xh --max-depth=2 ${disk.path} | sort -h | tail。" }
  remedy = { en = "Remove what is surely not needed (old image archives, journalctl --vacuum-size, crictl rmi --prune), or grow it.", zh = "清理确定无用的内容（旧镜像包、journalctl --vacuum-size、crictl rmi --prune），或扩容。" }
}

finding "B-03" {
  title   = { en = "A certificate expires soon", zh = "证书即将过期" }
  layer   = "network"
  per     = "site"
  warning = true

  fact "soon" {
    of       = "certificate"
    when     = self.left >= 0 && self.left < 2592000 && self.where != ""
    strength = "proof"
  }

  cause  = { en = "The certificate of ${soon.where} (${soon.subject}) expires in ${floor(soon.left / 86400)} days.", zh = "${soon.where} 的证书（${soon.subject}）将在 ${floor(soon.left / 86400)} 天后过期。" }
  check  = { en = "kubeadm certs check-expiration; openssl x509 -noout -enddate.", zh = "kubeadm certs check-expiration；openssl x509 -noout -enddate。" }
  remedy = { en = "Renew it while it is still valid: kubeadm certs renew all (then restart the control plane), or the Secret pgo.tls of the operator.", zh = "在有效期内续签：kubeadm certs renew all（随后重启控制面），或更新 operator 的 Secret pgo.tls。" }
}

finding "B-10" {
  title    = { en = "A node is lost", zh = "节点失联" }
  layer    = "machine"
  per      = "node"
  explains = ["G-54", "G-60", "G-65", "G-66", "G-72", "G-76", "G-78", "G-88", "G-97", "G-98", "G-103", "G-105", "B-04", "B-18", "B-25"]

  fact "lost" {
    of       = "k8s.node"
    when     = !self.ready && self.ready_age > 60
    strength = "proof"
  }

  fact "unreachable" {
    of = "node.reach"
    when = !self.reachable && anytrue([
      for n in facts.k8s_node : n.name == self.place.node && !n.ready
    ])
    strength = "strong"
  }

  cause = {
    en = "Node ${lost.name} is not ready for ${floor(lost.ready_age / 60)} minutes (${lost.reason}: ${lost.message})${unreachable != null ? ", and does not answer SSH either" : ""}.${length([for p in facts.k8s_pod : p if p.place.node == lost.name && p.place.cluster != ""]) > 0 ? " On it: ${join(", ", sort([for p in facts.k8s_pod : p.name if p.place.node == lost.name && p.place.cluster != ""]))}." : ""}"
    zh = "节点 ${lost.name} 已有 ${floor(lost.ready_age / 60)} 分钟未就绪（${lost.reason}：${lost.message}）${unreachable != null ? "，SSH 也无响应" : ""}。${length([for p in facts.k8s_pod : p if p.place.node == lost.name && p.place.cluster != ""]) > 0 ? "其上有：${join("、", sort([for p in facts.k8s_pod : p.name if p.place.node == lost.name && p.place.cluster != ""]))}。" : ""}"
  }
  check  = { en = "kubectl describe node ${lost.name}; on it, or on its console: systemctl status kubelet containerd; journalctl -u kubelet -n 50; dmesg | tail.", zh = "kubectl describe node ${lost.name}；在该节点或其控制台上：systemctl status kubelet containerd；journalctl -u kubelet -n 50；dmesg | tail。" }
  remedy = { en = "Bring it up, or start its kubelet. If it is gone for good, switch it off surely, then delete its pods (kubectl delete pod --force) so that others take their place; a local volume's data stays on it: that member is copied anew elsewhere.", zh = "恢复该节点或启动其 kubelet。若已无法恢复，先确保它已关机，再删除其上的 Pod（kubectl delete pod --force）让其他节点接替；本地卷的数据留在该节点上，相应成员要在别处重新拷贝。" }
}

finding "B-11" {
  title   = { en = "A machine runs out of memory", zh = "节点内存不足" }
  layer   = "machine"
  per     = "node"
  warning = true

  fact "low" {
    of       = "node.memory"
    when     = self.total > 0 && self.available * 20 < self.total && self.available < 1073741824
    strength = "proof"
  }

  fact "pressure" {
    of       = "k8s.node"
    when     = contains(self.pressures, "MemoryPressure")
    strength = "proof"
  }

  cause  = { en = try("${low.place.node} has ${floor(low.available / 1048576)} of ${floor(low.total / 1048576)} MiB of memory left: the kernel will soon kill something, and a database is the largest.", "Node ${pressure.name} reports MemoryPressure: the kubelet begins to evict pods."), zh = try("${low.place.node} 只剩 ${floor(low.available / 1048576)} MiB 内存（共 ${floor(low.total / 1048576)} MiB）：内核随时可能杀进程，而数据库占用最大。", "节点 ${pressure.name} 报告 MemoryPressure：kubelet 开始驱逐 Pod。") }
  check  = { en = "free -m; ps aux --sort=-rss | head; kubectl top pods -A --sort-by=memory.", zh = "free -m；ps aux --sort=-rss | head；kubectl top pods -A --sort-by=memory。" }
  remedy = { en = "Move pods away, give databases requests equal to their limits, and set shared_buffers to a quarter of the limit at most.", zh = "迁走部分 Pod，让数据库的 requests 等于 limits，shared_buffers 不超过内存限制的四分之一。" }
}

finding "B-12" {
  title    = { en = "A machine's clock is wrong", zh = "节点时钟偏差" }
  layer    = "machine"
  per      = "node"
  explains = ["G-86", "G-93"]

  fact "clock" {
    of       = "node.clock"
    when     = self.outlier && abs(self.offset) - self.error > 5
    strength = "proof"
  }

  cause = {
    en = "The clock of ${clock.place.node} is ${format("%.1f", abs(clock.offset))} s ${clock.offset > 0 ? "ahead of" : "behind"} the others${clock.synced ? "" : ", and no time service keeps it right"}. Leases, certificates and pgBackRest's file times go by it."
    zh = "${clock.place.node} 的时钟比其他机器${clock.offset > 0 ? "快" : "慢"} ${format("%.1f", abs(clock.offset))} 秒${clock.synced ? "" : "，且没有时间同步服务"}。租约、证书有效期和 pgBackRest 的文件时间都依赖时钟。"
  }
  check  = { en = "On ${clock.place.node}: date -u; chronyc tracking; chronyc sources -v.", zh = "在 ${clock.place.node} 上：date -u；chronyc tracking；chronyc sources -v。" }
  remedy = { en = "Start chrony with the site's time servers and let it step once: chronyc makestep. On a node with a primary switch over first: a jump may end its leases.", zh = "启动 chrony 并指向站点的时间服务器，执行一次 chronyc makestep。若节点上有主库，先做主备切换：时钟跳变可能使租约失效。" }

  fix {
    runbook = "fixes/clock.hcl"
    vars    = { node = clock.place.node }
  }
}

finding "B-19" {
  title    = { en = "A file system of a machine has become read-only", zh = "节点文件系统变为只读" }
  layer    = "machine"
  per      = "node"
  explains = ["G-43", "G-45", "G-54", "G-72", "G-84", "G-105", "B-04", "B-10", "B-20", "B-25"]

  fact "readonly" {
    of       = "node.disk"
    when     = length(self.holds) > 0 && can(regex("(^|,)ro(,|$)", self.options)) && !contains(["squashfs", "iso9660", "erofs"], self.type)
    strength = "strong"
  }

  line "kernel" {
    in       = ["kernel"]
    match    = "Remounting filesystem read-only|(?:I/O error|Buffer I/O error|critical medium error).{0,40}dev (?P<device>[a-z0-9-]+)"
    strength = "hint"
    past     = true
  }

  cause  = { en = "${readonly.path} of ${readonly.place.node} (${join(", ", readonly.holds)}) is mounted read-only${try(": the kernel has seen errors${kernel.device != null ? " of disk ${kernel.device}" : ""}", "")}. Whatever writes there stops.", zh = "${readonly.place.node} 的 ${readonly.path}（${join("、", readonly.holds)}）以只读方式挂载${try("：内核报告了${kernel.device != null ? "磁盘 ${kernel.device} 的" : ""}错误", "")}。所有写入都会失败。" }
  check  = { en = "dmesg -T | grep -iE 'ext4|xfs|i/o error'; smartctl -a on the disk; mount | grep ${readonly.path}", zh = "dmesg -T | grep -iE 'ext4|xfs|i/o error'；对磁盘执行 smartctl -a；mount | grep ${readonly.path}" }
  remedy = { en = "Fail the databases over to other nodes (kubectl cordon ${readonly.place.node}), then check and repair the file system offline (fsck, xfs_repair) or replace the disk. Do not remount it for writing on a disk that reports errors.", zh = "先把数据库切换到其他节点（kubectl cordon ${readonly.place.node}），再离线检查修复文件系统（fsck、xfs_repair）或更换磁盘。不要在报错的磁盘上强行以读写方式重新挂载。" }
}
