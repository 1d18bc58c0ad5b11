# The operator: its apiserver, its records, its rights, its jobs.

finding "G-89" {
  title = { en = "The pgo client and the apiserver are of different versions", zh = "pgo 客户端与 apiserver 版本不一致" }
  layer = "operator"
  per   = "site"
  steps = ["pgo."]

  line "said" {
    in       = ["run", "operator"]
    match    = "pgo client and server version mismatch"
    strength = "strong"
  }

  fact "server" {
    of       = "pgo.apiserver"
    when     = strcontains(self.error, "version mismatch")
    strength = "proof"
  }

  cause  = { en = "PGO 4 serves only a client of exactly its own version${try(length(facts.pgo_apiserver[0].version) > 0 ? " (${facts.pgo_apiserver[0].version})" : "", "")}.", zh = "PGO 4 只接受与自身版本完全相同的客户端${try(length(facts.pgo_apiserver[0].version) > 0 ? "（${facts.pgo_apiserver[0].version}）" : "", "")}。" }
  check  = { en = "pgo version; curl -sk --cert client.crt --key client.key -u USER:PASSWORD https://APISERVER:8443/version", zh = "pgo version；curl -sk --cert client.crt --key client.key -u 用户:口令 https://APISERVER:8443/version" }
  remedy = { en = "Use the client of the server's version. If the operator was upgraded half-way, finish that: apiserver and operator must have the same image tag.", zh = "使用与服务端版本相同的客户端。若 operator 升级只做了一半，先完成升级：apiserver 与 operator 的镜像标签必须一致。" }
}

finding "G-90" {
  title = { en = "The operator's apiserver refuses the PGO user", zh = "operator 的 apiserver 拒绝 PGO 用户登录" }
  layer = "operator"
  per   = "site"
  steps = ["pgo."]

  line "said" {
    in       = ["run"]
    match    = "Basic Authentication credentials must be provided|Not authenticated in apiserver|Authentication Failed: 401"
    strength = "strong"
  }

  fact "server" {
    of       = "pgo.apiserver"
    when     = can(regex("\\b401\\b|Basic Authentication|Not authenticated in apiserver|Unauthorized", self.error))
    strength = "strong"
  }

  cause  = { en = "The apiserver answers 401: user or password are not those of a Secret pgouser-NAME in the operator's namespace, or the file has more than one line user:password.", zh = "apiserver 返回 401：用户名或口令与 operator 命名空间中的 Secret pgouser-NAME 不符，或凭据文件不止一行 user:password。" }
  check  = { en = "kubectl -n pgo get secrets -l pgo-pgouser=true; kubectl -n pgo get secret pgouser-NAME -o jsonpath='{.data.username}' | base64 -d; cat -A ~/.pgouser", zh = "kubectl -n pgo get secrets -l pgo-pgouser=true；kubectl -n pgo get secret pgouser-NAME -o jsonpath='{.data.username}' | base64 -d；cat -A ~/.pgouser" }
  remedy = { en = "Put the right user:password into the file that pgouser_file names (one line), or set PGOUSERNAME and PGOUSERPASS.", zh = "把正确的 user:password（仅一行）写入 pgouser_file 指向的文件，或设置 PGOUSERNAME 与 PGOUSERPASS。" }
}

finding "G-91" {
  title = { en = "The operator's apiserver allows this not: client certificate or role", zh = "operator 的 apiserver 拒绝该操作：缺少客户端证书或角色权限" }
  layer = "operator"
  per   = "site"
  steps = ["pgo."]

  line "said" {
    in       = ["run"]
    match    = "(?P<what>Client Certificate Required|Not authorized for this apiserver action)"
    strength = "strong"
  }

  fact "server" {
    of       = "pgo.apiserver"
    when     = can(regex("Client Certificate Required|Not authorized for this apiserver action", self.error))
    strength = "proof"
  }

  cause  = { en = "${strcontains(try(said.what, server.error), "Certificate") ? "The apiserver was called without a client certificate." : "The role of this PGO user (Secret pgorole-…) lacks the permission for that call."}", zh = "${strcontains(try(said.what, server.error), "Certificate") ? "调用 apiserver 时没有提供客户端证书。" : "该 PGO 用户的角色（Secret pgorole-…）没有此操作的权限。"}" }
  check  = { en = "PGO_CLIENT_CERT, PGO_CLIENT_KEY and PGO_CA_CERT, or api { cert, key, ca } of the step; kubectl -n pgo get secret pgorole-ROLE -o jsonpath='{.data.permissions}' | base64 -d", zh = "检查 PGO_CLIENT_CERT、PGO_CLIENT_KEY、PGO_CA_CERT，或步骤中的 api { cert, key, ca }；kubectl -n pgo get secret pgorole-ROLE -o jsonpath='{.data.permissions}' | base64 -d" }
  remedy = { en = "Give cert and key of Secret pgo.tls; or add the permission: pgo update pgorole ROLE --permissions=….", zh = "使用 Secret pgo.tls 中的证书和私钥；或补充权限：pgo update pgorole ROLE --permissions=…。" }
}

