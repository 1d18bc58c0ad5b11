# Machines that are gone, full, or no longer able to run pods.

finding "A-10" {
  title = {
    en = "A node is lost: its kubelet no longer reports"
    zh = "节点失联：kubelet 已停止上报"
  }
  layer    = "machine"
  per      = "node"
  explains = ["A-12", "A-14", "G-26", "G-38", "G-39", "G-53", "G-54", "G-60", "G-61", "G-64", "G-65", "G-66", "G-72", "G-76", "G-77", "G-78", "G-83", "G-88", "G-98", "G-103", "G-105"]

  fact "node" {
    of       = "k8s.node"
    when     = !self.ready && (self.reason == "NodeStatusUnknown" || strcontains(self.message, "stopped posting node status") || self.heartbeat_age > 120)
    strength = "proof"
  }
  fact "machine" {
    of       = "node.reach"
    when     = !self.reachable && anytrue([for n in facts.k8s_node : n.name == self.place.node && !n.ready])
    strength = "strong"
  }

  cause = {
    en = "Node ${try(node.name, machine.place.node, "?")} has been without a sign of life for ${try(floor(node.ready_age / 60), "some")} minutes${try("; SSH says: ${machine.error}", "")}. ${try(length([for p in facts.k8s_pod : p if p.node == node.name && p.role == "database"]), 0) > 0 ? "Database pods on it: ${join(", ", [for p in facts.k8s_pod : p.name if p.node == node.name && p.role == "database"])}; a pod with a volume that only this node has cannot start elsewhere." : "No database pod is on it."}"
    zh = "节点 ${try(node.name, machine.place.node, "?")} 已失联 ${try(floor(node.ready_age / 60), "若干")} 分钟${try("；SSH 报错：${machine.error}", "")}。${try(length([for p in facts.k8s_pod : p if p.node == node.name && p.role == "database"]), 0) > 0 ? "其上的数据库 Pod：${join("、", [for p in facts.k8s_pod : p.name if p.node == node.name && p.role == "database"])}；使用本节点本地卷的 Pod 无法在别处启动。" : "其上没有数据库 Pod。"}"
  }
  check = {
    en = "Is the machine on (console, ping)? There: systemctl status kubelet; journalctl -u kubelet -n 50; free -m; df -h."
    zh = "机器是否在线（控制台、ping）？登录后：systemctl status kubelet；journalctl -u kubelet -n 50；free -m；df -h。"
  }
  remedy = {
    en = "Bring the machine or its kubelet back. If it will not come back, make sure that it is off, then kubectl delete node ${try(node.name, "NODE")}: only then are its pods made elsewhere. Patroni has elected another leader by itself if a replica was there."
    zh = "恢复机器或 kubelet。若确定无法恢复，先确认已断电，再执行 kubectl delete node ${try(node.name, "NODE")}，其 Pod 才会在别处重建。若有副本，Patroni 会自动选出新主。"
  }
}

finding "A-11" {
  title = {
    en = "No node takes new pods: all are cordoned"
    zh = "所有可用节点都被禁止调度（cordon）"
  }
  layer    = "machine"
  per      = "site"
  steps    = ["pgo.", "k8s."]
  explains = ["G-38", "G-54", "G-61", "G-66", "G-76", "G-77", "G-88", "G-98", "G-105"]
  unless   = waiting == null || anytrue([for n in facts.k8s_node : n.ready && !n.unschedulable && !anytrue([for t in n.taints : can(regex("control-plane|master", t))])])

  fact "cordoned" {
    of       = "k8s.node"
    when     = self.unschedulable
    strength = "proof"
  }
  fact "waiting" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && !self.scheduled && self.role != "other"
    strength = "hint"
  }

  cause = {
    en = "Cordoned nodes: ${join(", ", [for n in facts.k8s_node : n.name if n.unschedulable])}. No other node is ready, so pod ${try(waiting.name, "")} finds no place. Somebody drained them for maintenance and did not take it back."
    zh = "被 cordon 的节点：${join("、", [for n in facts.k8s_node : n.name if n.unschedulable])}。除此之外没有就绪节点，Pod ${try(waiting.name, "")} 无处可去。多半是维护时 drain 之后忘记恢复。"
  }
  check = {
    en = "kubectl get node: SchedulingDisabled."
    zh = "kubectl get node：状态含 SchedulingDisabled。"
  }
  remedy = {
    en = "kubectl uncordon ${try([for n in facts.k8s_node : n.name if n.unschedulable][0], "NODE")}, once the maintenance is over."
    zh = "确认维护结束后：kubectl uncordon ${try([for n in facts.k8s_node : n.name if n.unschedulable][0], "NODE")}。"
  }
}

