# Pods that find no node, and pods that may not be made at all.

finding "G-38" {
  title = {
    en = "No node can take the pod"
    zh = "没有节点能接收该 Pod"
  }
  layer    = "schedule"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-54", "G-61", "G-65", "G-66", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105", "G-106"]

  fact "pod" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && !self.scheduled && self.role != "other" && self.age > 20 && can(regex("nodes are available|Insufficient|taint|didn't match|affinity|didn't have free ports|were unschedulable", self.scheduling)) && !can(regex("unbound immediate PersistentVolumeClaims|didn't find available persistent volumes|persistentvolumeclaim .* not found", self.scheduling))
    strength = "proof"
  }
  line "event" {
    in       = ["event"]
    match    = "FailedScheduling .{0,80}?(?P<counts>\\d+/\\d+ nodes are available: .{0,300})"
    strength = "hint"
  }

  cause = {
    en = "Pod ${try(pod.name, "?")} has waited ${try(floor(pod.age / 60), 0)} minutes for a node. The scheduler says: ${try(pod.scheduling, event.counts, "none fits")}"
    zh = "Pod ${try(pod.name, "?")} 已等待调度 ${try(floor(pod.age / 60), 0)} 分钟。调度器的说明：${try(pod.scheduling, event.counts, "没有合适的节点")}"
  }
  check = {
    en = "kubectl describe node | grep -A8 'Allocated resources'; kubectl get node --show-labels; taints: kubectl get node -o jsonpath='{..taints}'"
    zh = "kubectl describe node | grep -A8 'Allocated resources'；kubectl get node --show-labels；污点：kubectl get node -o jsonpath='{..taints}'"
  }
  remedy = {
    en = join(" ", compact([
      "Take the biggest of these numbers first.",
      can(regex("Insufficient (cpu|memory|ephemeral-storage|hugepages)", try(pod.scheduling, ""))) ? "Insufficient: lower the requests of the cluster, or free a node; what counts is what pods request, not what they use." : "",
      can(regex("didn't match (Pod's |pod )?(node selector|node affinity)|node affinity/selector", try(pod.scheduling, ""))) ? "Selector: kubectl label node NODE KEY=VALUE as the pod wants it, or correct the node label of the cluster." : "",
      can(regex("taint", try(pod.scheduling, ""))) ? "Taints: kubectl taint node NODE KEY- where the taint is stale; not-ready and unreachable taints go with their node's trouble." : "",
      can(regex("volume node affinity conflict", try(pod.scheduling, ""))) ? "Volume: its data lies on one node, and that one is excluded by the other reasons; bring that node back, for no other can serve it." : "",
      can(regex("anti-affinity|pod affinity", try(pod.scheduling, ""))) ? "Anti-affinity: more instances than nodes; add a node, or set the anti-affinity to preferred." : "",
      can(regex("unschedulable", try(pod.scheduling, ""))) ? "Unschedulable: kubectl uncordon the node." : "",
      can(regex("free ports", try(pod.scheduling, ""))) ? "Ports: another pod holds the hostPort on each node." : "",
    ]))
    zh = join("", compact([
      "先处理数字最大的一项。",
      can(regex("Insufficient (cpu|memory|ephemeral-storage|hugepages)", try(pod.scheduling, ""))) ? "Insufficient：降低集群的 requests 或腾出节点；计算依据是 Pod 的请求量而非实际用量。" : "",
      can(regex("didn't match (Pod's |pod )?(node selector|node affinity)|node affinity/selector", try(pod.scheduling, ""))) ? "选择器：按 Pod 要求 kubectl label node 节点 键=值，或修正集群的节点标签。" : "",
      can(regex("taint", try(pod.scheduling, ""))) ? "污点：过期的用 kubectl taint node 节点 键- 去掉；not-ready、unreachable 污点会随节点恢复自动消失。" : "",
      can(regex("volume node affinity conflict", try(pod.scheduling, ""))) ? "卷：数据只在某一节点上，而该节点被其他原因排除；须恢复该节点，别的节点无法替代。" : "",
      can(regex("anti-affinity|pod affinity", try(pod.scheduling, ""))) ? "反亲和：实例数多于节点数；增加节点，或把反亲和改为 preferred。" : "",
      can(regex("unschedulable", try(pod.scheduling, ""))) ? "不可调度：kubectl uncordon 该节点。" : "",
      can(regex("free ports", try(pod.scheduling, ""))) ? "端口：各节点的 hostPort 已被其他 Pod 占用。" : "",
    ]))
  }
}

