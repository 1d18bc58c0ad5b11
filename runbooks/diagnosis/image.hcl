# Images that pods cannot start from: missing on a node, refused by a registry,
# misspelt, stale, or taken away again.

finding "G-20" {
  title = {
    en = "The image is missing on the node, and cannot be pulled"
    zh = "节点上没有该镜像，且无法拉取"
  }
  layer    = "image"
  per      = "pod"
  steps    = ["pgo.", "k8s.", "image."]
  explains = ["G-54", "G-61", "G-66", "G-72", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]

  fact "pull" {
    of = "k8s.container"
    when = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"], self.reason) && !can(regex("^(collect|pgbadger|exporter)$", self.place.container)) && anytrue([
      for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && !contains(["other", "operator"], p.role) && !strcontains(p.name, "-rmdata-")
    ])
    strength = "proof"
  }
  fact "elsewhere" {
    of = "node.image"
    when = self.ref != "" && anytrue([
      for c in facts.k8s_container : contains(["ErrImagePull", "ImagePullBackOff"], c.reason) && c.place.node == self.place.node
      && trimprefix(trimprefix(self.ref, "docker.io/"), "library/") == trimprefix(trimprefix(c.image, "docker.io/"), "library/")
    ])
    strength = "hint"
  }
  line "event" {
    in       = ["event", "kubelet", "run"]
    match    = "Failed to pull image \"(?P<image>[^\"]+)\": (?P<why>.{0,400})"
    strength = "hint"
  }

  cause = {
    en = "Node ${try(pull.place.node, "?")} has no image ${try(pull.image, event.image, "of that name")}, and pulling it fails${try(": ${regexreplace(compact([event.why])[0], " \\(x[0-9]+\\)\\s*$", "")}", "")}.${length([for i in try(facts.node_image, []) : i if trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(try(pull.image, "-"), "docker.io/"), "library/") && i.place.node != try(pull.place.node, "")]) > 0 ? " Other nodes have it: ${join(", ", distinct([for i in facts.node_image : i.place.node if trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(try(pull.image, "-"), "docker.io/"), "library/")]))}." : ""}"
    zh = "节点 ${try(pull.place.node, "?")} 上没有镜像 ${try(pull.image, event.image, "")}，拉取也失败${try("：${regexreplace(compact([event.why])[0], " \\(x[0-9]+\\)\\s*$", "")}", "")}。${length([for i in try(facts.node_image, []) : i if trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(try(pull.image, "-"), "docker.io/"), "library/") && i.place.node != try(pull.place.node, "")]) > 0 ? "其他节点上有：${join("、", distinct([for i in facts.node_image : i.place.node if trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(try(pull.image, "-"), "docker.io/"), "library/")]))}。" : ""}"
  }
  check = {
    en = "On node ${try(pull.place.node, "NODE")}: crictl images | grep ${try(split(":", pull.image)[0], "antdb")}. The name must be the same to the letter, prefix and tag included."
    zh = "在节点 ${try(pull.place.node, "NODE")} 上执行：crictl images | grep ${try(split(":", pull.image)[0], "antdb")}。名称须逐字一致，包括前缀和标签。"
  }
  remedy = {
    en = "Bring the image to every node on which a pod of the cluster may start, not to this one alone (a step image.ship on the targets of k8s.nodes). The kubelet tries again by itself, within five minutes; deleting the pod makes it try at once."
    zh = "把镜像分发到所有可能调度到该集群 Pod 的节点，而不只是这一台（image.ship，目标用 k8s.nodes 的输出）。kubelet 最多五分钟内会自动重试；删除该 Pod 可立即重试。"
  }
  fix {
    runbook = "fixes/image-missing.hcl"
    vars = {
      image       = try(pull.image, "")
      namespace   = try(pull.place.namespace, "")
      at          = try(pull.place.node, "")
      source_node = try([for i in facts.node_image : i.place.node if i.place.node != pull.place.node && trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(pull.image, "docker.io/"), "library/")][0], "")
    }
  }
}