finding "G-92" {
  title = { en = "TLS to the operator's apiserver or the API server fails: wrong certificate or authority", zh = "TLS 握手失败：证书或 CA 不匹配" }
  layer = "operator"
  per   = "site"
  steps = ["pgo.", "k8s."]

  line "said" {
    in       = ["run"]
    match    = "(?P<what>remote error: tls: (?:bad certificate|unknown certificate authority|certificate required)|x509: certificate signed by unknown authority|x509: certificate is (?:valid for|not valid for) .{0,120}|tls: first record does not look like a TLS handshake)"
    strength = "strong"
  }

  fact "server" {
    of       = "pgo.apiserver"
    when     = can(regex("tls: bad certificate|unknown (certificate )?authority|certificate is (valid for|not valid for)|first record does not look like a TLS handshake", self.error))
    strength = "strong"
  }

  fact "kube" {
    of       = "k8s.apiserver"
    when     = can(regex("signed by unknown authority|certificate is (valid for|not valid for)|first record does not look like", self.error))
    strength = "strong"
  }

  cause  = { en = "${try(said.what, server.error, kube.error)}: the CA file is not the one that signed the server's certificate, the client's certificate comes from another installation, or the name in it is another (PGO's is pgo-apiserver). “First record …” means that the other side speaks plain HTTP (DISABLE_TLS).", zh = "${try(said.what, server.error, kube.error)}：CA 文件不是签发服务端证书的那个、客户端证书来自另一套安装，或证书中的名称不同（PGO 的是 pgo-apiserver）。若提示 “first record …”，说明对端是明文 HTTP（DISABLE_TLS）。" }
  check  = { en = "openssl s_client -connect HOST:8443 -showcerts </dev/null | openssl x509 -noout -subject -issuer -ext subjectAltName; compare with ca.crt.", zh = "openssl s_client -connect HOST:8443 -showcerts </dev/null | openssl x509 -noout -subject -issuer -ext subjectAltName，与 ca.crt 比较。" }
  remedy = { en = "Take ca.crt, client.crt and client.key anew from the operator's Secret pgo.tls (the kubeconfig from the cluster's administrator).", zh = "从 operator 的 Secret pgo.tls 重新获取 ca.crt、client.crt、client.key（kubeconfig 则向集群管理员索取）。" }
}

