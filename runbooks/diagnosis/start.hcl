# Containers that start and end, and pods that never become ready.

finding "G-43" {
  title = {
    en = "The database container ends with exit code 0, again and again"
    zh = "数据库容器以退出码 0 反复结束"
  }
  layer    = "patroni"
  per      = "pod"
  steps    = ["pgo.", "k8s.", "patroni."]
  explains = ["G-54", "G-61", "G-66", "G-72", "G-77", "G-78", "G-88", "G-98", "G-105"]

  fact "ended" {
    of       = "k8s.container"
    when     = self.place.container == "database" && !self.ready && !self.init && self.last_exit == 0 && self.last_reason == "Completed" && (self.restarts > 1 || self.reason == "CrashLoopBackOff") && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.role == "database"])
    strength = "strong"
  }
  line "gave_up" {
    in    = ["container"]
    match = "removing initialize key after failed attempt to bootstrap the cluster"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "Patroni in pod ${try(ended.place.pod, gave_up.place.pod, "?")} gave up bootstrapping and ended by itself: exit code 0 and \"Completed\" are no success here. It ended ${try(ended.restarts, "several")} times, and each try leaves a copy of the data directory on the volume. None of the known reasons was found in its log."
    zh = "Pod ${try(ended.place.pod, gave_up.place.pod, "?")} 中的 Patroni 放弃初始化并自行退出：这里的退出码 0 与 “Completed” 并不表示成功。已结束 ${try(ended.restarts, "多")} 次，每次都会在卷上留下一份数据目录副本。日志中没有发现已知原因。"
  }
  check = {
    en = "kubectl -n ${try(ended.place.namespace, "NS")} logs ${try(ended.place.pod, "POD")} -c database --previous: the first FATAL or ERROR after \"trying to bootstrap\" is the reason."
    zh = "kubectl -n ${try(ended.place.namespace, "NS")} logs ${try(ended.place.pod, "POD")} -c database --previous：“trying to bootstrap” 之后第一条 FATAL 或 ERROR 即为原因。"
  }
  remedy = {
    en = "Correct that line's cause in the image, the settings or the volume; then delete the pod, and remove the copies beside the data directory."
    zh = "按该行原因修正镜像、配置或卷；然后删除 Pod，并清理数据目录旁的副本。"
  }
}

finding "G-44" {
  title = {
    en = "A guard file of an earlier, failed start stops the database"
    zh = "早先失败的初始化留下的保护文件阻止了启动"
  }
  layer    = "initdb"
  per      = "pod"
  steps    = ["pgo."]
  explains = ["G-43", "G-54", "G-61", "G-66", "G-77", "G-88", "G-98", "G-105"]

  line "said" {
    in    = ["container"]
    match = "Detected an earlier failed attempt to initialize|remove '?(?P<file>/pgdata/[^' ]+\\.initializing)"
  }
  fact "guard" {
    of       = "pg.data"
    when     = length(self.guards) > 0 && anytrue([for c in facts.k8s_container : c.place.pod == self.place.pod && c.place.container == "database" && !c.ready && c.restarts > 0])
    strength = "strong"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "A first start was broken off in the middle, and left ${try(guard.guards[0], compact([said.file])[0], "/pgdata/CLUSTER.initializing")} so that nobody takes half a data directory for a whole one. The operator's script will not start while it is there."
    zh = "首次启动中途被打断，留下 ${try(guard.guards[0], compact([said.file])[0], "/pgdata/CLUSTER.initializing")}，以防把半成品数据目录当成完整数据。该文件存在时 Operator 的启动脚本不会继续。"
  }
  check = {
    en = "ls -la /pgdata in the volume; the log of the run before tells why that start broke off."
    zh = "查看卷中的 ls -la /pgdata；上一次运行的日志会说明当时为何中断。"
  }
  remedy = {
    en = "Remove the reason of the first failure (often memory or disk). If the cluster never served, remove the half-made data directory and the guard file, then delete the pod; if it ever did, restore it from a backup instead."
    zh = "先排除首次失败的原因（常见为内存或磁盘）。若该集群从未对外服务过，删除半成品数据目录与保护文件，再删除 Pod；若曾经服务过，应从备份恢复。"
  }
}

