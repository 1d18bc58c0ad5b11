# Backups by pgBackRest: the repository, the stanza, the archive, the jobs.

finding "G-76" {
  title    = { en = "The backup repository's pod is on no node, so the stanza was not made", zh = "备份库 Pod 未被调度，stanza 未能创建" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "run"]
    match    = "pod [^a-z0-9]{0,4}(?P<pod>[a-z0-9.-]+-backrest-shared-repo-[a-z0-9-]+).{0,4} does not have a host assigned"
    strength = "strong"
    past     = true
  }

  fact "repository" {
    of       = "k8s.pod"
    when     = self.role == "repository" && self.phase == "Pending" && self.age > 120
    strength = "hint"
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "The job ran while the repository's pod ${said.pod} was on no node yet (its volume was missing, or no node took it). PGO 4 does not repeat the job: without a stanza there is no backup, and without a backup there are no replicas."
    zh = "作业运行时备份库 Pod ${said.pod} 还没有分配到节点（缺少存储卷，或没有节点满足调度条件）。PGO 4 不会重试该作业：没有 stanza 就没有备份，没有备份就不会创建副本。"
  }
  check = {
    en = "kubectl -n ${said.place.namespace} get pods,pvc,jobs -l pg-cluster=${said.place.cluster}"
    zh = "kubectl -n ${said.place.namespace} get pods,pvc,jobs -l pg-cluster=${said.place.cluster}"
  }
  remedy = {
    en = "First get the repository's pod running (a PersistentVolume for claim ${said.place.cluster}-pgbr-repo). Then make the stanza and the first backup, as the fix does."
    zh = "先让备份库 Pod 运行起来（为 PVC ${said.place.cluster}-pgbr-repo 准备 PV），再创建 stanza 并执行首次备份（本修复即如此）。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = said.place.cluster, namespace = said.place.namespace }
  }
}

finding "G-77" {
  title    = { en = "The backup job came before the container that it works in", zh = "备份作业先于目标容器启动" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "run"]
    match    = "unable to upgrade connection: container not found|pods [^a-z0-9]{0,4}[a-z0-9.-]+-backrest-shared-repo-[a-z0-9-]+.{0,4} not found"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "The job looked for the repository's container when it was not there yet, or after its pod had been replaced by another. PGO 4 does not repeat the job for the new pod."
    zh = "作业运行时备份库容器尚未启动，或其 Pod 已被替换成另一个。PGO 4 不会针对新的 Pod 重新执行该作业。"
  }
  check = {
    en = "kubectl -n ${said.place.namespace} get pods,jobs -l pg-cluster=${said.place.cluster}: is the repository's pod younger than the job?"
    zh = "kubectl -n ${said.place.namespace} get pods,jobs -l pg-cluster=${said.place.cluster}：备份库 Pod 是否比作业更新？"
  }
  remedy = {
    en = "Make the stanza and the first backup again, as the fix does."
    zh = "重新创建 stanza 并执行首次备份（本修复即如此）。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = said.place.cluster, namespace = said.place.namespace }
  }
}

finding "G-78" {
  title    = { en = "The backup repository does not reach the database's pod", zh = "备份库无法连接数据库 Pod" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-83", "G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "unable to find primary cluster - cannot proceed|unable to check pg-?1: \\[(?:DbConnectError|UnknownError|HostConnectError)\\]|ssh: connect to host \\S+ port 2022:"
    strength = "strong"
    past     = true
  }

  line "ssh" {
    in       = ["job", "container", "server", "run"]
    match    = "ssh: connect to host (?P<host>\\S+) port 2022: (?P<why>Connection timed out|Connection refused|No route to host|连接超时|拒绝连接|没有到主机的路由)"
    strength = "hint"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "pgBackRest in the repository's pod of cluster ${said.place.cluster} gets no connection to the primary's pod over SSH, port 2022${try(" (${ssh.host}: ${ssh.why})", "")}: the network between the nodes, sshd in the database's container, or a pod address that has changed."
    zh = "集群 ${said.place.cluster} 的备份库 Pod 无法通过 SSH（2022 端口）连接主节点 Pod${try("（${ssh.host}：${ssh.why}）", "")}：节点间网络不通、数据库容器内 sshd 未运行，或 Pod 地址已变化。"
  }
  check = {
    en = "From the repository's container: ssh -p 2022 POD_IP true; do both pods reach each other when they are on one node? iptables -L FORWARD and the CNI's state on the nodes; NetworkPolicies of the namespace."
    zh = "在备份库容器内：ssh -p 2022 POD_IP true；两个 Pod 在同一节点时是否可达？检查节点上的 iptables -L FORWARD、CNI 状态以及命名空间的 NetworkPolicy。"
  }
  remedy = {
    en = "Repair the network (open 2022 and 5432 between the namespace's pods); if sshd does not run, restart the database's container. Then make the stanza and a backup again."
    zh = "修复网络（放行命名空间内 Pod 之间的 2022 和 5432 端口）；若 sshd 未运行，重启数据库容器。然后重新创建 stanza 并备份。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = said.place.cluster, namespace = said.place.namespace }
  }
}

