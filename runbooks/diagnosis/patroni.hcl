# Patroni: the lock, the leader, and the records that it keeps in Kubernetes.

finding "G-59" {
  title    = { en = "Patroni may not write its records in Kubernetes", zh = "Patroni 无权读写它在 Kubernetes 中的状态对象" }
  layer    = "patroni"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "k8s."]
  explains = ["G-54", "G-60", "G-61", "G-66", "G-88", "G-98", "G-105"]

  line "denied" {
    in       = ["container"]
    match    = "(?P<resource>configmaps|pods|endpoints|services)\\b.{0,80} is forbidden: User .{0,4}system:serviceaccount:(?P<namespace>[a-z0-9-]+):(?P<account>[a-z0-9.-]+).{0,4} cannot (?P<verb>[a-z]+)"
    strength = "strong"
  }

  fact "right" {
    of       = "k8s.access"
    when     = !self.allowed && self.exists && can(regex(":(pgo-pg|[a-z0-9.-]+-instance)$", self.who)) && contains(["configmaps", "pods", "endpoints"], self.resource)
    strength = "proof"
  }

  unless = right == null && anytrue([for p in facts.k8s_pod : p.name == try(denied.place.pod, "") && p.ready])

  cause = {
    en = "The service account ${try(right.who, "system:serviceaccount:${denied.namespace}:${denied.account}")} may not ${try(right.verb, denied.verb)} ${try(right.resource, denied.resource)}. Patroni keeps its lock and its state there: without that right no member becomes leader, and none becomes ready."
    zh = "服务账号 ${try(right.who, "system:serviceaccount:${denied.namespace}:${denied.account}")} 没有对 ${try(right.resource, denied.resource)} 执行 ${try(right.verb, denied.verb)} 的权限。Patroni 的领导者锁和集群状态都存放在这些对象里，没有权限就选不出主节点，Pod 也不会就绪。"
  }
  check = {
    en = "kubectl -n ${try(denied.namespace, right.place.namespace)} auth can-i ${try(right.verb, denied.verb)} ${try(right.resource, denied.resource)} --as=${try(right.who, "system:serviceaccount:${denied.namespace}:${denied.account}")}; kubectl -n ${try(denied.namespace, right.place.namespace)} get role,rolebinding"
    zh = "kubectl -n ${try(denied.namespace, right.place.namespace)} auth can-i ${try(right.verb, denied.verb)} ${try(right.resource, denied.resource)} --as=${try(right.who, "system:serviceaccount:${denied.namespace}:${denied.account}")}；再看 kubectl -n ${try(denied.namespace, right.place.namespace)} get role,rolebinding"
  }
  remedy = {
    en = "Bring the Role and RoleBinding of the account back. PGO 4: `pgo update namespace ${try(denied.namespace, right.place.namespace)}` makes pgo-pg, its role and binding again. PGO 5 and later: restart the operator, which makes them at its next look at the cluster. Patroni goes on by itself within a minute."
    zh = "恢复该账号的 Role 和 RoleBinding。PGO 4：执行 `pgo update namespace ${try(denied.namespace, right.place.namespace)}`，会重建 pgo-pg 账号及其角色和绑定；PGO 5 及以上：重启 operator，它会在下一次调谐时补齐。权限恢复后 Patroni 一分钟内会自行恢复，无需重启数据库。"
  }
}