finding "G-56" {
  title = {
    en = "Kubernetes refuses to make the pod: service account, policy or webhook"
    zh = "Kubernetes 拒绝创建 Pod：服务账号、安全策略或 webhook"
  }
  layer    = "schedule"
  per      = "cluster"
  steps    = ["pgo.", "k8s."]
  explains = ["G-54", "G-61", "G-66", "G-76", "G-77", "G-88", "G-98", "G-105", "G-106"]

  fact "workload" {
    of       = "k8s.workload"
    when     = self.failure != "" && self.wants > self.has && !can(regex("exceeded quota|failed quota|LimitRange|(maximum|minimum) (cpu|memory|storage)", self.failure))
    strength = "proof"
  }
  fact "account" {
    of       = "k8s.access"
    when     = self.who != "" && !self.exists
    strength = "hint"
  }
  line "event" {
    in       = ["event"]
    match    = "FailedCreate .{0,120}?(?P<why>pods \"[^\"]*\" is forbidden: (?:error looking up|violates|unable to validate|User)[^\n]{0,240}|error looking up service account .{0,160}|admission webhook .{0,240})"
    strength = "hint"
  }

  cause = {
    en = "${try(workload.type, "The controller")} ${try(workload.name, "")} wants ${try(workload.wants, 1)} and gets none made: ${try(workload.failure, event.why, "it is forbidden")}"
    zh = "${try(workload.type, "控制器")} ${try(workload.name, "")} 需要 ${try(workload.wants, 1)} 个 Pod，但创建被拒：${try(workload.failure, event.why, "forbidden")}"
  }
  check = {
    en = "kubectl -n ${try(workload.place.namespace, "NS")} describe ${try(lower(workload.type), "rs")} ${try(workload.name, "")}; kubectl -n ${try(workload.place.namespace, "NS")} get sa,quota,limitrange"
    zh = "kubectl -n ${try(workload.place.namespace, "NS")} describe ${try(lower(workload.type), "rs")} ${try(workload.name, "")}；kubectl -n ${try(workload.place.namespace, "NS")} get sa,quota,limitrange"
  }
  remedy = {
    en = (
      can(regex("(?i)serviceaccount \"?\\S+ not found|service account", try(workload.failure, event.why, ""))) ? "The namespace was not set up by the operator: pgo update namespace ${try(workload.place.namespace, "NS")} (PGO 4), or install its RBAC there." :
      can(regex("PodSecurity|security policy|SecurityContextConstraint|security context constraint", try(workload.failure, event.why, ""))) ? "Let the namespace run the operator's pods: kubectl label ns ${try(workload.place.namespace, "NS")} pod-security.kubernetes.io/enforce=baseline --overwrite, or grant the SCC or PSP to its service accounts." :
      can(regex("webhook", try(workload.failure, event.why, ""))) ? "An admission webhook says no, or does not answer: look at its service's pods, or at the rule it names." :
      "Correct what the message names; the controller tries again by itself."
    )
    zh = (
      can(regex("(?i)serviceaccount \"?\\S+ not found|service account", try(workload.failure, event.why, ""))) ? "该命名空间未由 Operator 初始化：pgo update namespace ${try(workload.place.namespace, "NS")}（PGO 4），或在其中安装 RBAC。" :
      can(regex("PodSecurity|security policy|SecurityContextConstraint|security context constraint", try(workload.failure, event.why, ""))) ? "放行该命名空间：kubectl label ns ${try(workload.place.namespace, "NS")} pod-security.kubernetes.io/enforce=baseline --overwrite，或把 SCC/PSP 授予其服务账号。" :
      can(regex("webhook", try(workload.failure, event.why, ""))) ? "准入 webhook 拒绝或无响应：检查其服务背后的 Pod，或它指出的规则。" :
      "按消息内容修正，控制器会自动重试。"
    )
  }
}

finding "G-56b" {
  title = {
    en = "The quota of the namespace is used up: no pod is made"
    zh = "命名空间配额已用尽，无法创建 Pod"
  }
  layer    = "schedule"
  per      = "cluster"
  steps    = ["pgo.", "k8s."]
  explains = ["G-54", "G-61", "G-66", "G-76", "G-77", "G-88", "G-98", "G-105", "G-106"]

  fact "workload" {
    of       = "k8s.workload"
    when     = self.failure != "" && self.wants > self.has && can(regex("exceeded quota|failed quota|LimitRange|(maximum|minimum) (cpu|memory|storage)", self.failure))
    strength = "proof"
  }
  fact "quota" {
    of       = "k8s.quota"
    when     = self.full
    strength = "hint"
  }
  line "event" {
    in       = ["event"]
    match    = "FailedCreate .{0,200}?(?P<why>(?:exceeded|failed) quota: .{0,240})"
    strength = "hint"
  }

  cause = {
    en = "${try(workload.type, "The controller")} ${try(workload.name, "")} wants ${try(workload.wants, 1)} and has ${try(workload.has, 0)}: ${try(workload.failure, event.why, "exceeded quota")}"
    zh = "${try(workload.type, "控制器")} ${try(workload.name, "")} 需要 ${try(workload.wants, 1)} 个 Pod，现有 ${try(workload.has, 0)} 个：${try(workload.failure, event.why, "exceeded quota")}"
  }
  check = {
    en = "kubectl -n ${try(workload.place.namespace, "NS")} describe quota,limitrange"
    zh = "kubectl -n ${try(workload.place.namespace, "NS")} describe quota,limitrange"
  }
  remedy = {
    en = "Raise the ResourceQuota or LimitRange, remove what is no longer needed, or lower the cluster's requests. A quota counts what pods request, and refuses those that request nothing of what it limits. The controller tries again by itself."
    zh = "调高 ResourceQuota 或 LimitRange、清理无用对象，或降低集群的 requests。配额按请求量计算，未声明受限资源的 Pod 也会被拒。控制器会自动重试。"
  }
}
