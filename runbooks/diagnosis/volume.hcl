# Volumes that are there and cannot be used.

finding "G-45" {
  title = {
    en = "The database may not write to its volume"
    zh = "数据库没有数据卷的写权限"
  }
  layer    = "volume"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-43", "G-44", "G-54", "G-61", "G-66", "G-72", "G-76", "G-77", "G-78", "G-79", "G-83", "G-84", "G-88", "G-98", "G-105"]

  line "said" {
    in       = ["container", "job"]
    match    = "(?:mkdir: cannot create directory|mkdir: 无法创建目录|could not create directory|无法创建目录|could not change permissions of directory|unable to create path) [\"']?(?P<path>/(?:pgdata|pgwal|backrestrepo|pgbackrest)[^\"':：]*)[\"']?[:：]? (?:\\[13\\] )?(?:Permission denied|权限不够|Operation not permitted)"
    strength = "proof"
  }
  fact "folder" {
    of = "node.folder"
    when = self.exists && self.uid != 26 && !can(regex("[2367]$", self.mode)) && !(self.gid == 26 && can(regex("[2367].$", self.mode))) && anytrue([
      for v in facts.k8s_volume : v.path == self.path && (length(v.nodes) == 0 || contains(v.nodes, self.place.node)) && anytrue([
        for p in facts.k8s_pod : !p.ready && contains(["database", "repository"], p.role) && p.node == self.place.node && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim) && anytrue([
          for c in facts.k8s_container : c.place.pod == p.name && (c.restarts > 0 || c.state == "terminated" || c.reason == "CrashLoopBackOff")
        ])
      ])
    ])
    strength = "strong"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "${startswith(try(said.path, ""), "/backrestrepo") ? "The backup repository" : "The database"} runs as user 26 and may not write to ${try(said.path, "its volume")}${try(": on node ${folder.place.node} the folder ${folder.path} belongs to ${folder.uid}:${folder.gid}, mode ${folder.mode}", ", whose folder on the node belongs to somebody else")}.${startswith(try(said.path, ""), "/backrestrepo") ? "" : " initdb fails, Patroni gives up, and the container starts again and again."}"
    zh = "${startswith(try(said.path, ""), "/backrestrepo") ? "备份仓库" : "数据库"}以 uid 26 运行，无权写入 ${try(said.path, "数据卷")}${try("：节点 ${folder.place.node} 上目录 ${folder.path} 属主为 ${folder.uid}:${folder.gid}，权限 ${folder.mode}", "，其在节点上的目录属于其他用户")}。${startswith(try(said.path, ""), "/backrestrepo") ? "" : "initdb 失败后 Patroni 放弃初始化，容器反复重启。"}"
  }
  check = {
    en = "ls -ldn ${try(folder.path, [for v in facts.k8s_volume : v.path if v.path != "" && anytrue([for p in facts.k8s_pod : p.name == said.place.pod && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)])][0], "FOLDER")} on node ${try(folder.place.node, [for p in facts.k8s_pod : p.node if p.name == said.place.pod][0], "NODE")}"
    zh = "在节点 ${try(folder.place.node, [for p in facts.k8s_pod : p.node if p.name == said.place.pod][0], "NODE")} 上执行 ls -ldn ${try(folder.path, [for v in facts.k8s_volume : v.path if v.path != "" && anytrue([for p in facts.k8s_pod : p.name == said.place.pod && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)])][0], "目录")}"
  }
  remedy = {
    en = "chown 26:26 that folder on its node (better than chmod 777), then delete the pod. NFS: export it with the right owner, or give the pods supplementalGroups (65534 is nobody's). Where SELinux is enforcing, chcon -Rt container_file_t as well."
    zh = "在该节点上 chown 26:26 该目录（不要用 chmod 777），然后删除 Pod。NFS：导出目录设正确属主，或给 Pod 配 supplementalGroups（65534 为 nobody）。SELinux 为 enforcing 时还需 chcon -Rt container_file_t。"
  }
  fix {
    runbook = "fixes/volume-owner.hcl"
    vars = {
      pod       = try(said.place.pod, [for p in facts.k8s_pod : p.name if !p.ready && p.node == folder.place.node && anytrue([for v in facts.k8s_volume : v.path == folder.path && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)])][0], "")
      namespace = try(said.place.namespace, [for p in facts.k8s_pod : p.place.namespace if !p.ready && p.node == folder.place.node && anytrue([for v in facts.k8s_volume : v.path == folder.path && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)])][0], "")
      at        = try(folder.place.node, [for p in facts.k8s_pod : p.node if p.name == said.place.pod][0], "")
      path      = try(folder.path, [for v in facts.k8s_volume : v.path if v.path != "" && anytrue([for p in facts.k8s_pod : p.name == said.place.pod && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)])][0], "")
    }
  }
}