finding "G-93" {
  title    = { en = "A certificate has expired, or is not valid yet", zh = "证书已过期或尚未生效" }
  layer    = "network"
  per      = "site"
  explains = ["G-60", "G-89", "G-92", "G-97", "B-03", "B-18", "B-22"]

  fact "expired" {
    of       = "certificate"
    when     = self.left < 0 || self.starts > 5
    strength = "proof"
  }

  line "said" {
    in       = ["run", "operator", "kubelet", "container"]
    match    = "certificate has expired or is not yet valid(?:: current time (?P<now>\\S+) is (?P<how>before|after) (?P<limit>\\S+))?"
    strength = "strong"
  }

  cause = {
    en = try(expired.left < 0 ? "The certificate of ${expired.where} (${expired.subject}) expired ${floor(-expired.left / 86400)} days ago." : "The certificate of ${expired.where} (${expired.subject}) begins in ${floor(expired.starts / 60)} minutes: it was made on a machine whose clock is ahead, or this clock is behind.", "A connection was refused because a certificate is out of its time${said.how != null ? ": at ${said.now}, ${said.how} ${said.limit}" : ""}.")
    zh = try(expired.left < 0 ? "${expired.where} 的证书（${expired.subject}）已于 ${floor(-expired.left / 86400)} 天前过期。" : "${expired.where} 的证书（${expired.subject}）还要 ${floor(expired.starts / 60)} 分钟才生效：签发机器的时钟偏快，或本机时钟偏慢。", "证书不在有效期内，连接被拒绝${said.how != null ? "：当前时间 ${said.now}，${said.how == "after" ? "晚于" : "早于"} ${said.limit}" : ""}。")
  }
  check  = { en = "openssl x509 -noout -dates -in FILE; date on every machine; kubeadm certs check-expiration.", zh = "openssl x509 -noout -dates -in 文件；在每台机器上执行 date；kubeadm certs check-expiration。" }
  remedy = { en = "Renew it (kubeadm certs renew all and restart the control plane; the operator's Secret pgo.tls and its pods). Not valid yet: set the clocks right by chrony.", zh = "续签证书（kubeadm certs renew all 后重启控制面；operator 则更新 Secret pgo.tls 并重启其 Pod）。若是尚未生效，用 chrony 校准时钟。" }
}

finding "G-94" {
  title    = { en = "The operator does not manage this namespace", zh = "operator 不管理该命名空间" }
  layer    = "operator"
  per      = "site"
  steps    = ["pgo."]
  explains = ["G-99"]

  line "said" {
    in       = ["run"]
    match    = "user \\[(?P<user>[^\\]]*)\\] is not allowed access to namespace \\[(?P<denied>[^\\]]*)\\]|namespace \\[(?P<foreign>[^\\]]*)\\] is not part of the Operator installation|requested Namespace was not found to be in the list of Namespaces being watched"
    strength = "proof"
  }

  cause  = { en = "${said.denied != null ? "PGO user ${said.user} has no access to namespace ${said.denied}." : "Namespace ${said.foreign != null ? said.foreign : "of the request"} lacks the labels by which the operator knows its own (vendor=crunchydata, pgo-installation-name), or is not in its list."}", zh = "${said.denied != null ? "PGO 用户 ${said.user} 无权访问命名空间 ${said.denied}。" : "命名空间 ${said.foreign != null ? said.foreign : ""} 没有 operator 用来识别的标签（vendor=crunchydata、pgo-installation-name），或不在其监视列表中。"}" }
  check  = { en = "pgo show namespace --all; kubectl get ns --show-labels; pgo show pgouser NAME", zh = "pgo show namespace --all；kubectl get ns --show-labels；pgo show pgouser NAME" }
  remedy = { en = "pgo create namespace NAME (or pgo update namespace NAME for one that is there); for the user: pgo update pgouser USER --pgouser-namespaces=….", zh = "pgo create namespace NAME（已存在时用 pgo update namespace NAME）；用户权限：pgo update pgouser USER --pgouser-namespaces=…。" }
}

finding "G-96" {
  title    = { en = "A task of an earlier cluster is in the way of its creation", zh = "旧集群遗留的任务阻止了集群创建" }
  layer    = "operator"
  per      = "cluster"
  steps    = ["pgo."]
  explains = ["G-98", "G-99"]

  fact "task" {
    of       = "pgo.task"
    when     = endswith(self.name, "-createcluster") && !self.cluster_exists && self.age >= 30
    strength = "proof"
  }

  line "said" {
    in       = ["run", "operator"]
    match    = "pgtasks\\.crunchydata\\.com \"(?P<task>[a-z0-9.-]+-createcluster)\" already exists"
    strength = "strong"
  }

  unless = said != null && task == null && anytrue([for c in facts.pgo_cluster : "${c.name}-createcluster" == said.task])

  cause = {
    en = "Pgtask ${try(task.name, said.task)} is left from an earlier cluster of that name, which is gone. The apiserver answers a create with “ok” and this error beside it, and creates nothing."
    zh = "Pgtask ${try(task.name, said.task)} 是同名旧集群的遗留物，该集群已不存在。apiserver 对创建请求回答 “ok” 并附带此错误，实际上什么也没有创建。"
  }
  check  = { en = "kubectl -n ${try(task.place.namespace, "NAMESPACE")} get pgtasks,pgclusters", zh = "kubectl -n ${try(task.place.namespace, "NAMESPACE")} get pgtasks,pgclusters" }
  remedy = { en = "See that no Pgcluster of that name is there, then: kubectl -n ${try(task.place.namespace, "NAMESPACE")} delete pgtask ${try(task.name, said.task)}. Create the cluster again; pgo.cluster takes such a task away by itself.", zh = "确认没有同名 Pgcluster 后：kubectl -n ${try(task.place.namespace, "NAMESPACE")} delete pgtask ${try(task.name, said.task)}，再重新创建集群；pgo.cluster 步骤会自动清理这类任务。" }

  fix {
    runbook = "fixes/stale-pgtask.hcl"
    vars    = { namespace = task.place.namespace, task = task.name, cluster = trimsuffix(task.name, "-createcluster") }
  }
}

