# The machines below everything: certificates, memory and clocks.

finding "B-03" {
  title   = { en = "A certificate expires soon", zh = "证书即将过期" }
  layer   = "network"
  per     = "site"
  warning = true

  fact "soon" {
    of       = "certificate"
    when     = self.left >= 0 && self.left < 2592000 && self.where != ""
    strength = "proof"
  }

  cause  = { en = "The certificate of ${soon.where} (${soon.subject}) expires in ${floor(soon.left / 86400)} days.", zh = "${soon.where} 的证书（${soon.subject}）将在 ${floor(soon.left / 86400)} 天后过期。" }
  check  = { en = "kubeadm certs check-expiration; openssl x509 -noout -enddate.", zh = "kubeadm certs check-expiration；openssl x509 -noout -enddate。" }
  remedy = { en = "Renew it while it is still valid: kubeadm certs renew all (then restart the control plane), or the Secret pgo.tls of the operator.", zh = "在有效期内续签：kubeadm certs renew all（随后重启控制面），或更新 operator 的 Secret pgo.tls。" }
}

finding "B-11" {
  title   = { en = "A machine runs out of memory", zh = "节点内存不足" }
  layer   = "machine"
  per     = "node"
  warning = true

  fact "low" {
    of       = "node.memory"
    when     = self.total > 0 && self.available * 20 < self.total && self.available < 1073741824
    strength = "proof"
  }

  cause  = { en = "${low.place.node} has ${floor(low.available / 1048576)} of ${floor(low.total / 1048576)} MiB of memory left: the kernel will soon kill something, and a database is the largest.", zh = "${low.place.node} 只剩 ${floor(low.available / 1048576)} MiB 内存（共 ${floor(low.total / 1048576)} MiB）：内核随时可能杀进程，而数据库占用最大。" }
  check  = { en = "free -m; ps aux --sort=-rss | head; kubectl top pods -A --sort-by=memory.", zh = "free -m；ps aux --sort=-rss | head；kubectl top pods -A --sort-by=memory。" }
  remedy = { en = "Move pods away, give databases requests equal to their limits, and set shared_buffers to a quarter of the limit at most.", zh = "迁走部分 Pod，让数据库的 requests 等于 limits，shared_buffers 不超过内存限制的四分之一。" }
}

finding "B-12" {
  title    = { en = "A machine's clock is wrong", zh = "节点时钟偏差" }
  layer    = "machine"
  per      = "node"
  explains = ["G-86", "G-93"]

  fact "clock" {
    of       = "node.clock"
    when     = self.outlier && abs(self.offset) - self.error > 5
    strength = "proof"
  }

  cause = {
    en = "The clock of ${clock.place.node} is ${format("%.1f", abs(clock.offset))} s ${clock.offset > 0 ? "ahead of" : "behind"} the others${clock.synced ? "" : ", and no time service keeps it right"}. Leases, certificates and pgBackRest's file times go by it."
    zh = "${clock.place.node} 的时钟比其他机器${clock.offset > 0 ? "快" : "慢"} ${format("%.1f", abs(clock.offset))} 秒${clock.synced ? "" : "，且没有时间同步服务"}。租约、证书有效期和 pgBackRest 的文件时间都依赖时钟。"
  }
  check  = { en = "On ${clock.place.node}: date -u; chronyc tracking; chronyc sources -v.", zh = "在 ${clock.place.node} 上：date -u；chronyc tracking；chronyc sources -v。" }
  remedy = { en = "Start chrony with the site's time servers and let it step once: chronyc makestep. On a node with a primary switch over first: a jump may end its leases.", zh = "启动 chrony 并指向站点的时间服务器，执行一次 chronyc makestep。若节点上有主库，先做主备切换：时钟跳变可能使租约失效。" }

  fix {
    runbook = "fixes/clock.hcl"
    vars    = { node = clock.place.node }
  }
}