finding "G-60" {
  title    = { en = "Patroni cannot reach the Kubernetes API in time", zh = "Patroni 无法及时访问 Kubernetes API" }
  layer    = "patroni"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-54", "G-65", "G-66", "G-72", "G-105"]

  line "lost" {
    in       = ["container"]
    match    = "failed to update leader lock|demoted self because (?:failed to update leader lock in DCS|DCS is not accessible and i was a leader)|Error communicating with DCS|DCS is not accessible"
    strength = "strong"
  }

  fact "unrenewed" {
    of = "patroni.cluster"
    when = self.leader != "" && self.ttl > 0 && self.leader_age > 2 * self.ttl && !self.paused && anytrue([
      for m in facts.patroni_member : m.name == self.leader && m.place.cluster == self.place.cluster && m.place.namespace == self.place.namespace && m.reachable && m.state == "running"
    ])
    strength = "strong"
  }

  fact "slow" {
    of       = "k8s.apiserver"
    when     = self.millis > 3000 || can(regex("etcd|not ready|timeout", self.error))
    strength = "hint"
  }

  # Its lock is renewed again: what is in the log is past.
  unless = try(anytrue([
    for c in facts.patroni_cluster : c.place.cluster == lost.place.cluster && c.place.namespace == lost.place.namespace
    && c.leader != "" && c.leader_age >= 0 && c.leader_age <= max(c.ttl, 30)
  ]), false)

  cause = {
    en = "Patroni must renew its leader lock in Kubernetes within retry_timeout (10 s by default); it could not${try(", and the API server takes ${format("%.0f", slow.millis)} ms for a small request", "")}${try(", and the API server says: ${slow.error == "" ? null : slow.error}", "")}. A leader that cannot renew restarts its database read-only, so that there are never two."
    zh = "Patroni 必须在 retry_timeout（默认 10 秒）内续约存放在 Kubernetes 里的领导者锁，但没有成功${try("；API server 处理一个小请求要 ${format("%.0f", slow.millis)} 毫秒", "")}${try("；API server 自述：${slow.error == "" ? null : slow.error}", "")}。为了不出现双主，续约失败的主节点会把数据库降级为只读。"
  }
  check = {
    en = "time kubectl get --raw /readyz?verbose; from a database pod: curl -sk -o /dev/null -w '%%{time_total}\\n' https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/version; look at the disk latency of etcd."
    zh = "time kubectl get --raw /readyz?verbose；在数据库 Pod 内执行 curl -sk -o /dev/null -w '%%{time_total}\\n' https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT/version；并检查 etcd 的磁盘延迟。"
  }
  remedy = {
    en = "Repair the API server (usually etcd on a slow or full disk, or the network between the nodes and it). If short pauses cannot be avoided, give Patroni more patience: ttl 60, loop_wait 10, retry_timeout 20 (ttl must be at least loop_wait + 2 × retry_timeout), for example by patronictl edit-config; a failover then takes longer."
    zh = "先修复 API server（多半是 etcd 所在磁盘太慢或已满，或节点到 API server 的网络有问题）。若短暂停顿无法避免，可放宽 Patroni 的超时：ttl 60、loop_wait 10、retry_timeout 20（要求 ttl ≥ loop_wait + 2 × retry_timeout），例如用 patronictl edit-config 修改；代价是故障切换变慢。"
  }
}

finding "G-61" {
  title    = { en = "Patroni waits for a bootstrap that nobody does", zh = "Patroni 在等待一个无人执行的初始化" }
  layer    = "patroni"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "k8s."]
  explains = ["G-54", "G-88", "G-98", "G-105", "B-25"]

  line "waiting" {
    in       = ["container"]
    match    = "waiting for leader to bootstrap"
    strength = "strong"
  }

  fact "record" {
    of = "k8s.record"
    when = self.purpose == "config" && hasindex(self.annotations, "initialize") && self.age > 300 && anytrue([
      for p in facts.k8s_pod : p.role == "database" && !p.ready && p.age > 240 && p.place.cluster == self.place.cluster && p.place.namespace == self.place.namespace
      ]) && !anytrue([
      for c in facts.patroni_cluster : c.leader != "" && c.place.cluster == self.place.cluster && c.place.namespace == self.place.namespace
      ]) && !anytrue([
      for m in facts.patroni_member : m.place.cluster == self.place.cluster && m.place.namespace == self.place.namespace
      && (m.state == "running" || can(regex("init|bootstrap|creating", m.state)))
    ])
    strength = "strong"
  }

  require = ["waiting", "record"]

  cause = {
    en = "${record.type} ${record.name} says that cluster ${record.place.cluster} has been initialised${lookup(record.annotations, "initialize", "") == "" ? " (its initdb was begun and never ended)" : " (system ${record.annotations.initialize})"}, but no member has its data and nobody leads: it is left from an earlier cluster or an attempt that was killed. So every member waits for a leader that will never come."
    zh = "${record.type} ${record.name} 记录集群 ${record.place.cluster} 已经初始化${lookup(record.annotations, "initialize", "") == "" ? "（initdb 开始后被中断，从未完成）" : "（系统标识 ${record.annotations.initialize}）"}，但没有任何成员持有对应的数据，也没有主节点：这是旧集群或被中断的初始化留下的残留。所有成员都在等一个永远不会出现的主节点。"
  }
  check = {
    en = "kubectl -n ${record.place.namespace} get ${lower(record.type)} ${record.name} -o jsonpath='{.metadata.creationTimestamp} {.metadata.annotations.initialize}'; compare with the age of the cluster, and look whether a volume still has the data of that system."
    zh = "kubectl -n ${record.place.namespace} get ${lower(record.type)} ${record.name} -o jsonpath='{.metadata.creationTimestamp} {.metadata.annotations.initialize}'，与集群的创建时间比较，并确认没有哪个数据卷仍保存着该系统标识的数据。"
  }
  remedy = {
    en = "If no volume holds that database any more, take the mark away: kubectl -n ${record.place.namespace} annotate ${lower(record.type)} ${record.name} initialize-. A member bootstraps within ten seconds. If the data does exist elsewhere (another volume, a backup), bring that back instead: a new bootstrap makes an empty database."
    zh = "确认没有任何数据卷还保存着该数据库后，删除这个标记：kubectl -n ${record.place.namespace} annotate ${lower(record.type)} ${record.name} initialize-，十秒内会有成员开始初始化。如果数据其实还在（另一个卷或备份里），应先把数据恢复回来：重新初始化得到的是一个空库。"
  }

  fix {
    runbook = "fixes/patroni-records.hcl"
    vars    = { cluster = record.place.cluster, namespace = record.place.namespace, record = record.name, record_kind = record.type, system = lookup(record.annotations, "initialize", "") }
  }
}