finding "G-97" {
  title = { en = "The operator's apiserver does not answer", zh = "operator 的 apiserver 无响应" }
  layer = "operator"
  per   = "site"
  steps = ["pgo."]

  fact "server" {
    of       = "pgo.apiserver"
    when     = !self.reachable && can(regex("connection refused|502|connection reset|EOF|no endpoints|timeout|deadline exceeded", self.error))
    strength = "strong"
  }

  line "said" {
    in       = ["run"]
    match    = "dial tcp (?P<address>\\S+:8443): (?:connect: )?connection refused"
    strength = "strong"
  }

  cause  = { en = "Nothing answers at ${try(server.url, said.address)}${try(": ${server.error}", "")}: the apiserver's container is not ready, or the port-forward to it has ended.", zh = "${try(server.url, said.address)} 无响应${try("：${server.error}", "")}：apiserver 容器未就绪，或到它的端口转发已断开。" }
  check  = { en = "kubectl -n pgo get pods; kubectl -n pgo logs deploy/postgres-operator -c apiserver --tail=20; curl -sk https://…:8443/healthz", zh = "kubectl -n pgo get pods；kubectl -n pgo logs deploy/postgres-operator -c apiserver --tail=20；curl -sk https://…:8443/healthz" }
  remedy = { en = "Apply again: antdbctl makes a port-forward of its own unless a URL is given. If the container does not become ready, its log says why (Secrets pgo.tls, pgorole-…, ConfigMap pgo-config).", zh = "重新执行 apply：未指定 URL 时 antdbctl 会自行建立端口转发。若容器一直未就绪，其日志会说明原因（Secret pgo.tls、pgorole-…，ConfigMap pgo-config）。" }
}

finding "G-98" {
  title    = { en = "The operator missed that the database became ready: the creation never ends", zh = "operator 错过了数据库就绪事件：创建流程一直未完成" }
  layer    = "operator"
  per      = "cluster"
  steps    = ["pgo.", "backup."]
  explains = ["G-88", "B-27"]

  fact "open" {
    of = "pgo.workflow"
    when = !self.completed && self.age > 900 && anytrue([
      for p in facts.k8s_pod : p.role == "database" && p.leads && p.ready && p.ready_age > 300 && p.place.cluster == self.place.cluster && p.place.namespace == self.place.namespace
      ]) && !anytrue([
      for s in facts.pgbackrest_stanza : s.code == 0 && s.backups > 0 && s.place.cluster == self.place.cluster && s.place.namespace == self.place.namespace
      ]) && !anytrue([
      for j in facts.k8s_job : contains(["stanza-create", "backup"], j.purpose) && j.place.cluster == self.place.cluster && j.place.namespace == self.place.namespace
    ])
    strength = "strong"
  }

  cause = {
    en = "The primary of cluster ${open.place.cluster} is ready, but its workflow stands at “${open.last}” since ${floor(open.age / 60)} minutes, and there is no stanza-create job: the operator acts on the moment in which the pod becomes ready, and was not there${try(" (its pod started ${floor(one(facts.pgo_operator[*].started) / 60)} minutes ago)", "")}."
    zh = "集群 ${open.place.cluster} 的主节点已就绪，但工作流停在 “${open.last}” 已 ${floor(open.age / 60)} 分钟，也没有 stanza-create 作业：operator 只在 Pod 变为就绪的那一刻动作，而当时它不在${try("（它的 Pod 启动于 ${floor(one(facts.pgo_operator[*].started) / 60)} 分钟前）", "")}。"
  }
  check  = { en = "pgo show workflow ID; kubectl -n pgo get pods (age and restarts of the operator); the pod's label autofail must be there.", zh = "pgo show workflow ID；kubectl -n pgo get pods（operator 的启动时间与重启次数）；确认 Pod 上有 autofail 标签。" }
  remedy = { en = "Let the pod become ready once more while the operator runs: restart the primary's database container once (its clients are cut off for some seconds). Then stanza, backup and replicas follow.", zh = "在 operator 运行时让 Pod 再次变为就绪：重启一次主节点的 database 容器（客户端会中断数秒），随后 stanza、备份和副本会依次创建。" }
}