finding "G-79" {
  title    = { en = "SSH between the repository and the database refuses the key", zh = "备份库与数据库之间的 SSH 密钥认证失败" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-78", "G-83", "G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "Permission denied \\((?:publickey|gssapi)[a-z,-]*\\)|Host key verification failed"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "sshd of the other container refuses the key of user pgbackrest: Secret ${said.place.cluster}-backrest-repo-config was replaced after one of the pods had started, the files have the wrong owner or mode, or sshd's UsePAM rejects the user."
    zh = "对端容器的 sshd 拒绝了 pgbackrest 用户的密钥：Secret ${said.place.cluster}-backrest-repo-config 在某个 Pod 启动之后被替换过、密钥文件属主或权限不对，或 sshd 的 UsePAM 拒绝了该用户。"
  }
  check = {
    en = "ssh -v -p 2022 in the repository's container; ls -ln /sshd in both; kubectl get secret ${said.place.cluster}-backrest-repo-config (its age, and that of the pods)."
    zh = "在备份库容器内执行 ssh -v -p 2022；两边查看 ls -ln /sshd；kubectl get secret ${said.place.cluster}-backrest-repo-config（对比它与 Pod 的创建时间）。"
  }
  remedy = {
    en = "Restart the pods that are older than the Secret; set UsePAM no in the sshd_config of the Secret. Then make the stanza and a backup again."
    zh = "重启比 Secret 更早创建的 Pod；在 Secret 的 sshd_config 中设置 UsePAM no。然后重新创建 stanza 并备份。"
  }

  fix {
    runbook = "fixes/stanza-create.hcl"
    vars    = { cluster = said.place.cluster, namespace = said.place.namespace }
  }
}

finding "G-80" {
  title    = { en = "The repository's or the database's host name is not known", zh = "备份库或数据库的主机名无法解析" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-78", "G-83", "G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "ssh: Could not resolve hostname (?P<host>[^:\\s]+)|unable to get address for .(?P<address>[a-z0-9.-]+).: \\[-\\d+\\]"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "pgBackRest cannot resolve ${coalesce(said.host, said.address)}: the cluster's DNS does not answer in this pod, or the Service of that name does not exist."
    zh = "pgBackRest 无法解析 ${coalesce(said.host, said.address)}：该 Pod 内集群 DNS 不可用，或同名的 Service 不存在。"
  }
  check = {
    en = "getent hosts ${coalesce(said.host, said.address)} in the pod; kubectl -n ${said.place.namespace} get svc; kubectl -n kube-system get pods -l k8s-app=kube-dns"
    zh = "在 Pod 内执行 getent hosts ${coalesce(said.host, said.address)}；kubectl -n ${said.place.namespace} get svc；kubectl -n kube-system get pods -l k8s-app=kube-dns"
  }
  remedy = {
    en = "Repair the DNS of the cluster (or the cluster domain in the operator's settings), then take a backup again."
    zh = "修复集群 DNS（或 operator 配置中的集群域名），然后重新备份。"
  }
}

