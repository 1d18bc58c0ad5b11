# Shared memory, huge pages and semaphores.

finding "G-49" {
  title = {
    en = "Huge pages are configured on the node, and the pod may not use them"
    zh = "节点配置了大页，但 Pod 没有大页配额（Bus error）"
  }
  layer    = "initdb"
  per      = "pod"
  steps    = ["pgo."]
  explains = ["G-43", "G-44", "G-54", "G-61", "G-66", "G-77", "G-88", "G-98", "G-105"]

  line "said" {
    in    = ["container"]
    match = "Bus error(?: \\(core dumped\\))?|总线错误|terminated by signal 7|被信号 *7 *(?:中断|终止)|exit(?:ed with)? (?:code|status) 135"
  }
  fact "ended" {
    of       = "k8s.container"
    when     = self.place.container == "database" && !self.ready && (self.last_exit == 135 || self.exit_code == 135)
    strength = "strong"
  }
  fact "memory" {
    of       = "node.memory"
    when     = self.huge_pages > 0 && anytrue([for p in facts.k8s_pod : p.role == "database" && !p.ready && p.node == self.place.node])
    strength = "hint"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "The server was stopped by a bus error (signal 7) when it touched its shared memory. ${try("Node ${memory.place.node} has ${memory.huge_pages} huge pages", "The node seems to have huge pages")}: huge_pages = try takes them, and the pod's limit for them is 0."
    zh = "服务器访问共享内存时收到总线错误（信号 7）。${try("节点 ${memory.place.node} 配置了 ${memory.huge_pages} 个大页", "节点似乎配置了大页")}：huge_pages = try 会去使用它们，而 Pod 的大页限额为 0。"
  }
  check = {
    en = "grep -i hugepages /proc/meminfo on the node; resources.limits of the pod."
    zh = "在节点上 grep -i hugepages /proc/meminfo；查看 Pod 的 resources.limits。"
  }
  remedy = {
    en = "Give the pod hugepages-2Mi in its limits, or set huge_pages: \"off\" in the cluster's configuration before it is made (initdb tests with huge pages, too: for it, sysctl vm.nr_hugepages=0 on the node helps at once)."
    zh = "在 Pod 的 limits 中加 hugepages-2Mi，或在创建集群前把配置设为 huge_pages: \"off\"（initdb 也会探测大页，此时在节点执行 sysctl vm.nr_hugepages=0 可立即见效）。"
  }
}

finding "G-50" {
  title = {
    en = "/dev/shm of the pod is too small for parallel queries"
    zh = "Pod 的 /dev/shm 太小，并行查询失败"
  }
  layer  = "postmaster"
  per    = "pod"
  steps  = ["sql."]
  unless = said == null || (shm == null && step == null)

  line "said" {
    in    = ["container", "server"]
    match = "(?:could not resize shared memory segment|无法重新设置共享内存段) *\"(?P<segment>[^\"]+)\" *(?:to|的大小为) *(?P<bytes>\\d+) *(?:bytes|字节)[:：] (?:No space left on device|设备上没有空间)"
    past  = true
  }
  fact "shm" {
    of       = "pg.data"
    when     = self.shm > 0 && self.shm <= 67108864
    strength = "hint"
  }
  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("could not resize shared memory segment|无法重新设置共享内存段", self.error))
  }

  cause = {
    en = "A parallel query wanted ${try(floor(said.bytes / 1048576), "more")} MiB of shared memory, and /dev/shm of pod ${try(said.place.pod, "")} has ${try(floor(shm.shm / 1048576), 64)} MiB: containers get 64 MiB unless a memory-backed emptyDir is mounted there. The statement fails; the server goes on."
    zh = "并行查询需要 ${try(floor(said.bytes / 1048576), "更多")} MiB 共享内存，而 Pod ${try(said.place.pod, "")} 的 /dev/shm 只剩 ${try(floor(shm.shm / 1048576), 64)} MiB：容器默认 64 MiB，除非挂载了内存型 emptyDir。语句报错，服务器继续运行。"
  }
  check = {
    en = "kubectl exec in the pod: df -h /dev/shm"
    zh = "在 Pod 内执行 df -h /dev/shm"
  }
  remedy = {
    en = "max_parallel_workers_per_gather = 0 (a step patroni.config, no restart) stops it at once. For good: mount an emptyDir with medium: Memory on /dev/shm, or use dynamic_shared_memory_type = mmap."
    zh = "max_parallel_workers_per_gather = 0（patroni.config 步骤，无需重启）可立即止血。根治：在 /dev/shm 挂载 medium: Memory 的 emptyDir，或使用 dynamic_shared_memory_type = mmap。"
  }
}