finding "G-99" {
  title = { en = "The operator has a cluster on record and does nothing about it", zh = "operator 记录了集群却没有任何动作" }
  layer = "operator"
  per   = "cluster"
  steps = ["pgo."]

  fact "stuck" {
    of = "pgo.cluster"
    when = self.generation == "4" && self.pods == 0 && self.age > 300 && !self.shutdown && !anytrue([
      for w in facts.k8s_workload : w.place.cluster == self.place.cluster && w.place.namespace == self.place.namespace && !strcontains(w.name, "backrest")
      ]) && !anytrue([
      for j in facts.k8s_job : j.purpose == "rmdata" && j.place.cluster == self.place.cluster && j.place.namespace == self.place.namespace
    ])
    strength = "strong"
  }

  line "said" {
    in       = ["operator"]
    match    = "(?P<what>cluster add - pgcluster not found, this is invalid|dep already found, not creating again|current-primary.{0,60}not found|secrets? .{0,4}pgo-backrest-repo-config.{0,4} not found)"
    strength = "hint"
    past     = true
  }

  cause = {
    en = "Pgcluster ${stuck.name} is “${stuck.status}” for ${floor(stuck.age / 60)} minutes, and there is no Deployment for it.${try(" The operator's log says: ${said.what}.", "")}${try(" Pgreplica ${[for r in facts.pgo_replica : r.name if !r.cluster_exists][0]} has no cluster: one like that ends the operator's worker for good.", "")}"
    zh = "Pgcluster ${stuck.name} 处于 “${stuck.status}” 已 ${floor(stuck.age / 60)} 分钟，却没有对应的 Deployment。${try("operator 日志：${said.what}。", "")}${try("Pgreplica ${[for r in facts.pgo_replica : r.name if !r.cluster_exists][0]} 没有对应的集群：这类孤儿对象会使 operator 的工作协程永久退出。", "")}"
  }
  check  = { en = "kubectl -n ${stuck.place.namespace} get deploy,pgreplicas,pgtasks; kubectl -n pgo logs deploy/postgres-operator -c operator --tail=100", zh = "kubectl -n ${stuck.place.namespace} get deploy,pgreplicas,pgtasks；kubectl -n pgo logs deploy/postgres-operator -c operator --tail=100" }
  remedy = { en = "Take the object that confuses it away (a Pgreplica without cluster, a Deployment of an earlier cluster of that name; in 4.7 a missing annotation current-primary or Secret pgo-backrest-repo-config), restart the operator (kubectl -n pgo rollout restart deploy/postgres-operator), delete the Pgcluster and create it again.", zh = "清除造成混乱的对象（没有集群的 Pgreplica、同名旧集群的 Deployment；4.7 中还可能缺少 current-primary 注解或 Secret pgo-backrest-repo-config），重启 operator（kubectl -n pgo rollout restart deploy/postgres-operator），再删除并重新创建 Pgcluster。" }

  require = ["stuck"]
}

