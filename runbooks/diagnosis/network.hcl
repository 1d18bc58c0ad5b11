# Names, paths and services between pods.

finding "G-103" {
  title    = { en = "The cluster's name service does not answer", zh = "集群 DNS 不可用" }
  layer    = "network"
  per      = "site"
  steps    = ["pgo.", "sql.", "backup.", "patroni.", "k8s."]
  explains = ["G-78", "G-80", "G-83", "G-84", "B-04", "B-25", "B-27"]

  fact "down" {
    of       = "k8s.dns"
    when     = self.ready == 0 && self.wants > 0
    strength = "proof"
  }

  fact "failing" {
    of       = "k8s.dns"
    when     = self.error != "" && self.answer == ""
    strength = "strong"
  }

  line "said" {
    in       = ["container", "job", "run"]
    match    = "Temporary failure in name resolution|could not translate host name .(?P<host>[a-zA-Z0-9.-]+). to address|域名解析暂时失败|名称解析暂时失败"
    strength = "strong"
  }

  # The name service is in order: then it is the name that is wrong.
  unless = down == null && failing == null && length(facts.k8s_dns) > 0 && alltrue([for d in facts.k8s_dns : d.ready > 0 && d.error == ""])

  cause = {
    en = "${try("No pod of the cluster's DNS (${down.name}) is ready (0 of ${down.wants})", try("A lookup inside the cluster fails: ${failing.error}", "Pod ${said.place.pod} cannot resolve ${said.host != null ? said.host : "names"}"))}. Everything that connects by name fails: services, pgBackRest of PGO 5, applications."
    zh = "${try("集群 DNS（${down.name}）没有就绪的 Pod（0/${down.wants}）", try("集群内解析失败：${failing.error}", "Pod ${said.place.pod} 无法解析${said.host != null ? " ${said.host}" : "域名"}"))}。所有按名称的连接都会失败：Service、PGO 5 的 pgBackRest、应用程序。"
  }
  check  = { en = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide; kubectl -n kube-system logs -l k8s-app=kube-dns --tail=20; getent hosts kubernetes.default.svc in a pod.", zh = "kubectl -n kube-system get pods -l k8s-app=kube-dns -o wide；kubectl -n kube-system logs -l k8s-app=kube-dns --tail=20；在 Pod 内执行 getent hosts kubernetes.default.svc。" }
  remedy = { en = "Bring CoreDNS back (its image on the nodes, its ConfigMap, its nodes). A loop in its log (“Loop … detected”) comes of a resolv.conf with 127.0.0.1 on the node.", zh = "恢复 CoreDNS（节点上的镜像、ConfigMap、所在节点）。若日志提示 “Loop … detected”，是节点 resolv.conf 指向了 127.0.0.1。" }
}

finding "G-104" {
  title    = { en = "The pods' network carries smaller packets than it promises", zh = "Pod 网络的 MTU 大于底层网络所能承载" }
  layer    = "network"
  per      = "node"
  steps    = ["sql.", "backup.", "pgo.", "patroni.", "image."]
  explains = ["G-63", "G-78", "G-83", "B-04"]

  fact "overlay" {
    of = "node.interface"
    when = self.up && self.mtu > 0 && can(regex("^(flannel|vxlan\\.calico|vxlan-v6\\.calico|tunl)", self.name)) && anytrue([
      for i in facts.node_interface : i.place.node == self.place.node && i.kind == "physical" && i.up && i.address != "" && i.mtu > 0
      ]) && alltrue([
      for i in facts.node_interface : !(i.place.node == self.place.node && i.kind == "physical" && i.up && i.address != "" && i.mtu > 0) || self.mtu > i.mtu - (startswith(self.name, "tunl") ? 20 : 50)
    ])
    strength = "strong"
  }

  line "hang" {
    in       = ["container", "server", "job", "run"]
    match    = "could not (?:receive|send) data (?:from|to) (?:client|server|the primary)?.{0,20}: (?:Connection timed out|连接超时)|SSL SYSCALL error: (?:Connection timed out|EOF detected)|remote process .{0,60} timed out"
    strength = "hint"
    past     = true
  }

  cause = {
    en = "On ${overlay.place.node} ${overlay.name} has an MTU of ${overlay.mtu}, and the network under it carries ${max([for i in facts.node_interface : i.mtu if i.place.node == overlay.place.node && i.kind == "physical" && i.up && i.address != ""]...)} with the tunnel's header of ${startswith(overlay.name, "tunl") ? 20 : 50} bytes included. Small queries pass; large answers, COPY, base backups and TLS hang without an error."
    zh = "${overlay.place.node} 上 ${overlay.name} 的 MTU 为 ${overlay.mtu}，而底层网络含隧道头（${startswith(overlay.name, "tunl") ? 20 : 50} 字节）只能承载 ${max([for i in facts.node_interface : i.mtu if i.place.node == overlay.place.node && i.kind == "physical" && i.up && i.address != ""]...)}。小查询正常，大结果集、COPY、基础备份和 TLS 会无报错地卡住。"
  }
  check  = { en = "From one node to a pod on another: ping -M do -s ${overlay.mtu - 28} POD_IP; it must fail here, and pass with 100 bytes less.", zh = "从一个节点 ping 另一节点上的 Pod：ping -M do -s ${overlay.mtu - 28} POD_IP；此处应失败，减小 100 字节后应成功。" }
  remedy = { en = "Set the CNI's MTU to the physical one minus 50 (VXLAN) or 20 (IPIP), the same on all nodes (flannel: net-conf.json; Calico: veth_mtu or FelixConfiguration), then restart the CNI's pods and, one by one, the database pods.", zh = "把 CNI 的 MTU 设为物理网卡 MTU 减 50（VXLAN）或 20（IPIP），所有节点一致（flannel：net-conf.json；Calico：veth_mtu 或 FelixConfiguration），然后重启 CNI 的 Pod，并逐个重启数据库 Pod。" }
}

finding "G-105" {
  title = { en = "The cluster's service leads nowhere, though its primary runs", zh = "集群 Service 没有后端，而主节点在运行" }
  layer = "service"
  per   = "cluster"
  steps = ["sql.", "pgo.", "k8s."]

  fact "empty" {
    of = "k8s.service"
    when = self.database && self.ready == 0 && contains([self.place.cluster, "${self.place.cluster}-ha", "${self.place.cluster}-primary"], self.name) && anytrue([
      for p in facts.k8s_pod : p.role == "database" && p.ready && p.ready_age > 60 && p.place.cluster == self.place.cluster && p.place.namespace == self.place.namespace && anytrue([
        for c in facts.patroni_cluster : c.leader == p.name && c.place.cluster == p.place.cluster && c.place.namespace == p.place.namespace
      ])
    ])
    strength = "strong"
  }

  line "vantage" {
    in       = ["run"]
    match    = "(?:service|ClusterIP).{0,80}(?:connection refused|i/o timeout|no route to host)"
    strength = "hint"
  }

  cause = {
    en = "Service ${empty.name} (${empty.cluster_ip}) has no endpoint, while ${one([for c in facts.patroni_cluster : c.leader if c.place.cluster == empty.place.cluster && c.place.namespace == empty.place.namespace])} leads and is ready: its selector (${join(", ", [for k, v in empty.selector : "${k}=${v}"])}) fits no pod. Logging in to the pod's address works, to the service's it does not."
    zh = "Service ${empty.name}（${empty.cluster_ip}）没有后端，而主节点 ${one([for c in facts.patroni_cluster : c.leader if c.place.cluster == empty.place.cluster && c.place.namespace == empty.place.namespace])} 已就绪：其选择器（${join(", ", [for k, v in empty.selector : "${k}=${v}"])}）匹配不到任何 Pod。用 Pod 地址可以登录，用 Service 地址不行。"
  }
  check  = { en = "kubectl -n ${empty.place.namespace} get endpoints ${empty.name}; kubectl -n ${empty.place.namespace} get pods --show-labels -l pg-cluster=${empty.place.cluster}", zh = "kubectl -n ${empty.place.namespace} get endpoints ${empty.name}；kubectl -n ${empty.place.namespace} get pods --show-labels -l pg-cluster=${empty.place.cluster}" }
  remedy = { en = "Make selector and labels meet: PGO 4's service selects pg-cluster=${empty.place.cluster},role=master. A changed service is set right by k8s.apply or by the operator; the role label is Patroni's business (its right to patch pods).", zh = "让选择器与标签一致：PGO 4 的 Service 选择 pg-cluster=${empty.place.cluster},role=master。Service 被改动时用 k8s.apply 或 operator 恢复；角色标签由 Patroni 维护（检查其 patch pods 权限）。" }
}

finding "B-22" {
  title = { en = "The Kubernetes API server cannot be reached from here", zh = "从本机无法访问 Kubernetes API server" }
  layer = "access"
  per   = "site"
  steps = ["k8s.", "pgo.", "patroni."]

  fact "server" {
    of       = "k8s.apiserver"
    when     = self.millis == 0 && can(regex("connection refused|no such host|i/o timeout|no route to host|deadline exceeded|[Uu]nauthorized|asked for the client to provide credentials|EOF", self.error))
    strength = "strong"
  }

  cause  = { en = "${server.name}: ${server.error}. Nothing of Kubernetes could be looked at.", zh = "${server.name}：${server.error}。因此无法查看 Kubernetes 中的任何对象。" }
  check  = { en = "kubectl --kubeconfig FILE get --raw /readyz; is it the right kubeconfig, and the machine it names up?", zh = "kubectl --kubeconfig 文件 get --raw /readyz；确认 kubeconfig 是否正确、其中的服务器是否在线。" }
  remedy = { en = "Correct the kubeconfig (server, credentials), or bring the control plane up: on its node, crictl ps -a | grep kube-apiserver and its log, then etcd.", zh = "修正 kubeconfig（地址、凭据），或恢复控制面：在控制节点上 crictl ps -a | grep kube-apiserver 并查看日志，再查 etcd。" }
}