finding "G-65" {
  title    = { en = "No replica is close enough to take over", zh = "没有任何副本满足接管主节点的条件" }
  layer    = "patroni"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-54", "G-66", "G-72", "G-105", "B-04"]

  line "behind" {
    in       = ["container"]
    match    = "My wal position exceeds maximum replication lag|[Mm]y timeline \\d+ is behind last known cluster timeline|not healthy enough for leader race"
    strength = "strong"
    past     = true
  }

  fact "unled" {
    of = "patroni.cluster"
    when = self.leader == "" && self.initialize != "" && anytrue([
      for m in facts.patroni_member : m.place.cluster == self.place.cluster && m.place.namespace == self.place.namespace && m.role != "leader" && m.reachable && contains(["running", "streaming", "in archive recovery"], m.state)
    ])
    strength = "strong"
  }

  require = ["behind", "unled"]

  cause = {
    en = "Cluster ${unled.place.cluster} has no leader. Its replicas run, but each says that it is further behind than maximum_lag_on_failover (${unled.max_lag > 0 ? unled.max_lag : 1048576} bytes) allows: Patroni would rather have no primary than lose that much."
    zh = "集群 ${unled.place.cluster} 没有主节点。副本都在运行，但落后量都超过 maximum_lag_on_failover（${unled.max_lag > 0 ? unled.max_lag : 1048576} 字节）：Patroni 宁可没有主节点，也不丢这么多数据。"
  }
  check = {
    en = "kubectl -n ${unled.place.namespace} exec ${behind.place.pod} -c database -- curl -s localhost:8009/cluster; then bring the old primary's pod and volume back if that is possible: it has the data."
    zh = "kubectl -n ${unled.place.namespace} exec ${behind.place.pod} -c database -- curl -s localhost:8009/cluster；并优先尝试恢复旧主节点的 Pod 和数据卷，最新的数据在那里。"
  }
  remedy = {
    en = "Best: start the old primary again. If it is lost for good, accept the loss knowingly: a manual failover to the replica with the highest WAL position, patronictl failover ${unled.place.cluster} --candidate MEMBER (or POST /failover with a candidate). Afterwards make the replicas keep up, or raise maximum_lag_on_failover."
    zh = "最好的办法是让旧主节点重新启动。如果它确实无法恢复，则在明确接受数据丢失的前提下，手动切换到 WAL 位置最新的副本：patronictl failover ${unled.place.cluster} --candidate 成员名（或向 /failover 提交 candidate）。之后再解决副本延迟问题，或调大 maximum_lag_on_failover。"
  }
}