finding "G-21" {
  title = {
    en = "The image is missing on the node, and the pod must not pull it"
    zh = "节点上没有该镜像，且拉取策略为 Never"
  }
  layer    = "image"
  per      = "pod"
  steps    = ["pgo.", "k8s.", "image."]
  explains = ["G-54", "G-61", "G-66", "G-72", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]

  fact "never" {
    of       = "k8s.container"
    when     = self.state == "waiting" && self.reason == "ErrImageNeverPull" && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"])
    strength = "proof"
  }
  line "event" {
    in       = ["event", "kubelet"]
    match    = "Container image \"(?P<image>[^\"]+)\" is not present with pull policy of Never"
    strength = "hint"
  }

  cause = {
    en = "Node ${try(never.place.node, "?")} has no image ${try(never.image, event.image, "of that name")}, and the container's imagePullPolicy is Never."
    zh = "节点 ${try(never.place.node, "?")} 上没有镜像 ${try(never.image, event.image, "")}，而容器的 imagePullPolicy 为 Never。"
  }
  check = {
    en = "crictl images on node ${try(never.place.node, "NODE")}."
    zh = "在节点 ${try(never.place.node, "NODE")} 上执行 crictl images。"
  }
  remedy = {
    en = "Bring the image to every node on which the pod may start (a step image.ship). The kubelet looks again by itself."
    zh = "用 image.ship 把镜像分发到所有可能调度到的节点，kubelet 会自动重新检查。"
  }
  fix {
    runbook = "fixes/image-missing.hcl"
    vars = {
      image       = try(never.image, "")
      namespace   = try(never.place.namespace, "")
      at          = try(never.place.node, "")
      source_node = try([for i in facts.node_image : i.place.node if i.place.node != never.place.node && trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(never.image, "docker.io/"), "library/")][0], "")
    }
  }
}

finding "A-01" {
  title = {
    en = "The pull policy is Always, though the node has the image"
    zh = "节点上已有镜像，但拉取策略为 Always"
  }
  layer    = "image"
  per      = "pod"
  steps    = ["pgo.", "k8s.", "image."]
  explains = ["G-20", "G-54", "G-61", "G-66", "G-72", "G-76", "G-77", "G-78", "G-88", "G-98", "G-102", "G-105", "G-109"]

  fact "pull" {
    of = "k8s.container"
    when = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff", "RegistryUnavailable"], self.reason) && self.pull_policy == "Always" && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"]) && (anytrue([
      for i in facts.node_image : i.place.node == self.place.node
      && trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(self.image, "docker.io/"), "library/")
      && anytrue([for n in facts.k8s_node : n.name == i.place.node && (n.runtime == "" || startswith(n.runtime, trimprefix(i.runtime, "cri-")) || startswith(n.runtime, "cri-o"))])
      ]) || anytrue([
      for n in facts.k8s_node : n.name == self.place.node && anytrue([
        for i in n.images : trimprefix(trimprefix(i, "docker.io/"), "library/") == trimprefix(trimprefix(self.image, "docker.io/"), "library/")
      ])
    ]))
    strength = "proof"
  }

  cause = {
    en = "Node ${try(pull.place.node, "?")} has ${try(pull.image, "the image")}, but the container's imagePullPolicy is Always, so the kubelet asks a registry all the same, and that fails. Kubernetes sets Always by itself where the tag is latest or left out, and the admission AlwaysPullImages sets it everywhere."
    zh = "节点 ${try(pull.place.node, "?")} 上已有 ${try(pull.image, "该镜像")}，但容器的 imagePullPolicy 是 Always，kubelet 仍会访问镜像仓库并失败。标签为 latest 或省略时 Kubernetes 默认使用 Always；准入插件 AlwaysPullImages 会强制所有 Pod 使用 Always。"
  }
  check = {
    en = "kubectl -n ${try(pull.place.namespace, "NS")} get pod ${try(pull.place.pod, "POD")} -o jsonpath='{.spec.containers[*].imagePullPolicy}'"
    zh = "kubectl -n ${try(pull.place.namespace, "NS")} get pod ${try(pull.place.pod, "POD")} -o jsonpath='{.spec.containers[*].imagePullPolicy}'"
  }
  remedy = {
    en = "Give the image a tag of its own (not latest), or set imagePullPolicy to IfNotPresent where the pod is made: its Deployment, or spec.imagePullPolicy of the PostgresCluster. If AlwaysPullImages is on, only a registry that the nodes reach will help."
    zh = "给镜像一个唯一标签（不要用 latest），或在创建 Pod 的对象上把 imagePullPolicy 设为 IfNotPresent：Deployment，或 PostgresCluster 的 spec.imagePullPolicy。若启用了 AlwaysPullImages，则只能使用节点可达的镜像仓库。"
  }
  fix {
    runbook = "fixes/pull-policy.hcl"
    vars = {
      namespace  = try(pull.place.namespace, "")
      cluster    = try(pull.place.cluster, "")
      generation = try([for c in facts.pgo_cluster : c.generation if c.name == pull.place.cluster][0], "4")
      container  = try(pull.place.container, "database")
      deployment = try([for p in facts.k8s_pod : regexreplace(trimprefix(p.owner, "ReplicaSet/"), "-[a-z0-9]{5,10}$", "") if p.name == pull.place.pod && startswith(p.owner, "ReplicaSet/")][0], "")
    }
  }
}