finding "G-51" {
  title = {
    en = "The server gets no shared memory or semaphores from the kernel"
    zh = "服务器无法从内核获得共享内存或信号量"
  }
  layer    = "postmaster"
  per      = "pod"
  steps    = ["pgo.", "patroni."]
  explains = ["G-43", "G-54", "G-61", "G-66", "G-72", "G-77", "G-88", "G-98", "G-105"]

  line "said" {
    in       = ["container", "server"]
    match    = "(?P<memory>could not map anonymous shared memory|无法映射匿名共享内存)[:：] (?:Cannot allocate memory|无法分配内存)|(?P<segment>could not create shared memory segment|无法创建共享内存段)[:：] (?:Cannot allocate memory|No space left on device|Invalid argument|无法分配内存|设备上没有空间|无效的参数)|(?P<semaphores>could not create semaphores|无法创建信号量)[:：] (?:No space left on device|设备上没有空间)"
    strength = "proof"
  }
  fact "memory" {
    of       = "node.memory"
    when     = anytrue([for p in facts.k8s_pod : p.role == "database" && !p.ready && p.node == self.place.node])
    strength = "hint"
  }
  # What once could not start and is up now has been mended.
  unless = place.pod != "" && anytrue([for p in facts.k8s_pod : p.name == place.pod && p.ready])

  cause = {
    en = "${try(compact([said.semaphores])[0], "") != "" ? "The kernel has no semaphores left (kernel.sem = ${try(memory.sem, "?")}): each server takes them by its max_connections." : "shared_buffers, or another shared area, asks for more than the container or the node can give${try(" (node ${memory.place.node}: ${floor(memory.available / 1048576)} of ${floor(memory.total / 1048576)} MiB available)", "")}."}"
    zh = "${try(compact([said.semaphores])[0], "") != "" ? "内核信号量已用尽（kernel.sem = ${try(memory.sem, "?")}）：每个实例按 max_connections 占用信号量。" : "shared_buffers 等共享区超出容器或节点能提供的内存${try("（节点 ${memory.place.node}：共 ${floor(memory.total / 1048576)} MiB，可用 ${floor(memory.available / 1048576)} MiB）", "")}。"}"
  }
  check = {
    en = "The HINT below the line; ipcs -ls and sysctl kernel.sem on the node; limits of the pod."
    zh = "查看该行下方的 HINT；在节点 ipcs -ls、sysctl kernel.sem；Pod 的 limits。"
  }
  remedy = {
    en = "Memory: lower shared_buffers in the cluster's configuration (its server does not run: edit the ConfigMap CLUSTER-config or CLUSTER-pgha-config), or raise the pod's limit. Semaphores: sysctl -w kernel.sem=\"250 256000 100 1024\" on the node, and in /etc/sysctl.d."
    zh = "内存：在集群配置中调低 shared_buffers（服务器未运行时编辑 ConfigMap 集群名-config 或 集群名-pgha-config），或调高 Pod 限额。信号量：在节点执行 sysctl -w kernel.sem=\"250 256000 100 1024\" 并写入 /etc/sysctl.d。"
  }
}