finding "G-46" {
  title = {
    en = "The data directory has the wrong owner or mode"
    zh = "数据目录的属主或权限不对"
  }
  layer    = "volume"
  per      = "pod"
  steps    = ["pgo.", "patroni."]
  explains = ["G-43", "G-54", "G-61", "G-66", "G-72", "G-77", "G-78", "G-88", "G-98", "G-105"]

  line "said" {
    in       = ["container", "server"]
    match    = "(?:data directory|data目录|数据目录) *\"(?P<path>[^\"]+)\" *(?:has wrong ownership|has group or world access|has invalid permissions|的所有者权限错误|的权限无效|.{0,12}组.{0,12}访问)"
    strength = "proof"
  }
  fact "data" {
    of       = "pg.data"
    when     = self.mode != "" && !contains(["700", "0700", "750", "0750"], self.mode) && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && !p.ready])
    strength = "strong"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "The server refuses to start on ${try(said.path, data.path, "its data directory")}${try(": it belongs to ${data.uid}, mode ${data.mode}", "")}. It must belong to the user that the server runs as (26), with mode 0700, or 0750 from version 11 on; a fsGroup on the volume adds group rights, a restore or copy as root changes the owner."
    zh = "服务器拒绝在 ${try(said.path, data.path, "数据目录")} 上启动${try("：属主 ${data.uid}，权限 ${data.mode}", "")}。目录必须属于运行用户（26），权限为 0700（11 及以上版本可为 0750）；卷上的 fsGroup 会加上组权限，以 root 恢复或拷贝会改变属主。"
  }
  check = {
    en = "ls -ldn of it, in the container or in the volume's folder on the node."
    zh = "在容器内或节点上卷目录里执行 ls -ldn。"
  }
  remedy = {
    en = "On the node: chown -R 26:26 the volume's folder and chmod 0700 the data directory in it. Patroni starts the server again by itself."
    zh = "在节点上对卷目录 chown -R 26:26，并对其中的数据目录 chmod 0700。Patroni 会自动重新启动服务器。"
  }
}

finding "G-47" {
  title = {
    en = "The NFS server forbids changing owners and modes (root_squash)"
    zh = "NFS 服务器禁止修改属主与权限（root_squash）"
  }
  layer    = "volume"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-43", "G-45", "G-46", "G-54", "G-61", "G-66", "G-77", "G-88", "G-98", "G-105"]

  line "said" {
    in    = ["container"]
    match = "(?:chmod: changing permissions of|chown: changing ownership of) [\"']?(?P<path>/[^\"':]+)[\"']?: Operation not permitted|(?:chmod|chown)[:：] *(?:正在)?更改 *[\"']?(?P<pfad>/[^\"':]+)[\"']? *的(?:权限|所有者|属主)[:：] *不允许的操作"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "The container may not change the mode or owner of ${try(compact([said.path, said.pfad])[0], "its volume")}: the files belong to somebody else there, as on NFS that maps root to nobody."
    zh = "容器无法修改 ${try(compact([said.path, said.pfad])[0], "数据卷")} 的权限或属主：文件属于其他用户，NFS 把 root 映射为 nobody 时就会这样。"
  }
  check = {
    en = "exportfs -v on the NFS server; ls -ln of the folder there."
    zh = "在 NFS 服务器上 exportfs -v，并对该目录 ls -ln。"
  }
  remedy = {
    en = "chown -R 26:26 the exported folder on the NFS server itself, or export it with no_root_squash; then delete the pod."
    zh = "在 NFS 服务器上直接 chown -R 26:26 导出目录，或以 no_root_squash 导出，然后删除 Pod。"
  }
}

