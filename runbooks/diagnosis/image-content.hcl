# Names and generations of images, and images that went away.

finding "G-22" {
  title = {
    en = "One image name means different images on different nodes"
    zh = "同一镜像名在不同节点上对应不同镜像"
  }
  layer   = "image"
  per     = "site"
  steps   = ["pgo.", "image.", "sql.identity"]
  warning = true

  fact "image" {
    of = "node.image"
    when = self.ref != "" && self.id != "" && anytrue([
      for i in facts.node_image : i.ref == self.ref && i.runtime == self.runtime && i.id != self.id && i.id != "" && i.place.node != self.place.node
      ]) && anytrue([
      for c in facts.k8s_container : c.place.container == "database" && trimprefix(trimprefix(c.image, "docker.io/"), "library/") == trimprefix(trimprefix(self.ref, "docker.io/"), "library/")
    ])
    strength = "proof"
  }

  cause = {
    en = "${try(image.ref, "The image")} is not the same everywhere: ${try(join(", ", [for i in facts.node_image : "${i.place.node} has ${substr(trimprefix(i.id, "sha256:"), 0, 12)}" if i.ref == image.ref && i.runtime == image.runtime]), "")}. Which server a database gets depends on the node it starts on, and a failover may change it."
    zh = "${try(image.ref, "该镜像")} 在各节点上并不相同：${try(join("，", [for i in facts.node_image : "${i.place.node} 为 ${substr(trimprefix(i.id, "sha256:"), 0, 12)}" if i.ref == image.ref && i.runtime == image.runtime]), "")}。数据库运行哪个版本取决于落在哪个节点，一次切换就可能变版本。"
  }
  check = {
    en = "crictl images --no-trunc on each node; compare the IDs with imageID of the running pods."
    zh = "在各节点上 crictl images --no-trunc，对比镜像 ID 与运行中 Pod 的 imageID。"
  }
  remedy = {
    en = "Give each build a tag of its own (4.1-461fafc-20260228, never latest), ship it to all nodes by image.ship, which compares content and not names, and let the cluster use it."
    zh = "每次构建都用唯一标签（如 4.1-461fafc-20260228，不要用 latest），用 image.ship 分发到所有节点（它比较内容而非名称），再让集群使用该标签。"
  }
}

finding "G-23" {
  title = {
    en = "The image's name is not valid"
    zh = "镜像名不合法"
  }
  layer    = "image"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-54", "G-61", "G-66", "G-76", "G-77", "G-88", "G-98", "G-105"]

  fact "name" {
    of       = "k8s.container"
    when     = self.state == "waiting" && self.reason == "InvalidImageName" && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"])
    strength = "proof"
  }
  line "event" {
    in       = ["event", "kubelet"]
    match    = "Failed to apply default image tag \"(?P<image>[^\"]*)\": couldn't parse image reference"
    strength = "hint"
  }

  cause = {
    en = "\"${try(name.image, event.image, "The name")}\" is no image name: capital letters, blanks, an empty part, or two colons."
    zh = "“${try(name.image, event.image, "")}” 不是合法的镜像名：含大写字母、空格、空段或多余的冒号。"
  }
  check = {
    en = "Put together what the operator puts together: prefix/image:tag, as in pgo create cluster --ccp-image-prefix, --ccp-image, --ccp-image-tag."
    zh = "核对 Operator 的拼接方式：前缀/镜像:标签，即 pgo create cluster 的 --ccp-image-prefix、--ccp-image、--ccp-image-tag。"
  }
  remedy = {
    en = "Write it in lower case without blanks, tag the image so, and create the cluster again."
    zh = "改为小写且不含空格，按此名称打标签后重新创建集群。"
  }
}

