# Archives of images, their way to the nodes and into their runtimes.

finding "G-13" {
  title = {
    en = "The image to save or ship is not on the machine it should come from"
    zh = "源机器上没有要保存或分发的镜像"
  }
  layer  = "transfer"
  per    = "site"
  steps  = ["image."]
  unless = step == null

  line "said" {
    in    = ["run"]
    match = "(?:No such image: |there is no image )(?P<image>[^\\s,]+)|reference does not exist"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.")
    strength = "hint"
  }

  cause = {
    en = "There is no image ${try(compact([said.image])[0], "of that name")} on ${try(compact([step.target])[0], "the machine that the step works on")}: it was never tagged so there, or built on another machine."
    zh = "${try(compact([step.target])[0], "该机器")} 上没有镜像 ${try(compact([said.image])[0], "")}：可能没有打过这个标签，或者是在另一台机器上构建的。"
  }
  check = {
    en = "docker image ls there; compare the name letter by letter, with its prefix and tag."
    zh = "在该机器上 docker image ls，逐字比对镜像名，包括前缀与标签。"
  }
  remedy = {
    en = "Tag it (docker tag ID NAME, or a step image.tag), or refer to the step that builds it: image = step.NAME.id."
    zh = "打标签（docker tag ID 名称，或 image.tag 步骤），或在步骤中引用构建结果：image = step.名称.id。"
  }
}

finding "G-14" {
  title = {
    en = "The image archive is cut short or damaged"
    zh = "镜像归档文件不完整或已损坏"
  }
  layer  = "transfer"
  per    = "site"
  steps  = ["image.load", "image.ship"]
  unless = step == null

  line "said" {
    in    = ["run"]
    match = "Error processing tar file.{0,40}unexpected EOF|archive/tar: invalid tar header|the archive is cut short(?P<where>[^;\\n]{0,80})|the archive is damaged|its end is missing|the file is empty|ctr: .{0,60}unexpected EOF"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.")
    strength = "hint"
  }

  cause = {
    en = "The archive ends too early or has other bytes than were written${try(said.where, "")}: the copy was interrupted, the disk was full, or FTP carried it in text mode. (docker save writes no gzip, whatever the file is called.)"
    zh = "归档文件提前结束或内容被改动：拷贝中断、磁盘写满，或 FTP 以文本（ASCII）模式传输。（docker save 输出的不是 gzip，与文件后缀无关。）"
  }
  check = {
    en = "Compare size and sha256sum at both ends; tar -tf FILE | tail."
    zh = "两端对比文件大小与 sha256sum；tar -tf 文件 | tail。"
  }
  remedy = {
    en = "Copy it again (scp, sftp, FTP in binary mode) and compare the sums; or let a step image.ship bring the image, which proves every byte."
    zh = "重新拷贝（scp、sftp，或 FTP 用 binary 模式）并比对校验和；或用 image.ship 步骤分发，它会逐字节校验。"
  }
}

finding "G-15" {
  title = {
    en = "The archive is no image: it was made by docker export, or is something else"
    zh = "该归档不是镜像：由 docker export 生成，或是其他文件"
  }
  layer    = "transfer"
  per      = "site"
  steps    = ["image.load", "image.ship"]
  explains = ["G-14"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "open /var/lib/docker/tmp/docker-import-\\S+/json: no such file|invalid archive: does not contain a manifest\\.json|this is no archive of an image: (?P<kind>[^;\\n]{1,100})"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.")
    strength = "hint"
  }

  cause = {
    en = "The file has no manifest.json${try(": it is ${compact([said.kind])[0]}", "")}. docker export writes the files of a container without layers, name or settings; only docker save writes an image."
    zh = "文件中没有 manifest.json。docker export 只导出容器文件，不含层、名称与配置；只有 docker save 才会写出镜像。"
  }
  check = {
    en = "tar -tf FILE | grep -E 'manifest.json|index.json'; file FILE"
    zh = "tar -tf 文件 | grep -E 'manifest.json|index.json'；file 文件"
  }
  remedy = {
    en = "Write it with docker save -o FILE NAME:TAG, or a step image.save."
    zh = "用 docker save -o 文件 名称:标签 或 image.save 步骤重新生成。"
  }
}

finding "G-16" {
  title = {
    en = "A layer of the image archive is not what its manifest says"
    zh = "镜像归档中某一层与清单不符"
  }
  layer  = "transfer"
  per    = "site"
  steps  = ["image.load", "image.ship"]
  unless = step == null

  line "said" {
    in    = ["run"]
    match = "invalid diffID for layer (?P<layer>\\d+)|invalid manifest, layers length mismatch|the archive lacks layer (?P<lacking>\\d+)|failed to verify layer|unexpected commit digest"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.")
    strength = "hint"
  }

  cause = {
    en = "Layer ${try(compact([said.layer, said.lacking])[0], "")} of the archive has other content than the image's configuration demands: the file was damaged on its way, or put together by hand."
    zh = "归档中第 ${try(compact([said.layer, said.lacking])[0], "?")} 层的内容与镜像配置中的摘要不一致：文件在传输中损坏，或被人工拼装过。"
  }
  check = {
    en = "sha256sum of the file at both ends."
    zh = "比对两端文件的 sha256sum。"
  }
  remedy = {
    en = "Save it anew and send it again, or let a step image.ship bring the image."
    zh = "重新 docker save 并传输，或用 image.ship 步骤分发。"
  }
}