finding "A-02" {
  title = {
    en = "The registry has no image of this name and tag"
    zh = "镜像仓库中没有这个名称或标签"
  }
  layer    = "image"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-20", "G-102", "G-109"]
  unless   = pull == null

  fact "pull" {
    of       = "k8s.container"
    when     = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff"], self.reason) && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"])
    strength = "hint"
  }
  fact "told" {
    of       = "k8s.container"
    when     = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff"], self.reason) && can(regex("manifest unknown|manifest for .* not found|code = NotFound .*: not found|no matching manifest", self.message)) && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"])
    strength = "proof"
  }
  line "said" {
    in    = ["event", "kubelet"]
    match = "Failed to pull image \"(?P<image>[^\"]+)\": .{0,300}?(?:manifest unknown|manifest for \\S+ not found|: not found|no matching manifest for (?P<platform>\\S+))"
  }

  cause = {
    en = "The registry answers, and has no ${try(told.image, said.image, "such image")}${try(" for ${compact([said.platform])[0]}", "")}: the tag is misspelt, was never pushed, or was pushed for another architecture."
    zh = "镜像仓库有响应，但没有 ${try(told.image, said.image, "该镜像")}${try("（平台 ${compact([said.platform])[0]}）", "")}：标签写错、从未推送，或只推送了其他架构。"
  }
  check = {
    en = "skopeo inspect docker://${try(told.image, said.image, "IMAGE")}, or the tag list in the registry's own console."
    zh = "skopeo inspect docker://${try(told.image, said.image, "IMAGE")}，或在仓库控制台查看标签列表。"
  }
  remedy = {
    en = "Push the image under this very name, or bring it to the nodes by image.ship, or correct the image of the cluster."
    zh = "以完全相同的名称推送镜像，或用 image.ship 直接分发到节点，或修正集群配置里的镜像名。"
  }
}