finding "G-100" {
  title    = { en = "This Kubernetes is too new for the operator's definitions", zh = "Kubernetes 版本过新，不支持 operator 的 CRD 定义" }
  layer    = "operator"
  per      = "site"
  steps    = ["k8s.", "pgo.", "host."]
  explains = ["G-97", "G-99", "B-18"]

  line "said" {
    in       = ["run", "operator"]
    match    = "no matches for kind \"CustomResourceDefinition\" in version \"apiextensions\\.k8s\\.io/v1beta1\"|the server could not find the requested resource.{0,40}customresourcedefinitions"
    strength = "proof"
  }

  cause  = { en = "apiextensions.k8s.io/v1beta1 is gone since Kubernetes 1.22${try("; this one is ${facts.k8s_apiserver[0].version}", "")}. PGO 4 brings its definitions in that version.", zh = "apiextensions.k8s.io/v1beta1 自 Kubernetes 1.22 起已移除${try("，当前版本为 ${facts.k8s_apiserver[0].version}", "")}，而 PGO 4 的 CRD 用的是该版本。" }
  check  = { en = "kubectl version; kubectl api-versions | grep apiextensions", zh = "kubectl version；kubectl api-versions | grep apiextensions" }
  remedy = { en = "Apply the definitions by k8s.apply, which rewrites them as v1, or use PGO 5 or later.", zh = "用 k8s.apply 应用这些定义（会自动改写为 v1），或改用 PGO 5 及以上。" }
}

finding "G-101" {
  title    = { en = "The operator lacks rights in the cluster", zh = "operator 缺少集群权限" }
  layer    = "operator"
  per      = "site"
  steps    = ["pgo.", "k8s."]
  explains = ["G-56", "G-94", "G-97", "G-98", "G-99", "G-106", "B-18"]

  fact "right" {
    of       = "k8s.access"
    when     = !self.allowed && self.exists && can(regex(":(postgres-operator|pgo)$", self.who))
    strength = "proof"
  }

  line "said" {
    in       = ["operator"]
    match    = "(?P<resource>[a-z]+(?:\\.(?:postgres-operator\\.)?crunchydata\\.com|\\.apps|\\.batch)?) .{0,40}is forbidden: User .{0,4}(?P<who>system:serviceaccount:[a-z0-9-]+:(?:postgres-operator|pgo)).{0,4} cannot (?P<verb>[a-z]+)"
    strength = "strong"
    past     = true
  }

  # Told to be allowed, or the operator is in order again.
  unless = right == null && (anytrue([for a in facts.k8s_access : a.who == said.who && a.allowed]) || anytrue([for o in facts.pgo_operator : o.ready]))

  cause  = { en = "${try(right.who, said.who)} may not ${try(right.verb, said.verb)} ${try(right.resource, said.resource)}${try(" in ${right.place.namespace == "" ? null : right.place.namespace}", "")}: the operator sees no clusters, or cannot make what they need.", zh = "${try(right.who, said.who)} 没有对 ${try(right.resource, said.resource)} 执行 ${try(right.verb, said.verb)} 的权限${try("（命名空间 ${right.place.namespace == "" ? null : right.place.namespace}）", "")}：operator 看不到集群，或无法创建所需对象。" }
  check  = { en = "kubectl auth can-i ${try(right.verb, said.verb)} ${try(right.resource, said.resource)} --as=${try(right.who, said.who)}", zh = "kubectl auth can-i ${try(right.verb, said.verb)} ${try(right.resource, said.resource)} --as=${try(right.who, said.who)}" }
  remedy = { en = "Run the operator's install-rbac once more (PGO 4: make installrbac, or pgo update namespace for one namespace; PGO 5: kubectl apply -k kustomize/install), then restart the operator.", zh = "重新执行 operator 的 RBAC 安装（PGO 4：make installrbac，单个命名空间用 pgo update namespace；PGO 5：kubectl apply -k kustomize/install），然后重启 operator。" }
}