finding "G-66" {
  title    = { en = "The role labels of the pods contradict Patroni's lock", zh = "Pod 的角色标签与 Patroni 的领导者锁不一致" }
  layer    = "service"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-72", "G-98", "G-105"]

  fact "extra" {
    of = "k8s.pod"
    when = self.role == "database" && self.leads && self.deleting < 0 && self.place.cluster != "" && anytrue([
      for c in facts.patroni_cluster : c.leader != "" && c.leader != self.name && c.place.cluster == self.place.cluster && c.place.namespace == self.place.namespace
    ])
    strength = "strong"
  }

  fact "missing" {
    of = "patroni.cluster"
    when = self.leader != "" && anytrue([
      for p in facts.k8s_pod : p.name == self.leader && p.place.namespace == self.place.namespace && p.ready && !p.leads && p.ready_age > 60
    ])
    strength = "strong"
  }

  cause = {
    en = try("Pod ${extra.name} still carries the label of a primary, while Patroni's lock belongs to another member (${one([for c in facts.patroni_cluster : c.leader if c.place.cluster == extra.place.cluster && c.place.namespace == extra.place.namespace])}). The service of the cluster goes by the label: some connections end on the wrong server.", "Pod ${missing.leader} holds Patroni's lock, but has no label of a primary. The service of cluster ${missing.place.cluster} goes by that label, so it leads nowhere.")
    zh = try("Pod ${extra.name} 仍带着主节点的角色标签，而 Patroni 的锁属于另一个成员（${one([for c in facts.patroni_cluster : c.leader if c.place.cluster == extra.place.cluster && c.place.namespace == extra.place.namespace])}）。集群的 Service 按标签转发，一部分连接会落到错误的服务器上。", "Pod ${missing.leader} 持有 Patroni 的锁，却没有主节点的角色标签。集群 ${missing.place.cluster} 的 Service 按该标签转发，因此没有后端。")
  }
  check = {
    en = "kubectl -n ${try(extra.place.namespace, missing.place.namespace)} get pods -L role -l pg-cluster=${try(extra.place.cluster, missing.place.cluster)}; kubectl -n ${try(extra.place.namespace, missing.place.namespace)} get cm ${try(extra.place.cluster, missing.place.cluster)}-leader -o jsonpath='{.metadata.annotations.leader}'"
    zh = "kubectl -n ${try(extra.place.namespace, missing.place.namespace)} get pods -L role -l pg-cluster=${try(extra.place.cluster, missing.place.cluster)}；kubectl -n ${try(extra.place.namespace, missing.place.namespace)} get cm ${try(extra.place.cluster, missing.place.cluster)}-leader -o jsonpath='{.metadata.annotations.leader}'"
  }
  remedy = {
    en = "Trust the lock, not the label. ${try("If ${extra.name} is on a node that is lost, delete the pod (kubectl -n ${extra.place.namespace} delete pod ${extra.name} --force --grace-period=0) once the node is surely off; else see in its log why its label cannot be changed.", "Patroni sets the label at every loop: see in the log of ${missing.leader} why it cannot (its right to patch pods), or restart that container.")}"
    zh = "以锁为准，不以标签为准。${try("如果 ${extra.name} 所在节点已失联，在确认该节点确实关机之后删除该 Pod（kubectl -n ${extra.place.namespace} delete pod ${extra.name} --force --grace-period=0）；否则查看它的日志，弄清标签为何改不了。", "Patroni 每个循环都会设置标签：查看 ${missing.leader} 的日志，弄清为什么设置不了（是否有 patch pods 的权限），或重启该容器。")}"
  }
}

finding "B-14" {
  title   = { en = "Patroni is paused: nothing fails over by itself", zh = "Patroni 处于暂停状态：不会自动故障切换" }
  layer   = "patroni"
  per     = "cluster"
  warning = true

  fact "paused" {
    of = "patroni.cluster"
    when = self.paused && self.leader != "" && !anytrue([
      for c in facts.pgo_cluster : c.generation == "4" && !c.autofail && c.name == self.place.cluster && c.place.namespace == self.place.namespace
    ])
    strength = "proof"
  }

  cause = {
    en = "Cluster ${paused.place.cluster} has been paused in Patroni, while the operator's record does not switch automatic failover off. If ${paused.leader} fails now, nobody takes over."
    zh = "集群 ${paused.place.cluster} 的 Patroni 被暂停，而 operator 的记录并没有关闭自动故障切换。如果 ${paused.leader} 此时故障，不会有副本接管。"
  }
  check  = { en = "patronictl list ${paused.place.cluster} says “Maintenance mode: on”.", zh = "patronictl list ${paused.place.cluster} 会显示 “Maintenance mode: on”。" }
  remedy = { en = "When the maintenance is over: patronictl resume ${paused.place.cluster} in a database container.", zh = "维护结束后，在数据库容器内执行 patronictl resume ${paused.place.cluster}。" }
}