finding "G-17" {
  title = {
    en = "The image was loaded without a name"
    zh = "镜像导入后没有名称"
  }
  layer    = "transfer"
  per      = "node"
  steps    = ["image.load", "pgo.", "k8s."]
  explains = ["G-20", "G-21"]

  line "said" {
    in       = ["run"]
    match    = "Loaded image ID: (?P<id>sha256:[0-9a-f]+)|gives the image no name: it was saved by ID"
    strength = "hint"
  }

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && startswith(self.module, "image.") && can(regex("gives the image no name", self.error))
  }
  fact "nameless" {
    of = "node.image"
    when = (self.ref == "" || strcontains(self.ref, "<none>") || startswith(self.ref, "import-")) && anytrue([
      for c in facts.k8s_container : c.place.node == self.place.node && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], c.reason) && anytrue([
        for i in facts.node_image : i.id == self.id && i.id != "" && i.place.node != self.place.node && trimprefix(i.ref, "docker.io/") == trimprefix(c.image, "docker.io/")
      ])
    ])
    strength = "proof"
  }

  cause = {
    en = "The archive was saved by ID, so it carries no name${try(", and node ${nameless.place.node} has the image as ${nameless.id} alone", "")}. Pods look for images by name."
    zh = "归档是按镜像 ID 保存的，不带名称${try("，节点 ${nameless.place.node} 上只有 ${nameless.id}", "")}。而 Pod 是按名称查找镜像的。"
  }
  check = {
    en = "docker image ls (or ctr -n k8s.io images ls) on the node shows <none> instead of the name."
    zh = "在节点上 docker image ls（或 ctr -n k8s.io images ls），名称处显示 <none>。"
  }
  remedy = {
    en = "Tag it on the node: docker tag ID NAME:TAG, or ctr -n k8s.io images tag; or save it again by its name. Steps image.load and image.ship take the name as an argument."
    zh = "在节点上打标签：docker tag ID 名称:标签，或 ctr -n k8s.io images tag；或按名称重新保存。image.load、image.ship 步骤可直接指定名称。"
  }
}

finding "G-18" {
  title = {
    en = "The disk of a node is too full to take the image"
    zh = "节点磁盘空间不足，无法导入镜像"
  }
  layer    = "transfer"
  per      = "site"
  steps    = ["image.load", "image.ship"]
  explains = ["G-14"]

  fact "step" {
    of   = "run.step"
    when = self.status == "failed" && can(regex("^image\\.(load|ship)", self.module)) && can(regex("(?i)no space left on device|设备上没有空间|the disk is full| free in \\S+, and .{1,200} needs at least", self.error))
  }
  fact "disk" {
    of       = "node.disk"
    when     = contains(self.holds, "images") && self.percent >= 95 && anytrue([for s in facts.run_step : s.status == "failed" && can(regex("^image\\.(load|ship)", s.module))])
    strength = "hint"
  }
  line "said" {
    in       = ["run"]
    match    = "no space left on device|(?P<free>[0-9.]+ [KMGT]?i?B) free in (?P<path>\\S+), and \\S+ needs at least (?P<need>[0-9.]+ [KMGT]?i?B)"
    strength = "hint"
  }

  cause = {
    en = "${try(compact([step.target])[0], "The node")} has no room for the image where its runtime keeps images${try(" (${said.path}: ${said.free} free, ${said.need} needed)", try(" (${disk.path}: ${disk.percent} % used)", ""))}."
    zh = "${try(compact([step.target])[0], "节点")} 上运行时存放镜像的磁盘空间不足${try("（${said.path}：剩余 ${said.free}，需要 ${said.need}）", try("（${disk.path} 已用 ${disk.percent}%）", ""))}。"
  }
  check = {
    en = "df -h /var/lib/containerd /var/lib/docker on the node. Loading takes the archive's size twice for a moment."
    zh = "在节点上 df -h /var/lib/containerd /var/lib/docker。导入过程中大约需要归档大小的两倍空间。"
  }
  remedy = {
    en = "crictl rmi --prune (or docker image prune) takes away images that no container uses; old archives in /tmp and /data may go, too. Then apply again: what has arrived is not sent twice."
    zh = "用 crictl rmi --prune（或 docker image prune）清理无容器使用的镜像，再清理 /tmp、/data 下的旧归档；然后重新 apply，已到达的层不会重传。"
  }
}