finding "G-24" {
  title = {
    en = "The kubelet has removed the image to free the node's disk"
    zh = "节点磁盘不足，kubelet 回收了镜像"
  }
  layer    = "image"
  per      = "node"
  steps    = ["pgo.", "k8s.", "patroni."]
  explains = ["G-20", "G-21", "G-54", "A-04"]
  unless   = missing == null || (disk == null && node == null && said == null)

  fact "missing" {
    of       = "k8s.container"
    when     = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], self.reason)
    strength = "hint"
  }
  fact "disk" {
    of       = "node.disk"
    when     = contains(self.holds, "images") && self.percent >= 85
    strength = "strong"
  }
  fact "node" {
    of       = "k8s.node"
    when     = contains(self.pressures, "DiskPressure")
    strength = "strong"
  }
  line "said" {
    in    = ["kubelet", "event"]
    match = "Disk usage on image filesystem is (?:over|at \\d+%)|Removing image to free bytes|attempting to delete unused images|Image garbage collection"
  }

  cause = {
    en = "Node ${try(missing.place.node, "?")} is short of disk space${try(" (${disk.path}: ${disk.percent} % used)", "")}. Above 85 % the kubelet removes images that no container of the node uses: a preloaded ${try(missing.image, "image")} goes first, and cannot be pulled again."
    zh = "节点 ${try(missing.place.node, "?")} 磁盘空间不足${try("（${disk.path} 已用 ${disk.percent}%）", "")}。超过 85% 时 kubelet 会删除本节点没有容器使用的镜像：预先导入的 ${try(missing.image, "镜像")} 最先被删，而且无法重新拉取。"
  }
  check = {
    en = "On the node: df -h of the images' disk; journalctl -u kubelet | grep -i 'image filesystem'."
    zh = "在节点上 df -h 查看镜像所在磁盘；journalctl -u kubelet | grep -i 'image filesystem'。"
  }
  remedy = {
    en = "First free the disk (crictl rmi --prune, old archives, logs), or the image will go again; then ship it anew. To keep it for good, let something use it on every node, such as a DaemonSet whose container sleeps, or raise imageGCHighThresholdPercent."
    zh = "先清理磁盘（crictl rmi --prune、旧归档、日志），否则镜像还会被删；然后重新分发。若要长期保留，可在每个节点上用一个常驻 DaemonSet 占用该镜像，或调高 imageGCHighThresholdPercent。"
  }
  fix {
    runbook = "fixes/image-missing.hcl"
    vars = {
      image       = try(missing.image, "")
      namespace   = try(missing.place.namespace, "")
      at          = try(missing.place.node, "")
      source_node = try([for i in facts.node_image : i.place.node if i.place.node != missing.place.node && trimprefix(trimprefix(i.ref, "docker.io/"), "library/") == trimprefix(trimprefix(missing.image, "docker.io/"), "library/")][0], "")
    }
  }
}

finding "A-05" {
  title = {
    en = "The image lacks the program that the pod starts"
    zh = "镜像中缺少 Pod 要启动的程序"
  }
  layer    = "image"
  per      = "cluster"
  steps    = ["pgo.", "k8s.", "image."]
  explains = ["G-43", "G-54", "G-61", "G-66", "G-77", "G-88", "G-98", "G-105"]

  fact "start" {
    of       = "k8s.container"
    when     = !self.ready && can(regex("exec: \"[^\"]+\": |exec .{0,120}(no such file or directory|executable file not found|permission denied)", "${self.message} ${self.last_message}")) && !can(regex("exec format error", "${self.message} ${self.last_message}")) && anytrue([for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role != "other"])
    strength = "proof"
  }
  line "said" {
    in    = ["event", "kubelet"]
    match = "(?:starting container process caused|unable to start container process).{0,40}exec: \"(?P<program>[^\"]+)\": (?P<why>[^\"]{0,120}(?:no such file or directory|executable file not found in \\$PATH|permission denied))"
  }
  fact "image" {
    of       = "image.check"
    when     = contains(["B6.15", "B6.16"], self.id) && self.verdict == "bad"
    strength = "hint"
  }

  cause = {
    en = "A container of ${try(start.image, "the image")} cannot be started: ${try(said.program, regex("exec: \"([^\"]+)\"", "${start.message} ${start.last_message}")[0], "its entrypoint")} is not in the image, or not executable.${try(" ${image.evidence}.", "")} A rebuilt image easily loses the operator's scripts, its ENTRYPOINT or its USER."
    zh = "镜像 ${try(start.image, "")} 的容器无法启动：${try(said.program, regex("exec: \"([^\"]+)\"", "${start.message} ${start.last_message}")[0], "入口程序")} 在镜像中不存在或不可执行。${try("${image.evidence}。", "")}重新构建的镜像很容易丢失 Operator 的脚本、ENTRYPOINT 或 USER。"
  }
  check = {
    en = "antdbctl image check ${try(start.image, "IMAGE")}: it compares entrypoint, user, environment and scripts with what the operator needs."
    zh = "antdbctl image check ${try(start.image, "镜像")}：会逐项核对入口、用户、环境变量与脚本。"
  }
  remedy = {
    en = "Build FROM the operator's image, or copy /opt/cpm from it and set ENTRYPOINT [\"/opt/cpm/bin/bootstrap-postgres-ha.sh\"], CMD and USER 26 again; chmod +x the scripts."
    zh = "从 Operator 官方镜像 FROM 构建，或复制其 /opt/cpm，并重新设置 ENTRYPOINT [\"/opt/cpm/bin/bootstrap-postgres-ha.sh\"]、CMD 与 USER 26；脚本须 chmod +x。"
  }
}
