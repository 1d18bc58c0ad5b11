# Claims that find no volume.

finding "G-39" {
  title = {
    en = "There is no volume for a claim"
    zh = "存储声明（PVC）没有可用的卷"
  }
  layer    = "volume"
  per      = "cluster"
  steps    = ["pgo.", "k8s."]
  explains = ["G-38", "G-53", "G-54", "G-61", "G-66", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]

  fact "claim" {
    of = "k8s.claim"
    when = self.phase == "Pending" && self.used && self.age > 40 && (
      !anytrue([for s in facts.k8s_storageclass : s.provisioner != "kubernetes.io/no-provisioner" && (s.name == self.class || (self.class == "" && s.default))])
      ) && (
      self.class == "" || anytrue([for s in facts.k8s_storageclass : s.name == self.class]) || anytrue([for v in facts.k8s_volume : v.class == self.class])
      ) && !anytrue([
        for v in facts.k8s_volume : v.phase == "Available"
      ]) && (
      !anytrue([for s in facts.k8s_storageclass : s.name == self.class && s.binding == "WaitForFirstConsumer"])
      || anytrue([for p in facts.k8s_pod : contains(p.claims, self.name) && p.place.namespace == self.place.namespace && !p.scheduled && strcontains(p.scheduling, "persistent volume")])
    )
    strength = "proof"
  }
  fact "pod" {
    of       = "k8s.pod"
    when     = self.phase == "Pending" && !self.scheduled && self.role != "other" && self.age > 40 && can(regex("unbound immediate PersistentVolumeClaims|didn't find available persistent volumes", self.scheduling)) && length([for c in facts.k8s_claim : c if contains(self.claims, c.name)]) == 0
    strength = "strong"
  }
  line "event" {
    in       = ["event"]
    match    = "pod has unbound immediate PersistentVolumeClaims|didn't find available persistent volumes to bind"
    strength = "hint"
  }

  cause = {
    en = "Claim ${try(claim.name, pod.claims[0], "of the pod")} waits${try(" for ${floor(claim.request / 1048576)} MiB${claim.class == "" ? "" : " of class ${claim.class}"}", "")} and no volume is free. ${length([for v in facts.k8s_volume : v if v.phase == "Released"]) > 0 ? "Volumes ${join(", ", [for v in facts.k8s_volume : v.name if v.phase == "Released"])} are Released: they keep the data of claims that were deleted, and are not given out again." : "A cluster needs one volume for each instance and one for the backup repository."}"
    zh = "PVC ${try(claim.name, pod.claims[0], "")} 等待${try(" ${floor(claim.request / 1048576)} MiB${claim.class == "" ? "" : "、存储类 ${claim.class}"} 的卷", "")}，但没有空闲 PV。${length([for v in facts.k8s_volume : v if v.phase == "Released"]) > 0 ? "PV ${join("、", [for v in facts.k8s_volume : v.name if v.phase == "Released"])} 处于 Released：仍保留已删除 PVC 的数据，不会再次分配。" : "每个实例需要一个卷，备份仓库还需要一个。"}"
  }
  check = {
    en = "kubectl -n ${try(claim.place.namespace, pod.place.namespace, "NS")} get pvc; kubectl get pv,storageclass"
    zh = "kubectl -n ${try(claim.place.namespace, pod.place.namespace, "NS")} get pvc；kubectl get pv,storageclass"
  }
  remedy = {
    en = "Make a PersistentVolume of that size, class and access mode on a node with room, its folder owned by 26:26; the claim binds within seconds. A Released volume whose data nobody needs any more can be freed by emptying its folder and removing spec.claimRef. If stanza-create failed meanwhile, it must be run again afterwards."
    zh = "在有空间的节点上创建一个大小、存储类、访问模式相符的 PV，目录属主设为 26:26，PVC 几秒内即可绑定。确认数据不再需要的 Released 卷，可清空目录并删除 spec.claimRef 后复用。若期间 stanza-create 任务已失败，事后需要重新执行。"
  }
  fix {
    runbook = "fixes/volume-missing.hcl"
    vars = {
      claim     = try(claim.name, pod.claims[0], "")
      namespace = try(claim.place.namespace, pod.place.namespace, "")
      class     = try(claim.class, "")
      size      = "${ceil(try(claim.request, 1073741824) / 1048576)}Mi"
      modes     = try(length(claim.modes) > 0 ? claim.modes : ["ReadWriteOnce"], ["ReadWriteOnce"])
      at        = try([for n in facts.k8s_node : n.name if n.ready && !n.unschedulable && !anytrue([for t in n.taints : can(regex(":NoSchedule|:NoExecute", t))])][0], "")
    }
  }
}