finding "G-52" {
  title = {
    en = "A container was killed for want of memory (OOMKilled)"
    zh = "容器因内存不足被杀（OOMKilled）"
  }
  layer    = "start"
  per      = "pod"
  steps    = ["pgo.", "k8s.", "patroni."]
  explains = ["G-43", "G-44", "G-52b", "G-54", "G-60", "G-61", "G-66", "G-72", "G-74", "G-77", "G-88", "G-98", "G-105"]

  fact "killed" {
    of       = "k8s.container"
    when     = (self.reason == "OOMKilled" || self.last_reason == "OOMKilled") && (!self.ready || (self.last_ended >= 0 && self.last_ended < 1800)) && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.role != "other"])
    strength = "proof"
  }
  line "kernel" {
    in       = ["kernel"]
    match    = "Memory cgroup out of memory: Kill(?:ed)? process (?P<pid>\\d+) \\((?P<program>[^)]+)\\)"
    strength = "hint"
  }

  cause = {
    en = "Container ${try(killed.place.container, "?")} of pod ${try(killed.place.pod, "?")} used more than its limit${try(killed.memory_limit > 0 ? " of ${floor(killed.memory_limit / 1048576)} MiB" : ", or its node had no memory left", "")}; the kernel killed it, ${try(killed.restarts, 1)} times so far. Memory-backed emptyDirs such as /dev/shm count as well."
    zh = "Pod ${try(killed.place.pod, "?")} 的容器 ${try(killed.place.container, "?")} 超出内存限制${try(killed.memory_limit > 0 ? "（${floor(killed.memory_limit / 1048576)} MiB）" : "，或所在节点已无可用内存", "")}，被内核杀掉，至今 ${try(killed.restarts, 1)} 次。内存型 emptyDir（如 /dev/shm）也计入限制。"
  }
  check = {
    en = "kubectl top pod; shared_buffers + max_connections × work_mem against the limit; dmesg -T | grep -i oom on node ${try(killed.place.node, "NODE")}."
    zh = "kubectl top pod；对比 shared_buffers + max_connections × work_mem 与限制；在节点 ${try(killed.place.node, "NODE")} 上 dmesg -T | grep -i oom。"
  }
  remedy = {
    en = "Raise the memory limit of the cluster (a quarter of it for shared_buffers is usual), or lower shared_buffers, work_mem or max_connections by a step patroni.config."
    zh = "调高集群的内存限制（shared_buffers 一般取四分之一），或用 patroni.config 步骤调低 shared_buffers、work_mem 或 max_connections。"
  }
}