finding "G-102" {
  title    = { en = "The operator's own image cannot be had", zh = "无法获取 operator 自身的镜像" }
  layer    = "image"
  per      = "site"
  steps    = ["pgo.", "k8s."]
  explains = ["G-20", "G-21", "G-97", "G-98", "G-99", "B-18"]

  fact "image" {
    of = "k8s.container"
    when = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"], self.reason) && anytrue([
      for p in facts.k8s_pod : p.name == self.place.pod && p.place.namespace == self.place.namespace && p.role == "operator"
    ])
    strength = "proof"
  }

  cause  = { en = "Node ${image.place.node} has no image ${image.image} for the operator's container ${image.place.container}, and cannot pull it (${image.reason})${startswith(image.image, "us.gcr.io/") ? ". us.gcr.io/container-suite is the shipped prefix: it is not to be had offline" : ""}.", zh = "节点 ${image.place.node} 上没有 operator 容器 ${image.place.container} 所需的镜像 ${image.image}，也无法拉取（${image.reason}）${startswith(image.image, "us.gcr.io/") ? "。us.gcr.io/container-suite 是出厂默认前缀，离线环境无法访问" : ""}。" }
  check  = { en = "kubectl -n ${image.place.namespace} describe pod ${image.place.pod}; crictl images on ${image.place.node}.", zh = "kubectl -n ${image.place.namespace} describe pod ${image.place.pod}；在 ${image.place.node} 上 crictl images。" }
  remedy = { en = "Ship the image to every node on which the operator may run (image.ship), or correct PGO_IMAGE_PREFIX and the tag in its Deployment.", zh = "把镜像分发到 operator 可能运行的每个节点（image.ship），或修正其 Deployment 中的 PGO_IMAGE_PREFIX 与标签。" }
}

finding "G-106" {
  title    = { en = "A cluster's removal has not ended: objects of it remain", zh = "集群删除未完成，仍有残留对象" }
  layer    = "operator"
  per      = "cluster"
  steps    = ["pgo."]
  explains = ["G-20", "G-96", "G-99"]

  fact "job" {
    of = "k8s.job"
    when = self.purpose == "rmdata" && (self.over == "Failed" || (self.over == "" && self.active > 0 && self.age > 600)) && !anytrue([
      for j in facts.k8s_job : j.purpose == "rmdata" && j.succeeded > 0 && j.age < self.age && j.place.cluster == self.place.cluster && j.place.namespace == self.place.namespace
      ]) && !anytrue([
      for p in facts.k8s_pod : p.role == "database" && p.ready && p.age < self.age && p.place.cluster == self.place.cluster && p.place.namespace == self.place.namespace
    ])
    strength = "strong"
  }

  line "why" {
    in       = ["job"]
    match    = "(?P<what>panic: .{0,120}|.{0,60} is forbidden: .{0,120})"
    strength = "hint"
    past     = true
  }

  cause  = { en = "Job ${job.name}, which removes cluster ${job.place.cluster}, ${job.over == "Failed" ? "has failed${job.message != "" ? " (${job.message})" : ""}" : "has hung for ${floor(job.age / 60)} minutes"}${try(one([for c in facts.k8s_container : c.image if c.state == "waiting" && strcontains(c.place.pod, job.name) && strcontains(c.reason, "Image")]) != null ? ": its image ${one([for c in facts.k8s_container : c.image if c.state == "waiting" && strcontains(c.place.pod, job.name) && strcontains(c.reason, "Image")])} is not on the node" : "", "")}. What is left makes the next creation fail with “exists”.", zh = "删除集群 ${job.place.cluster} 的作业 ${job.name} ${job.over == "Failed" ? "失败${job.message != "" ? "（${job.message}）" : ""}" : "已卡住 ${floor(job.age / 60)} 分钟"}${try(one([for c in facts.k8s_container : c.image if c.state == "waiting" && strcontains(c.place.pod, job.name) && strcontains(c.reason, "Image")]) != null ? "：节点上没有它的镜像 ${one([for c in facts.k8s_container : c.image if c.state == "waiting" && strcontains(c.place.pod, job.name) && strcontains(c.reason, "Image")])}" : "", "")}。残留对象会使下次创建报 “exists”。" }
  check  = { en = "kubectl -n ${job.place.namespace} logs job/${job.name}; kubectl -n ${job.place.namespace} get all,cm,secret,pvc,pgtasks,pgclusters -l pg-cluster=${job.place.cluster}", zh = "kubectl -n ${job.place.namespace} logs job/${job.name}；kubectl -n ${job.place.namespace} get all,cm,secret,pvc,pgtasks,pgclusters -l pg-cluster=${job.place.cluster}" }
  remedy = { en = "Image missing: ship pgo-rmdata to the nodes, and the job goes on. Otherwise delete the job, and delete the cluster again (antdbctl destroy, or pgo delete cluster); what stays then is deleted by label pg-cluster=${job.place.cluster}, claims last and only if their data is not wanted.", zh = "缺镜像：把 pgo-rmdata 分发到节点，作业会继续。否则删除该作业后再次删除集群（antdbctl destroy 或 pgo delete cluster）；仍有残留时按标签 pg-cluster=${job.place.cluster} 清理，PVC 放在最后，且仅在确认不再需要数据时删除。" }
}