finding "A-12" {
  title = {
    en = "The container runtime or the kubelet of a node does not run"
    zh = "节点上的容器运行时或 kubelet 未运行"
  }
  layer    = "machine"
  per      = "node"
  explains = ["A-10", "G-20", "G-37", "G-53", "G-54"]

  fact "runtime" {
    of       = "node.runtime"
    when     = (!self.running && self.name != "") || contains(["failed", "inactive"], self.kubelet)
    strength = "proof"
  }
  line "said" {
    in       = ["kubelet"]
    match    = "PLEG is not healthy|container runtime is down|rpc error: code = Unavailable desc = connection error: .{0,60}(?:containerd|dockershim|docker|crio)\\.sock"
    strength = "hint"
  }

  cause = {
    en = "On node ${try(runtime.place.node, "?")} ${try(runtime.running, true) ? "the kubelet is ${try(runtime.kubelet, "not running")}" : "${try(runtime.name, "the container runtime")} does not run"}${try(runtime.error != "" ? ": ${runtime.error}" : "", "")}. What runs there goes on for now; nothing new starts, nothing is looked after."
    zh = "节点 ${try(runtime.place.node, "?")} 上${try(runtime.running, true) ? " kubelet 状态为 ${try(runtime.kubelet, "未运行")}" : "容器运行时 ${try(runtime.name, "")} 未运行"}${try(runtime.error != "" ? "：${runtime.error}" : "", "")}。已有容器暂时还在，但不会有新 Pod 启动，也无人看护。"
  }
  check = {
    en = "systemctl status kubelet containerd docker; journalctl -u kubelet -n 50 on the node. Frequent reasons: swap is on, a full disk, an expired client certificate."
    zh = "在节点上 systemctl status kubelet containerd docker；journalctl -u kubelet -n 50。常见原因：开启了 swap、磁盘满、客户端证书过期。"
  }
  remedy = {
    en = "Remove the cause that its log names, then systemctl restart ${try(runtime.running, true) ? "kubelet" : try(runtime.name, "containerd")}."
    zh = "按日志排除原因后 systemctl restart ${try(runtime.running, true) ? "kubelet" : try(runtime.name, "containerd")}。"
  }
}

finding "A-13" {
  title = {
    en = "A node is short of disk, memory or processes"
    zh = "节点资源告急（磁盘、内存或进程数）"
  }
  layer    = "machine"
  per      = "node"
  explains = ["G-24", "G-38", "G-55"]

  fact "node" {
    of       = "k8s.node"
    when     = length(self.pressures) > 0
    strength = "proof"
  }
  fact "disk" {
    of       = "node.disk"
    when     = length(self.holds) > 0 && self.percent >= 85 && anytrue([for n in facts.k8s_node : n.name == self.place.node && contains(n.pressures, "DiskPressure")])
    strength = "hint"
  }

  cause = {
    en = "Node ${try(node.name, "?")} reports ${try(join(", ", node.pressures), "pressure")}${try(" (${disk.path}: ${disk.percent} % used)", "")}: it takes no new pods, evicts those it has, and removes images that nothing uses."
    zh = "节点 ${try(node.name, "?")} 上报 ${try(join("、", node.pressures), "资源压力")}${try("（${disk.path} 已用 ${disk.percent}%）", "")}：不再接收新 Pod、会驱逐已有 Pod，并删除无人使用的镜像。"
  }
  check = {
    en = "On the node: df -h; df -i; free -m; du -xsh /var/log /var/lib/containerd /var/lib/docker /var/lib/kubelet."
    zh = "在节点上：df -h；df -i；free -m；du -xsh /var/log /var/lib/containerd /var/lib/docker /var/lib/kubelet。"
  }
  remedy = {
    en = "Free the disk (crictl rmi --prune, journalctl --vacuum-size=500M, old archives) or the memory. The condition goes five minutes later; evicted pods are made again, and images that went must be shipped again."
    zh = "清理磁盘（crictl rmi --prune、journalctl --vacuum-size=500M、旧归档）或内存。约五分钟后状态恢复，被驱逐的 Pod 会重建；被删的镜像需重新分发。"
  }
}

finding "A-14" {
  title = {
    en = "The network plugin (CNI) of a node is not ready"
    zh = "节点的网络插件（CNI）未就绪"
  }
  layer    = "machine"
  per      = "node"
  explains = ["G-38", "G-53", "G-54", "G-61", "G-76", "G-78", "G-103", "G-105"]

  fact "node" {
    of       = "k8s.node"
    when     = !self.ready && can(regex("cni plugin not initialized|cni config uninitialized|NetworkPluginNotReady|NetworkReady=false", "${self.reason} ${self.message}"))
    strength = "proof"
  }
  line "said" {
    in       = ["event", "kubelet"]
    match    = "Failed to create pod sandbox: .{0,200}(?:failed to setup network|network: |cni plugin|CNI)(?P<why>.{0,120})"
    strength = "hint"
  }

  cause = {
    en = "Node ${try(node.name, "?")} has a kubelet and no pod network: ${try(node.message, "the CNI plugin is not initialized")}."
    zh = "节点 ${try(node.name, "?")} 的 kubelet 正常但没有 Pod 网络：${try(node.message, "CNI 插件未初始化")}。"
  }
  check = {
    en = "ls /etc/cni/net.d /opt/cni/bin on the node; kubectl -n kube-system get pod -o wide | grep ${try(node.name, "NODE")}."
    zh = "在节点上 ls /etc/cni/net.d /opt/cni/bin；kubectl -n kube-system get pod -o wide | grep ${try(node.name, "NODE")}。"
  }
  remedy = {
    en = "Let the network's own pod (flannel, calico, …) start on this node: mostly its image is missing there. It writes /etc/cni/net.d, and the node becomes ready."
    zh = "先让网络插件自身的 Pod（flannel、calico 等）在该节点启动，多半是它的镜像缺失；它写好 /etc/cni/net.d 后节点即就绪。"
  }
}