finding "G-39b" {
  title = {
    en = "There are free volumes, and none of them fits the claim"
    zh = "有空闲的卷，但都不符合 PVC 的要求"
  }
  layer    = "volume"
  per      = "cluster"
  steps    = ["pgo.", "k8s."]
  explains = ["G-38", "G-39", "G-53", "G-54", "G-61", "G-66", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]

  fact "claim" {
    of = "k8s.claim"
    when = self.phase == "Pending" && self.used && self.age > 30 && (
      !anytrue([for s in facts.k8s_storageclass : s.provisioner != "kubernetes.io/no-provisioner" && (s.name == self.class || (self.class == "" && s.default))])
      ) && (
      self.class == "" || anytrue([for s in facts.k8s_storageclass : s.name == self.class]) || anytrue([for v in facts.k8s_volume : v.class == self.class])
      ) && anytrue([
        for v in facts.k8s_volume : v.phase == "Available"
        ]) && !anytrue([
        for v in facts.k8s_volume : v.phase == "Available" && v.class == self.class && v.size >= self.request && alltrue([for m in self.modes : contains(v.modes, m)])
    ])
    strength = "proof"
  }
  line "event" {
    in       = ["event"]
    match    = "no persistent volumes available for this claim and no storage class is set"
    strength = "hint"
  }

  cause = {
    en = "Claim ${try(claim.name, "?")} asks for ${try(floor(claim.request / 1048576), "?")} MiB, class \"${try(claim.class, "")}\", ${try(join("+", claim.modes), "")}. Free are ${join("; ", slice([for v in facts.k8s_volume : "${v.name} (${floor(v.size / 1048576)} MiB, class \"${v.class}\", ${join("+", v.modes)})" if v.phase == "Available"], 0, min(3, length([for v in facts.k8s_volume : "${v.name} (${floor(v.size / 1048576)} MiB, class \"${v.class}\", ${join("+", v.modes)})" if v.phase == "Available"]))))}${length([for v in facts.k8s_volume : v if v.phase == "Available"]) > 3 ? " and ${length([for v in facts.k8s_volume : v if v.phase == "Available"]) - 3} more" : ""}: too small, of another class or of another access mode."
    zh = "PVC ${try(claim.name, "?")} 要求 ${try(floor(claim.request / 1048576), "?")} MiB、存储类 “${try(claim.class, "")}”、${try(join("+", claim.modes), "")}。空闲的有 ${join("；", slice([for v in facts.k8s_volume : "${v.name}（${floor(v.size / 1048576)} MiB，存储类 “${v.class}”，${join("+", v.modes)}）" if v.phase == "Available"], 0, min(3, length([for v in facts.k8s_volume : "${v.name}（${floor(v.size / 1048576)} MiB，存储类 “${v.class}”，${join("+", v.modes)}）" if v.phase == "Available"]))))}${length([for v in facts.k8s_volume : v if v.phase == "Available"]) > 3 ? " 等 ${length([for v in facts.k8s_volume : v if v.phase == "Available"])} 个" : ""}：容量不足、存储类不同或访问模式不同。"
  }
  check = {
    en = "kubectl get pv; kubectl -n ${try(claim.place.namespace, "NS")} describe pvc ${try(claim.name, "CLAIM")}. Labels count, too, where the claim has a selector."
    zh = "kubectl get pv；kubectl -n ${try(claim.place.namespace, "NS")} describe pvc ${try(claim.name, "CLAIM")}。若 PVC 带 selector，标签也必须匹配。"
  }
  remedy = {
    en = "Make a volume that fits, or let the storage section of pgo.yaml (PGO 5: the dataVolumeClaimSpec) ask for what is there, and create the cluster again."
    zh = "创建符合要求的 PV；或修改 pgo.yaml 的存储段（PGO 5 为 dataVolumeClaimSpec）以匹配现有卷，再重建集群。"
  }
  fix {
    runbook = "fixes/volume-missing.hcl"
    vars = {
      claim     = try(claim.name, "")
      namespace = try(claim.place.namespace, "")
      class     = try(claim.class, "")
      size      = "${ceil(try(claim.request, 1073741824) / 1048576)}Mi"
      modes     = try(length(claim.modes) > 0 ? claim.modes : ["ReadWriteOnce"], ["ReadWriteOnce"])
      at        = try([for n in facts.k8s_node : n.name if n.ready && !n.unschedulable && !anytrue([for t in n.taints : can(regex(":NoSchedule|:NoExecute", t))])][0], "")
    }
  }
}