finding "G-52b" {
  title = {
    en = "A server process was killed, and the server restarted itself"
    zh = "某个服务器进程被杀，数据库自动重启恢复"
  }
  layer    = "postmaster"
  per      = "pod"
  explains = ["G-54", "G-60", "G-72"]

  line "said" {
    in    = ["container", "server"]
    match = "(?P<what>server process|background worker|autovacuum worker|服务器进程|[\\w ]{3,40}) \\(PID (?P<pid>\\d+)\\) (?:was terminated by signal 9|被信号 *9 *中断)"
  }
  line "kernel" {
    in       = ["kernel"]
    match    = "[Oo]ut of memory: Kill(?:ed)? process (?P<victim>\\d+) \\((?P<program>postgres[^)]*)\\)"
    strength = "hint"
  }

  cause = {
    en = "Process ${try(said.pid, "")} of the server in pod ${try(said.place.pod, "?")} was killed by signal 9${try(" (the kernel's OOM killer took ${kernel.program})", "")}. The postmaster ended all sessions and recovered; the container itself went on, so Kubernetes shows nothing."
    zh = "Pod ${try(said.place.pod, "?")} 中的服务器进程 ${try(said.pid, "")} 被信号 9 杀死${try("（内核 OOM killer 选中了 ${kernel.program}）", "")}。postmaster 断开所有会话并恢复；容器本身未退出，因此 Kubernetes 上看不到痕迹。"
  }
  check = {
    en = "dmesg -T | grep -iE 'oom|killed process' on the pod's node; the statement of that PID stands in the server's log."
    zh = "在 Pod 所在节点 dmesg -T | grep -iE 'oom|killed process'；该 PID 执行的语句见服务器日志。"
  }
  remedy = {
    en = "More memory for the pod, or less work_mem and fewer connections; nobody should kill -9 a server process, pg_terminate_backend does it safely."
    zh = "给 Pod 更多内存，或降低 work_mem 与连接数；不要对服务器进程 kill -9，应使用 pg_terminate_backend。"
  }
}

finding "G-53" {
  title = {
    en = "A Secret or ConfigMap that the pod mounts is missing"
    zh = "Pod 要挂载的 Secret 或 ConfigMap 不存在"
  }
  layer    = "start"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-54", "G-61", "G-66", "G-76", "G-77", "G-78", "G-79", "G-88", "G-98", "G-105"]
  unless   = (stuck == null && config == null) || (config == null && event == null)

  fact "stuck" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && self.scheduled && self.role != "other" && self.age > 45 && anytrue([for c in facts.k8s_container : c.place.pod == self.name && contains(["ContainerCreating", "PodInitializing"], c.reason)])
    strength = "hint"
  }
  fact "config" {
    of       = "k8s.container"
    when     = self.state == "waiting" && self.reason == "CreateContainerConfigError" && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"])
    strength = "proof"
  }
  line "event" {
    in    = ["event", "kubelet"]
    match = "MountVolume\\.SetUp failed for volume \"(?P<volume>[^\"]+)\" : (?P<kind>secret|configmap) \"(?P<object>[^\"]+)\" not found|references non-existent (?:secret|config) key: (?P<key>\\S+)"
  }

  cause = {
    en = "Pod ${try(stuck.name, config.place.pod, "?")} waits in ContainerCreating: ${try("${event.kind} ${compact([event.object])[0]} (volume ${event.volume}) does not exist", config.message, "a key of its Secret or ConfigMap is missing")}. The operator makes these when it creates a cluster; they are missing when the custom resource was made by hand, or somebody deleted them."
    zh = "Pod ${try(stuck.name, config.place.pod, "?")} 停在 ContainerCreating：${try("${event.kind} ${compact([event.object])[0]}（卷 ${event.volume}）不存在", config.message, "其 Secret 或 ConfigMap 缺少某个键")}。这些对象由 Operator 在创建集群时生成；手工创建 CR 或被人删除时就会缺失。"
  }
  check = {
    en = "kubectl -n ${try(stuck.place.namespace, config.place.namespace, "NS")} get secret,configmap | grep ${try(stuck.place.cluster, config.place.cluster, "CLUSTER")}"
    zh = "kubectl -n ${try(stuck.place.namespace, config.place.namespace, "NS")} get secret,configmap | grep ${try(stuck.place.cluster, config.place.cluster, "CLUSTER")}"
  }
  remedy = {
    en = "Create clusters by the operator's API (pgo create cluster, or a step pgo.cluster), not by the bare custom resource, in 4.2.1. If a Secret was deleted, make it again from a backup of the namespace; the kubelet tries again by itself. <CLUSTER>-backrest-repo-config can be copied from another cluster made by the same operator."
    zh = "4.2.1 中应通过 Operator 的 API 创建集群（pgo create cluster 或 pgo.cluster 步骤），而非直接建 CR。若 Secret 被删，从命名空间备份中恢复，kubelet 会自动重试；<集群名>-backrest-repo-config 可参照同一 Operator 的其他集群复制。"
  }
}