finding "G-81" {
  title    = { en = "The backup repository belongs to another database of that name", zh = "备份库属于同名的另一个数据库" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["G-83", "G-84", "G-88", "B-16", "B-25", "B-27"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "backup and archive info files exist but do not match the database|do not match stanza version .{1,40} system-id (?P<old>\\d+)|(?:PostgreSQL version .{1,12}|WAL file .{1,60}) system-id (?P<new>\\d+) do(?:es)? not match stanza"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "The repository of cluster ${said.place.cluster} has the stanza of an earlier database (another system identifier${said.old != null ? ", ${said.old}" : ""}): its volume was kept when that cluster was deleted. pgBackRest lets no other database add to it: WAL piles up in the primary."
    zh = "集群 ${said.place.cluster} 的备份库中是旧数据库的 stanza（系统标识不同${said.old != null ? "，旧的是 ${said.old}" : ""}）：删除旧集群时保留了备份库的卷。pgBackRest 不允许另一个数据库写入，WAL 会在主节点堆积。"
  }
  check = {
    en = "pgbackrest info in the repository's pod; pg_controldata | grep 'system identifier' in the primary's; the age of claim ${said.place.cluster}-pgbr-repo."
    zh = "在备份库 Pod 内 pgbackrest info；在主节点 pg_controldata | grep 'system identifier'；查看 PVC ${said.place.cluster}-pgbr-repo 的创建时间。"
  }
  remedy = {
    en = "Decide whether the old backups are still wanted. Wanted: copy the repository's folder away. Then, in the repository's pod: pgbackrest stop, pgbackrest stanza-delete --force, pgbackrest start, pgbackrest stanza-create, and a full backup. This cannot be undone, so no fix does it for you. Same data after a major upgrade: pgbackrest stanza-upgrade."
    zh = "先决定旧备份是否还需要：需要则把备份库目录拷贝到别处。然后在备份库 Pod 内依次执行 pgbackrest stop、pgbackrest stanza-delete --force、pgbackrest start、pgbackrest stanza-create，并做一次全量备份。此操作不可逆，因此不提供自动修复。若是同一份数据做了大版本升级，用 pgbackrest stanza-upgrade。"
  }
}

finding "G-82" {
  title    = { en = "Another backup was running", zh = "已有另一个备份在运行" }
  layer    = "backup"
  per      = "cluster"
  steps    = ["backup.", "pgo.", "k8s."]
  explains = ["B-25"]

  line "said" {
    in       = ["job", "container", "server", "run"]
    match    = "unable to acquire lock on file .(?P<file>[^ :\"]+?)[^a-z]?: (?:Resource temporarily unavailable|资源暂时不可用)"
    strength = "strong"
    past     = true
  }

  # Backups and archiving work: what is in the logs is past.
  unless = said != null && !anytrue(concat(
    [for a in facts.pg_archiver : a.failing && a.place.cluster == said.place.cluster && a.place.namespace == said.place.namespace],
    [for s in facts.pgbackrest_stanza : s.code != 0 && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace && !anytrue([for j in facts.k8s_job : j.active > 0 && j.purpose == "backup" && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace])],
    [for j in facts.k8s_job : (j.over == "Failed" || (j.failed > 0 && j.succeeded == 0)) && contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == said.place.cluster && j.place.namespace == said.place.namespace && !anytrue([for s in facts.pgbackrest_stanza : s.code == 0 && s.last_age >= 0 && s.last_age < j.age && s.place.cluster == said.place.cluster && s.place.namespace == said.place.namespace])],
    [for r in facts.run_step : r.status == "failed" && (startswith(r.module, "backup.") || startswith(r.module, "pgo."))],
  ))

  cause = {
    en = "A backup of cluster ${said.place.cluster} was refused since another pgBackRest process holds ${said.file}: two schedules overlap, or an earlier backup hangs."
    zh = "集群 ${said.place.cluster} 的备份被拒绝，因为另一个 pgBackRest 进程持有 ${said.file}：两个备份计划重叠，或之前的备份卡住了。"
  }
  check = {
    en = "ps -ef | grep pgbackrest in the repository's pod: how old is the process, does it progress (pgbackrest info)?"
    zh = "在备份库 Pod 内 ps -ef | grep pgbackrest：进程已运行多久，是否有进展（pgbackrest info）？"
  }
  remedy = {
    en = "Wait for it. If it hangs for hours: kill that process, then take the backup again. Move one of the schedules."
    zh = "等待其完成。若已卡住数小时：结束该进程后重新备份，并错开备份计划。"
  }
}