finding "G-109" {
  title    = { en = "A sidecar's image is missing under the cluster's tag", zh = "边车容器的镜像缺少集群所用的标签" }
  layer    = "image"
  per      = "pod"
  steps    = ["pgo.", "k8s."]
  explains = ["G-20", "G-21", "G-54", "G-98"]

  fact "sidecar" {
    of       = "k8s.container"
    when     = self.state == "waiting" && contains(["ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"], self.reason) && can(regex("^(collect|pgbadger|exporter)$", self.place.container))
    strength = "proof"
  }

  cause  = { en = "Container ${sidecar.place.container} of pod ${sidecar.place.pod} needs ${sidecar.image}, which node ${sidecar.place.node} does not have. PGO 4 gives metrics and pgBadger sidecars the tag of the database image; with “latest” the kubelet even insists on pulling. The pod stays unready although the database runs.", zh = "Pod ${sidecar.place.pod} 的容器 ${sidecar.place.container} 需要镜像 ${sidecar.image}，而节点 ${sidecar.place.node} 上没有。PGO 4 让监控和 pgBadger 边车使用与数据库镜像相同的标签；标签为 latest 时 kubelet 还会强制拉取。数据库虽在运行，Pod 却一直不就绪。" }
  check  = { en = "kubectl -n ${sidecar.place.namespace} get pod ${sidecar.place.pod} -o jsonpath='{range .status.containerStatuses[*]}{.name} {.image} {.ready}{\"\\n\"}{end}'", zh = "kubectl -n ${sidecar.place.namespace} get pod ${sidecar.place.pod} -o jsonpath='{range .status.containerStatuses[*]}{.name} {.image} {.ready}{\"\\n\"}{end}'" }
  remedy = { en = "Tag a copy of the sidecar's image ${sidecar.image} and ship it to every node (image.tag, image.ship), with a tag other than latest; or create the cluster without --metrics and --pgbadger.", zh = "把边车镜像打上标签 ${sidecar.image} 并分发到每个节点（image.tag、image.ship），不要用 latest；或创建集群时不带 --metrics 和 --pgbadger。" }
}

finding "B-18" {
  title    = { en = "The operator does not run", zh = "operator 未运行" }
  layer    = "operator"
  per      = "site"
  steps    = ["pgo.", "backup."]
  explains = ["G-97", "G-98", "G-99"]

  fact "down" {
    of       = "pgo.operator"
    when     = !self.ready && (self.started < 0 || self.started > 120)
    strength = "strong"
  }

  cause  = { en = "Operator ${down.name} in ${down.place.namespace} is not ready (${down.restarts} restarts): databases go on, but nothing is created, scaled, backed up or removed.", zh = "${down.place.namespace} 中的 operator ${down.name} 未就绪（已重启 ${down.restarts} 次）：数据库照常运行，但无法创建、扩缩容、备份或删除。" }
  check  = { en = "kubectl -n ${down.place.namespace} get pods; kubectl -n ${down.place.namespace} logs deploy/${down.name} --all-containers --tail=50", zh = "kubectl -n ${down.place.namespace} get pods；kubectl -n ${down.place.namespace} logs deploy/${down.name} --all-containers --tail=50" }
  remedy = { en = "Its log says what it lacks (rights, Secrets, definitions, configuration). Restarting it harms no database: kubectl -n ${down.place.namespace} rollout restart deploy/${down.name}.", zh = "其日志会说明缺什么（权限、Secret、CRD、配置）。重启 operator 不影响数据库：kubectl -n ${down.place.namespace} rollout restart deploy/${down.name}。" }
}