finding "G-19" {
  title = {
    en = "The image is in the wrong runtime of the node: the kubelet does not see it"
    zh = "镜像导入了节点上错误的运行时，kubelet 看不到"
  }
  layer    = "transfer"
  per      = "node"
  steps    = ["image.", "pgo.", "k8s."]
  explains = ["G-20", "G-21"]

  fact "astray" {
    of = "node.image"
    when = anytrue([
      for c in facts.k8s_container : c.place.node == self.place.node && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], c.reason)
      && trimprefix(trimprefix(self.ref, "docker.io/"), "library/") == trimprefix(trimprefix(c.image, "docker.io/"), "library/")
      ]) && anytrue([
      for n in facts.k8s_node : n.name == self.place.node && n.runtime != "" && !startswith(n.runtime, trimprefix(self.runtime, "cri-"))
      && !(startswith(n.runtime, "cri-o") && contains(["crio", "podman"], self.runtime))
    ])
    strength = "proof"
  }
  # Where the right runtime has it as well, something else is wrong.
  unless = astray == null || anytrue([
    for i in facts.node_image : i.place.node == astray.place.node && i.ref == astray.ref && i.runtime != astray.runtime
    && anytrue([for n in facts.k8s_node : n.name == i.place.node && startswith(n.runtime, i.runtime)])
  ])

  cause = {
    en = "Node ${try(astray.place.node, "")} has ${try(astray.ref, "the image")} in ${try(astray.runtime, "Docker")}, but its kubelet uses ${try([for n in facts.k8s_node : n.runtime if n.name == astray.place.node][0], "another runtime")}. The two do not share images."
    zh = "节点 ${try(astray.place.node, "")} 的 ${try(astray.runtime, "docker")} 里有 ${try(astray.ref, "该镜像")}，但 kubelet 使用的是 ${try([for n in facts.k8s_node : n.runtime if n.name == astray.place.node][0], "另一种运行时")}，两者的镜像互不相通。"
  }
  check = {
    en = "kubectl get node -o wide (column CONTAINER-RUNTIME), and crictl images on the node."
    zh = "kubectl get node -o wide 看 CONTAINER-RUNTIME 一列，并在节点上 crictl images。"
  }
  remedy = {
    en = "On the node: docker save ${try(astray.ref, "NAME")} | ctr -n k8s.io images import -    (mind the namespace k8s.io). A step image.ship finds the runtime of the kubelet by itself."
    zh = "在节点上执行：docker save ${try(astray.ref, "镜像名")} | ctr -n k8s.io images import -  （注意命名空间 k8s.io）。image.ship 步骤会自动识别 kubelet 使用的运行时。"
  }
  fix {
    runbook = "fixes/image-missing.hcl"
    vars = {
      image       = try([for c in facts.k8s_container : c.image if c.place.node == astray.place.node && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], c.reason)][0], "")
      namespace   = try([for c in facts.k8s_container : c.place.namespace if c.place.node == astray.place.node && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], c.reason)][0], "")
      at          = try(astray.place.node, "")
      source_node = try(astray.place.node, "")
    }
  }
}

finding "G-25" {
  title = {
    en = "The archive is not what its name says, or arrived in text mode"
    zh = "归档的实际格式与后缀不符，或以文本模式传输"
  }
  layer    = "transfer"
  per      = "site"
  steps    = ["image."]
  explains = ["G-14", "G-05"]
  unless   = step == null

  line "said" {
    in    = ["run"]
    match = "gzip: stdin: not in gzip format|not in gzip format|(?P<file>\\S+) for gzip.{0,60}it is (?P<kind>[^,;]+)|carriage returns? .{0,40}text mode|FTP in text mode"
  }

  fact "step" {
    of       = "run.step"
    when     = self.status == "failed" && startswith(self.module, "image.")
    strength = "hint"
  }

  cause = {
    en = "A program was told that ${try(compact([said.file])[0], "the archive")} is gzip, and it is not${try(" (it is ${compact([said.kind])[0]})", "")}. docker save writes plain tar, even to a file called .tar.gz; FTP in text mode alters bytes, too."
    zh = "程序按 gzip 解压 ${try(compact([said.file])[0], "归档")}，但它并不是 gzip${try("（实际是 ${compact([said.kind])[0]}）", "")}。docker save 输出的是普通 tar，即使文件名是 .tar.gz；FTP 文本模式也会改坏内容。"
  }
  check = {
    en = "file FILE; od -An -tx1 -N2 FILE shows 1f 8b for gzip. Compare the size with the original's."
    zh = "file 文件；od -An -tx1 -N2 文件，gzip 应显示 1f 8b；再与源文件比对大小。"
  }
  remedy = {
    en = "Use tar -xf without -z, which looks for itself; or copy the file again in binary mode."
    zh = "用不带 -z 的 tar -xf（会自动识别格式），或以二进制模式重新传输。"
  }
}