finding "A-22" {
  title = {
    en = "The folder of a volume does not exist on its node"
    zh = "卷对应的目录在节点上不存在"
  }
  layer    = "volume"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-53", "G-54", "G-61", "G-66", "G-76", "G-77", "G-88", "G-98", "G-105"]

  fact "folder" {
    of = "node.folder"
    when = !self.exists && anytrue([
      for v in facts.k8s_volume : v.path == self.path && anytrue([
        for p in facts.k8s_pod : !p.ready && p.phase == "Pending" && p.scheduled && p.node == self.place.node && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)
      ])
    ])
    strength = "proof"
  }
  fact "stuck" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && self.scheduled && self.role != "other" && self.age > 30 && anytrue([for c in facts.k8s_container : c.place.pod == self.name && contains(["ContainerCreating", "PodInitializing"], c.reason)])
    strength = "hint"
  }
  line "event" {
    in    = ["event", "kubelet"]
    match = "MountVolume\\.(?:NewMounter initialization|SetUp) failed for volume \"(?P<volume>[^\"]+)\" : (?:path \"(?P<path>[^\"]+)\" does not exist|hostPath type check failed: (?P<hostpath>\\S+) is not a (?:directory|file))"
  }
  unless = folder == null && stuck == null

  cause = {
    en = "Pod ${try(stuck.name, "")} cannot start on ${try(folder.place.node, stuck.node, "its node")}: volume ${try(event.volume, [for v in facts.k8s_volume : v.name if v.path == folder.path][0], "")} is the folder ${try(folder.path, compact([event.path, event.hostpath])[0], "")} of that node, which is not there."
    zh = "Pod ${try(stuck.name, "")} 无法在 ${try(folder.place.node, stuck.node, "节点")} 上启动：卷 ${try(event.volume, [for v in facts.k8s_volume : v.name if v.path == folder.path][0], "")} 对应该节点的目录 ${try(folder.path, compact([event.path, event.hostpath])[0], "")}，但目录不存在。"
  }
  check = {
    en = "ls -ld ${try(folder.path, compact([event.path, event.hostpath])[0], "FOLDER")} there; is the disk that it should be on mounted (mount, /etc/fstab)?"
    zh = "在该节点 ls -ld ${try(folder.path, compact([event.path, event.hostpath])[0], "目录")}；并确认所在磁盘已挂载（mount、/etc/fstab）。"
  }
  remedy = {
    en = "If a disk is not mounted, mount it: the data is on it. Only for a new, empty volume make the folder: install -d -o 26 -g 26 -m 0700 ${try(folder.path, compact([event.path, event.hostpath])[0], "FOLDER")}"
    zh = "若是磁盘未挂载，先挂载，数据就在上面。只有全新的空卷才创建目录：install -d -o 26 -g 26 -m 0700 ${try(folder.path, compact([event.path, event.hostpath])[0], "目录")}"
  }
}

finding "A-23" {
  title = {
    en = "The volume is still attached to another node"
    zh = "卷仍挂载在另一个节点上"
  }
  layer    = "volume"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-53", "G-54", "G-61", "G-66", "G-76", "G-88", "G-98", "G-105"]
  unless   = stuck == null

  fact "stuck" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && self.scheduled && self.role != "other" && self.age > 30 && anytrue([for c in facts.k8s_container : c.place.pod == self.name && contains(["ContainerCreating", "PodInitializing"], c.reason)])
    strength = "hint"
  }
  line "event" {
    in    = ["event"]
    match = "Multi-Attach error for volume \"(?P<volume>[^\"]+)\" (?P<why>.{0,160})"
  }

  cause = {
    en = "Volume ${try(event.volume, "of pod")} may be used by one node at a time, and another still has it: pod ${try(stuck.name, "?")} waits on ${try(stuck.node, "its node")}. That lasts while the other pod ends, or as long as its node is lost."
    zh = "卷 ${try(event.volume, "")} 同一时间只能被一个节点使用，目前仍被另一个节点占用，Pod ${try(stuck.name, "?")} 在 ${try(stuck.node, "节点")} 上等待。对方 Pod 结束前、或其节点失联期间会一直如此。"
  }
  check = {
    en = "kubectl get volumeattachment; kubectl get pod -A -o wide | grep the cluster's pods that are Terminating."
    zh = "kubectl get volumeattachment；kubectl get pod -A -o wide 查找处于 Terminating 的同集群 Pod。"
  }
  remedy = {
    en = "Let the old pod end. If its node is down for certain, kubectl delete pod OLD --force --grace-period=0; never while the old server may still be writing."
    zh = "等待旧 Pod 退出。确认其节点已停机后，可 kubectl delete pod 旧Pod --force --grace-period=0；旧服务器可能仍在写入时绝不可强删。"
  }
}

