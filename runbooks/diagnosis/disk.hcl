# Disks of machines.

finding "A-15" {
  title = {
    en = "A file system of a node has become read-only"
    zh = "节点文件系统变为只读"
  }
  layer    = "machine"
  per      = "node"
  explains = ["A-10", "A-12", "A-16", "G-12", "G-18", "G-45", "G-47", "G-54", "G-75"]

  fact "disk" {
    of       = "node.disk"
    when     = length(self.holds) > 0 && contains(split(",", self.options), "ro") && !contains(["iso9660", "squashfs"], self.type)
    strength = "proof"
  }
  line "kernel" {
    in       = ["kernel"]
    match    = "Remounting filesystem read-only|EXT4-fs error \\(device (?P<device>[^)]+)\\)|XFS \\((?P<xfs>[^)]+)\\): .{0,60}(?:shutting down|Corruption)|(?:I/O error|critical medium error), dev (?P<dev>\\w+)"
    strength = "hint"
  }

  cause = {
    en = "${try(disk.path, "A file system")} of node ${try(disk.place.node, "?")} (${try(join(", ", disk.holds), "")}) is mounted read-only. The kernel does that when the disk gives errors${try(": ${kernel.line}", "")}."
    zh = "节点 ${try(disk.place.node, "?")} 的 ${try(disk.path, "文件系统")}（存放 ${try(join("、", disk.holds), "")}）已变为只读。磁盘出错时内核会这样处理${try("：${kernel.line}", "")}。"
  }
  check = {
    en = "dmesg -T | grep -iE 'error|read-only'; smartctl -a on the disk; the storage array's own log."
    zh = "dmesg -T | grep -iE 'error|read-only'；对磁盘执行 smartctl -a；查看存储阵列日志。"
  }
  remedy = {
    en = "Take the node out (kubectl drain), save what can be read, check the file system unmounted (fsck, xfs_repair), replace the disk if it has errors. Remounting it rw hides the damage."
    zh = "先 kubectl drain 摘除节点，备份可读数据，卸载后检查文件系统（fsck、xfs_repair），有坏块则更换磁盘。直接 remount rw 只会掩盖损坏。"
  }
}

finding "A-16" {
  title = {
    en = "A disk of a node is full"
    zh = "节点磁盘已满"
  }
  layer    = "machine"
  per      = "node"
  explains = ["A-10", "A-12", "A-13", "G-12", "G-18", "G-24", "G-55"]

  fact "disk" {
    of       = "node.disk"
    when     = length(self.holds) > 0 && self.size > 0 && (self.percent >= 98 || self.inodes >= 99 || (self.percent >= 95 && self.free < 536870912))
    strength = "proof"
  }

  cause = {
    en = "${try(disk.path, "A disk")} of node ${try(disk.place.node, "?")} is full: ${try(disk.inodes, 0) >= 99 ? "${try(disk.inodes, 100)} % of its inodes are used" : "${try(disk.percent, 100)} % used, ${try(floor(disk.free / 1048576), 0)} MiB free"}. It holds ${try(join(", ", disk.holds), "what pods need")}."
    zh = "节点 ${try(disk.place.node, "?")} 的 ${try(disk.path, "磁盘")} 已满：${try(disk.inodes, 0) >= 99 ? "inode 已用 ${try(disk.inodes, 100)}%" : "已用 ${try(disk.percent, 100)}%，剩余 ${try(floor(disk.free / 1048576), 0)} MiB"}。其上存放 ${try(join("、", disk.holds), "Pod 所需数据")}。"
  }
  check = {
    en = "du -xh --max-depth=2 ${try(disk.path, "/")} | sort -h | tail on the node; df -i."
    zh = "在节点上 du -xh --max-depth=2 ${try(disk.path, "/")} | sort -h | tail；df -i。"
  }
  remedy = {
    en = "Images: crictl rmi --prune. Logs: journalctl --vacuum-size=500M, rotated container logs. Volumes: copies of failed bootstraps (PGDATA_YYYY-MM-DD-…), WAL that archiving keeps. Never remove anything in a live pg_wal by hand."
    zh = "镜像：crictl rmi --prune；日志：journalctl --vacuum-size=500M 与轮转的容器日志；数据卷：初始化失败留下的副本（PGDATA_年-月-日-…）、归档积压的 WAL。切勿手工删除正在使用的 pg_wal。"
  }
}

finding "A-17" {
  title = {
    en = "A disk of a node fills up"
    zh = "节点磁盘即将写满"
  }
  layer   = "machine"
  per     = "node"
  warning = true
  unless  = try(disk.percent >= 98 || disk.inodes >= 99, false)

  fact "disk" {
    of       = "node.disk"
    when     = length(self.holds) > 0 && self.size > 0 && (self.percent >= 85 || self.inodes >= 90)
    strength = "strong"
  }

  cause = {
    en = "${try(disk.path, "A disk")} of node ${try(disk.place.node, "?")} is ${try(disk.percent, 0)} % used (inodes: ${try(disk.inodes, 0)} %). It holds ${try(join(", ", disk.holds), "what pods need")}; at 85 % the kubelet begins to remove images, soon after it evicts pods."
    zh = "节点 ${try(disk.place.node, "?")} 的 ${try(disk.path, "磁盘")} 已用 ${try(disk.percent, 0)}%（inode ${try(disk.inodes, 0)}%），其上存放 ${try(join("、", disk.holds), "Pod 所需数据")}；达到 85% 后 kubelet 开始删除镜像，随后驱逐 Pod。"
  }
  check = {
    en = "du -xh --max-depth=2 ${try(disk.path, "/")} | sort -h | tail on the node."
    zh = "在节点上 du -xh --max-depth=2 ${try(disk.path, "/")} | sort -h | tail。"
  }
  remedy = {
    en = "crictl rmi --prune, journalctl --vacuum-size=500M, old archives; or a larger disk."
    zh = "crictl rmi --prune、journalctl --vacuum-size=500M、清理旧归档，或扩容磁盘。"
  }
}