finding "G-39c" {
  title = {
    en = "The claim names a storage class that does not exist"
    zh = "PVC 指定的存储类不存在"
  }
  layer    = "volume"
  per      = "cluster"
  steps    = ["pgo.", "k8s."]
  explains = ["G-38", "G-39", "G-39b", "G-53", "G-54", "G-61", "G-66", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]

  fact "claim" {
    of       = "k8s.claim"
    when     = self.phase == "Pending" && self.used && self.class != "" && !anytrue([for s in facts.k8s_storageclass : s.name == self.class]) && !anytrue([for v in facts.k8s_volume : v.class == self.class])
    strength = "proof"
  }
  line "event" {
    in       = ["event"]
    match    = "storageclass\\.storage\\.k8s\\.io \"(?P<class>[^\"]+)\" not found"
    strength = "hint"
  }

  cause = {
    en = "Claim ${try(claim.name, "?")} wants class \"${try(claim.class, event.class, "?")}\". ${length(facts.k8s_storageclass) > 0 ? "The site has ${join(", ", [for s in facts.k8s_storageclass : s.name])}." : "The site has no storage class at all."} The pgo.yaml that comes with the operator names the class \"fast\" in some of its storage sections."
    zh = "PVC ${try(claim.name, "?")} 要求存储类 “${try(claim.class, event.class, "?")}”。${length(facts.k8s_storageclass) > 0 ? "本站点只有 ${join("、", [for s in facts.k8s_storageclass : s.name])}。" : "本站点没有任何存储类。"}Operator 自带的 pgo.yaml 的部分存储段默认写的是 “fast”。"
  }
  check = {
    en = "kubectl get storageclass; grep -n StorageClass pgo.yaml"
    zh = "kubectl get storageclass；grep -n StorageClass pgo.yaml"
  }
  remedy = {
    en = "Correct the class in the operator's settings (pgo.yaml in the ConfigMap pgo-config, then restart the operator; PGO 5: storageClassName), delete the cluster and create it again: the class of a claim cannot be changed. Or make a class of that name."
    zh = "在 Operator 配置中改正（ConfigMap pgo-config 的 pgo.yaml，改后重启 Operator；PGO 5 为 storageClassName），删除并重建集群，因为 PVC 的存储类不可修改；也可以创建同名的存储类。"
  }
}

finding "A-20" {
  title = {
    en = "The storage provisioner does not make the volume"
    zh = "存储供给程序（provisioner）没有创建卷"
  }
  layer    = "volume"
  per      = "cluster"
  steps    = ["pgo.", "k8s."]
  explains = ["G-38", "G-39", "G-53", "G-54", "G-61", "G-66", "G-76", "G-77", "G-78", "G-88", "G-98", "G-105"]

  fact "claim" {
    of = "k8s.claim"
    when = self.phase == "Pending" && self.used && self.age > 120 && anytrue([
      for s in facts.k8s_storageclass : s.provisioner != "kubernetes.io/no-provisioner" && (s.name == self.class || (self.class == "" && s.default)) && (
        s.binding != "WaitForFirstConsumer" || anytrue([for p in facts.k8s_pod : contains(p.claims, self.name) && p.place.namespace == self.place.namespace && !p.scheduled && !can(regex("Insufficient|taint|didn't match|affinity", p.scheduling))])
      )
    ])
    strength = "strong"
  }
  line "event" {
    in       = ["event"]
    match    = "waiting for a volume to be created, either by external provisioner|failed to provision volume with StorageClass \"(?P<class>[^\"]+)\": (?P<why>.{0,200})"
    strength = "hint"
  }

  cause = {
    en = "Claim ${try(claim.name, "?")} has waited ${try(floor(claim.age / 60), "some")} minutes for ${try([for s in facts.k8s_storageclass : s.provisioner if s.name == claim.class || (claim.class == "" && s.default)][0], "its provisioner")}${try(": ${compact([event.why])[0]}", ", which says nothing: its pods do not run, or do not see the claim")}."
    zh = "PVC ${try(claim.name, "?")} 已等待 ${try([for s in facts.k8s_storageclass : s.provisioner if s.name == claim.class || (claim.class == "" && s.default)][0], "供给程序")} ${try(floor(claim.age / 60), "若干")} 分钟${try("：${compact([event.why])[0]}", "，对方没有任何响应：其 Pod 未运行，或看不到该 PVC")}。"
  }
  check = {
    en = "kubectl get pod -A | grep -iE 'provision|csi|nfs'; its log; kubectl -n ${try(claim.place.namespace, "NS")} describe pvc ${try(claim.name, "CLAIM")}"
    zh = "kubectl get pod -A | grep -iE 'provision|csi|nfs' 并查看其日志；kubectl -n ${try(claim.place.namespace, "NS")} describe pvc ${try(claim.name, "CLAIM")}"
  }
  remedy = {
    en = "Bring the provisioner's pods up (image, node, rights, pool with room); the claim binds by itself then."
    zh = "恢复供给程序的 Pod（镜像、节点、权限、存储池容量），随后 PVC 会自动绑定。"
  }
}