finding "A-03" {
  title = {
    en = "The node does not trust the registry, or is refused by it"
    zh = "节点不信任镜像仓库的证书，或被仓库拒绝"
  }
  layer    = "image"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-20", "G-102", "G-109"]
  unless   = pull == null

  fact "pull" {
    of       = "k8s.container"
    when     = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff"], self.reason) && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"])
    strength = "hint"
  }
  line "said" {
    in    = ["event", "kubelet", "runtime"]
    match = "(?:Failed to pull image|failed to pull and unpack image|PullImage) .{0,400}?(?P<why>x509: [^\"\\n]{1,120}|http: server gave HTTP response to HTTPS client|401 Unauthorized|no basic auth credentials|403 Forbidden|toomanyrequests|429 Too Many Requests)"
  }

  cause = {
    en = "Node ${try(pull.place.node, "?")} reaches the registry of ${try(pull.image, "the image")} and gets no image: ${regexreplace(try(said.why, "it is refused"), " \\(x[0-9]+\\)\\s*$", "")}."
    zh = "节点 ${try(pull.place.node, "?")} 能连到 ${try(pull.image, "该镜像")} 所在仓库，但取不到镜像：${regexreplace(try(said.why, "被拒绝"), " \\(x[0-9]+\\)\\s*$", "")}。"
  }
  check = {
    en = "crictl pull ${try(pull.image, "IMAGE")} on the node."
    zh = "在节点上 crictl pull ${try(pull.image, "IMAGE")}。"
  }
  remedy = {
    en = "x509: put the registry's CA under /etc/containerd/certs.d/HOST/ (or /etc/docker/certs.d/HOST/ca.crt). HTTP: declare it as plain in hosts.toml or insecure-registries. 401, 403, 429: an imagePullSecret in the namespace. Or bring the image by image.ship, which needs no registry."
    zh = "x509：把仓库 CA 放到 /etc/containerd/certs.d/主机/（或 /etc/docker/certs.d/主机/ca.crt）；HTTP：在 hosts.toml 或 insecure-registries 中声明为明文；401/403/429：在命名空间里配置 imagePullSecret。也可以用 image.ship 直接分发，完全不需要仓库。"
  }
}

finding "A-04" {
  title = {
    en = "The runtime cannot get its pause image"
    zh = "容器运行时拉不到 pause（sandbox）镜像"
  }
  layer    = "image"
  per      = "node"
  steps    = ["pgo.", "k8s."]
  explains = ["G-20", "G-53", "G-54", "G-61", "G-66", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]
  unless   = stuck == null

  fact "stuck" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && self.scheduled && self.age > 30 && anytrue([for c in facts.k8s_container : c.place.pod == self.name && contains(["ContainerCreating", "PodInitializing"], c.reason)])
    strength = "hint"
  }
  line "said" {
    in    = ["event", "kubelet", "runtime"]
    match = "failed to (?:get sandbox image|pull (?:and unpack )?(?:sandbox )?image) \"(?P<image>[^\"]*pause[^\"]*)\""
  }

  cause = {
    en = "Every pod starts with the image ${try(said.image, "pause")}, which node ${try(stuck.node, "?")} does not have and cannot pull: no pod at all can start there. The kubelet's image clean-up may have taken it."
    zh = "每个 Pod 启动都需要镜像 ${try(said.image, "pause")}，节点 ${try(stuck.node, "?")} 上没有且拉不到，因此该节点上任何 Pod 都无法启动。它可能被 kubelet 的镜像回收清理掉了。"
  }
  check = {
    en = "crictl images | grep pause on the node; sandbox_image in /etc/containerd/config.toml."
    zh = "在节点上 crictl images | grep pause；查看 /etc/containerd/config.toml 的 sandbox_image。"
  }
  remedy = {
    en = "From a node that has it: ctr -n k8s.io images export - ${try(said.image, "PAUSE")} | ssh ${try(stuck.node, "NODE")} ctr -n k8s.io images import -"
    zh = "从有该镜像的节点导出：ctr -n k8s.io images export - ${try(said.image, "PAUSE")} | ssh ${try(stuck.node, "NODE")} ctr -n k8s.io images import -"
  }
  fix {
    runbook = "fixes/image-missing.hcl"
    vars = {
      image       = try(said.image, "")
      namespace   = try(stuck.place.namespace, "")
      at          = try(stuck.node, "")
      source_node = try([for i in facts.node_image : i.place.node if i.place.node != stuck.node && trimprefix(i.ref, "docker.io/") == said.image][0], "")
    }
  }
}