finding "B-15" {
  title    = { en = "The cluster has no leader, and Patroni is paused", zh = "集群没有主节点，而 Patroni 处于暂停状态" }
  layer    = "patroni"
  per      = "cluster"
  steps    = ["pgo.", "patroni.", "sql.", "k8s."]
  explains = ["G-65", "G-66", "G-72", "G-105", "B-04"]

  fact "unled" {
    of       = "patroni.cluster"
    when     = self.paused && self.leader == "" && self.initialize != ""
    strength = "proof"
  }

  cause = {
    en = "Nobody leads cluster ${unled.place.cluster}, and Patroni is paused: it may neither promote a replica nor start a database that has stopped."
    zh = "集群 ${unled.place.cluster} 没有主节点，且 Patroni 处于暂停状态：它既不会提升副本，也不会启动已停止的数据库。"
  }
  check = { en = "patronictl list ${unled.place.cluster}: “Maintenance mode: on”, no Leader.", zh = "patronictl list ${unled.place.cluster}：显示 “Maintenance mode: on”，且没有 Leader。" }
  remedy = {
    en = "See first why it was paused (a maintenance that still goes on?). Then, in any database container: patronictl resume ${unled.place.cluster}. Within ten seconds the healthiest member becomes leader."
    zh = "先弄清当初为何暂停（是否仍在维护中）。然后在任一数据库容器内执行 patronictl resume ${unled.place.cluster}，十秒内最健康的成员会成为主节点。"
  }
}

finding "B-17" {
  title    = { en = "Two servers of one cluster take writes", zh = "同一集群有两台服务器同时可写（脑裂）" }
  layer    = "patroni"
  per      = "cluster"
  explains = ["G-62", "G-66", "G-72", "B-04", "B-05"]

  fact "second" {
    of = "pg.server"
    when = !self.recovery && self.error == "" && self.version != "" && self.place.cluster != "" && self.place.pod != "" && anytrue([
      for s in facts.pg_server : s.place.cluster == self.place.cluster && s.place.namespace == self.place.namespace && s.place.pod != "" && s.place.pod != self.place.pod && !s.recovery && s.error == "" && s.version != ""
    ])
    strength = "proof"
  }

  cause = {
    en = "In cluster ${second.place.cluster} these pods each answer as a primary: ${join(", ", sort([for s in facts.pg_server : s.place.pod if s.place.cluster == second.place.cluster && s.place.namespace == second.place.namespace && !s.recovery && s.error == "" && s.version != ""]))}. Every write that goes to the wrong one is lost later."
    zh = "集群 ${second.place.cluster} 中以下 Pod 都以主节点身份应答：${join("、", sort([for s in facts.pg_server : s.place.pod if s.place.cluster == second.place.cluster && s.place.namespace == second.place.namespace && !s.recovery && s.error == "" && s.version != ""]))}。写到错误那台上的数据之后都会丢失。"
  }
  check = {
    en = "select pg_is_in_recovery(), timeline_id from pg_control_checkpoint() in each; the one that Patroni's leader annotation names is the right one."
    zh = "在每台上执行 select pg_is_in_recovery(), timeline_id from pg_control_checkpoint()；Patroni 的 leader 注解所指的那台才是真正的主节点。"
  }
  remedy = {
    en = "At once: keep clients away from the one that does not hold Patroni's lock and stop it (pg_ctl stop -m fast in its container, or scale its Deployment to 0). Save what was written only there (pg_dump), then have it made anew as a replica: patronictl reinit."
    zh = "立即让客户端远离没有持有 Patroni 锁的那台，并将其停止（在其容器内 pg_ctl stop -m fast，或把它的 Deployment 缩容为 0）。先用 pg_dump 保存只写在那台上的数据，再用 patronictl reinit 把它重建为副本。"
  }
}