finding "A-24" {
  title = {
    en = "The NFS volume cannot be mounted"
    zh = "NFS 卷无法挂载"
  }
  layer    = "volume"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-53", "G-54", "G-61", "G-66", "G-76", "G-88", "G-98", "G-105"]
  unless   = stuck == null

  fact "stuck" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && self.scheduled && self.role != "other" && self.age > 30 && anytrue([for c in facts.k8s_container : c.place.pod == self.name && contains(["ContainerCreating", "PodInitializing"], c.reason)])
    strength = "hint"
  }
  line "event" {
    in    = ["event", "kubelet"]
    match = "mount\\.nfs4?: (?P<why>[^\\n]{3,120})|wrong fs type, bad option, bad superblock on (?P<share>[^,\\s]+:[^,\\s]+)"
  }

  cause = {
    en = "Node ${try(stuck.node, "?")} cannot mount the volume of pod ${try(stuck.name, "?")}: ${try(compact([event.why])[0], "it has no NFS client (${compact([event.share])[0]})", "mount.nfs fails")}."
    zh = "节点 ${try(stuck.node, "?")} 无法挂载 Pod ${try(stuck.name, "?")} 的卷：${try(compact([event.why])[0], "缺少 NFS 客户端（${compact([event.share])[0]}）", "mount.nfs 失败")}。"
  }
  check = {
    en = "On the node: showmount -e SERVER; rpcinfo -p SERVER; mount -t nfs SERVER:/PATH /mnt"
    zh = "在节点上：showmount -e 服务器；rpcinfo -p 服务器；mount -t nfs 服务器:/路径 /mnt"
  }
  remedy = {
    en = "access denied: add the node's address to /etc/exports and exportfs -ra. timed out: firewall, ports 111 and 2049. bad option: install nfs-utils or nfs-common on the node."
    zh = "access denied：在 /etc/exports 加入节点地址并 exportfs -ra；timed out：防火墙，端口 111 与 2049；bad option：在节点安装 nfs-utils 或 nfs-common。"
  }
}

finding "A-25" {
  title = {
    en = "Copies that failed first starts left behind fill the volume"
    zh = "初始化失败留下的数据目录副本占满了卷"
  }
  layer    = "volume"
  per      = "pod"
  steps    = ["pgo.", "patroni."]
  explains = ["G-43", "G-54", "G-61", "G-66", "G-72", "G-75", "G-83", "G-84", "G-88", "G-98", "G-105"]

  fact "data" {
    of       = "pg.data"
    when     = length(self.copies) > 0 && self.percent >= 90
    strength = "proof"
  }
  fact "folder" {
    of = "node.folder"
    when = length([for n in self.has : n if can(regex("_20[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}-[0-9]{2}$", n))]) > 0 && anytrue([
      for v in facts.k8s_volume : v.path == self.path && anytrue([for p in facts.k8s_pod : !p.ready && p.role == "database" && p.node == self.place.node && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)])
    ])
    strength = "hint"
  }
  line "full" {
    in    = ["container", "server"]
    match = "(?:could not (?:write|extend|create|resize)|无法(?:写入|扩展|创建)|initdb|mkdir|cp)[^\\n]{0,120}(?:No space left on device|设备上没有空间)"
  }
  require = ["data | full", "data | folder"]

  cause = {
    en = "Patroni keeps the data directory of each bootstrap that failed. On the volume of pod ${try(data.place.pod, full.place.pod, "?")} lie ${try(length(data.copies), length([for n in folder.has : n if can(regex("_20[0-9]{2}-", n))]), "some")} of them: ${try(join(", ", data.copies), join(", ", [for n in folder.has : n if can(regex("_20[0-9]{2}-", n))]), "NAME_YYYY-MM-DD-…")}${try("; ${data.percent} % of it is used", "")}."
    zh = "Patroni 会保留每次初始化失败的数据目录。Pod ${try(data.place.pod, full.place.pod, "?")} 的卷上有 ${try(length(data.copies), length([for n in folder.has : n if can(regex("_20[0-9]{2}-", n))]), "若干")} 份：${try(join("、", data.copies), join("、", [for n in folder.has : n if can(regex("_20[0-9]{2}-", n))]), "名称_年-月-日-…")}${try("；卷已用 ${data.percent}%", "")}。"
  }
  check = {
    en = "du -sh /pgdata/* in the volume. In a copy of a first start, base/ has no entry with a number from 16384 on: nobody ever made a table in it."
    zh = "在卷中 du -sh /pgdata/*。首次启动的副本，其 base/ 下没有编号大于等于 16384 的条目，即从未有人在其中建过表。"
  }
  remedy = {
    en = "First remove what made the bootstrap fail (its first FATAL line), then the copies. The fix removes only those that hold nobody's data."
    zh = "先消除初始化失败的原因（日志中第一条 FATAL），再清理副本。自动修复只会删除不含任何用户数据的副本。"
  }
  fix {
    runbook = "fixes/bootstrap-copies.hcl"
    vars = {
      at   = try(folder.place.node, [for p in facts.k8s_pod : p.node if p.name == data.place.pod][0], "")
      path = try(folder.path, [for v in facts.k8s_volume : v.path if v.path != "" && anytrue([for p in facts.k8s_pod : p.name == data.place.pod && contains([for c in p.claims : "${p.place.namespace}/${c}"], v.claim)])][0], "")
    }
  }
}