finding "G-54" {
  title = {
    en = "The database pod runs, and does not become ready"
    zh = "数据库 Pod 在运行但一直未就绪"
  }
  layer    = "patroni"
  per      = "pod"
  steps    = ["pgo.", "k8s.", "patroni.", "sql."]
  explains = ["G-77", "G-78", "G-88", "G-98", "G-105"]
  unless   = anytrue([for m in facts.patroni_member : try(m.name == pod.name && can(regex("creating replica|running custom bootstrap|initalizing new cluster|initializing new cluster", m.state)), false)])

  fact "pod" {
    of = "k8s.pod"
    when = self.role == "database" && self.phase == "Running" && !self.ready && self.deleting < 0 && self.age > 180 && self.ready_age > 120 && anytrue([
      for c in facts.k8s_container : c.place.pod == self.name && c.place.container == "database" && c.state == "running" && c.started > 120
    ])
    strength = "strong"
  }
  line "probe" {
    in       = ["event", "kubelet"]
    match    = "Readiness probe failed:"
    strength = "hint"
  }

  cause = {
    en = "Pod ${try(pod.name, "?")} has not been ready for ${try(floor(pod.ready_age / 60), "some")} minutes. Its probe wants Patroni's /health to answer, and after the first start a mark in /crunchyadm; ${try([for m in facts.patroni_member : "Patroni says it is ${m.state}" if m.name == pod.name][0], "Patroni was not reached")}. None of the deeper reasons that are known was seen."
    zh = "Pod ${try(pod.name, "?")} 已 ${try(floor(pod.ready_age / 60), "若干")} 分钟未就绪。就绪探针要求 Patroni 的 /health 正常，且首次启动后 /crunchyadm 中有标记文件；${try([for m in facts.patroni_member : "Patroni 报告其状态为 ${m.state}" if m.name == pod.name][0], "未能访问 Patroni")}。没有发现已知的更深层原因。"
  }
  check = {
    en = "kubectl -n ${try(pod.place.namespace, "NS")} exec ${try(pod.name, "POD")} -c database -- curl -s 127.0.0.1:8009/patroni; the last lines of its log; ls /crunchyadm there."
    zh = "kubectl -n ${try(pod.place.namespace, "NS")} exec ${try(pod.name, "POD")} -c database -- curl -s 127.0.0.1:8009/patroni；再看日志末尾与其中的 ls /crunchyadm。"
  }
  remedy = {
    en = "Wait while it recovers or copies from the primary (the log shows progress). Otherwise follow its log's last ERROR or FATAL; a member that stands still can be made anew from the primary by Patroni's reinitialize."
    zh = "若正在恢复或从主库拷贝（日志有进展），请等待；否则按日志最后的 ERROR/FATAL 处理。卡住的副本可用 Patroni 的 reinitialize 从主库重建。"
  }
}

finding "G-55" {
  title = {
    en = "The kubelet has evicted pods from a node"
    zh = "kubelet 驱逐了节点上的 Pod"
  }
  layer    = "start"
  per      = "node"
  steps    = ["pgo.", "k8s."]
  explains = ["G-38", "G-54", "G-61", "G-66", "G-76", "G-77", "G-88", "G-98", "G-105"]

  fact "evicted" {
    of = "k8s.pod"
    when = self.reason == "Evicted" && self.role != "other" && (
      anytrue([for n in facts.k8s_node : n.name == self.node && length(n.pressures) > 0])
      || (self.place.cluster != "" && !anytrue([for p in facts.k8s_pod : p.place.cluster == self.place.cluster && p.place.namespace == self.place.namespace && p.role == self.role && p.ready]))
    )
    strength = "proof"
  }
  line "event" {
    in       = ["event", "kubelet"]
    match    = "The node (?:was low on resource: (?P<resource>[\\w-]+)|had condition: \\[(?P<condition>\\w+)\\])"
    strength = "hint"
  }

  cause = {
    en = "Pod ${try(evicted.name, "?")} was evicted from node ${try(evicted.node, "?")}: ${try(evicted.message, event.line, "the node was short of a resource")}"
    zh = "Pod ${try(evicted.name, "?")} 被从节点 ${try(evicted.node, "?")} 驱逐：${try(evicted.message, event.line, "节点资源不足")}"
  }
  check = {
    en = "kubectl describe node ${try(evicted.node, "NODE")} | grep -A6 Conditions; df -h and free -m there."
    zh = "kubectl describe node ${try(evicted.node, "NODE")} | grep -A6 Conditions；在该节点 df -h、free -m。"
  }
  remedy = {
    en = "Free what the message names on that node (images: crictl rmi --prune; logs; files in emptyDirs), give the pods requests that are true, and delete the evicted pod, which is only a record."
    zh = "在该节点释放消息中指出的资源（镜像 crictl rmi --prune、日志、emptyDir 文件），为 Pod 设置真实的 requests；被驱逐的 Pod 只是记录，可以删除。"
  }
}
