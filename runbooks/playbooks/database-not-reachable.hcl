# Clients do not get through. From the inside out: a leader, a server that lets
# in, a Service that leads to it, names that resolve.

playbook "database not reachable" {
  look "k8s.collect" "cluster" {
    on = target.site
  }

  look "patroni.collect" "members" {
    on = target.site
  }

  look "sql.collect" "servers" {
    on = target.site
  }

  finding "a cluster has no leader" {
    when   = anytrue([for c in look.members.facts.patroni_cluster : c.leader == "" || !anytrue([for m in look.members.facts.patroni_member : m.role == "leader" && m.place.cluster == c.name])])
    cause  = "Nobody accepts writes. With one member left it waits for it; with several, none may take over."
    remedy = "See the members' states below. A member that cannot start says why in its log; patroni.switchover and the runbook antdb-failover-drill are for healthy clusters."
    evidence = [for m in look.members.facts.patroni_member : "cluster ${m.place.cluster}, ${m.name}: ${m.error == "" ? "${m.role}, ${m.state}" : m.error}"
    if !anytrue([for l in look.members.facts.patroni_member : l.role == "leader" && l.place.cluster == m.place.cluster])]
  }

  finding "a Service leads nowhere" {
    when     = anytrue([for s in look.cluster.facts.k8s_service : s.database && s.ready == 0])
    cause    = "No ready pod has the labels that the Service selects: the role label is missing, or the pod is not ready."
    remedy   = "Compare the selector with the pods' labels (kubectl get pods --show-labels). Patroni sets the role label; without the right to patch pods it cannot."
    evidence = [for s in look.cluster.facts.k8s_service : "service ${s.name} selects ${jsonencode(s.selector)}: ${s.not_ready} pods not ready" if s.database && s.ready == 0]
  }

  finding "a server is full" {
    when     = anytrue([for s in look.servers.facts.pg_server : s.max_connections > 0 && s.connections >= s.max_connections - 3])
    cause    = "All connections are taken; new ones are refused."
    remedy   = "See who holds them (select state, usename, client_addr, count(*) from pg_stat_activity group by 1, 2, 3); end those that idle, put a pool before it, or raise max_connections with antdb-tune."
    evidence = [for s in look.servers.facts.pg_server : "${s.place.pod}: ${s.connections} of ${s.max_connections}, longest idle in a transaction ${s.idle_in_tx} s" if s.max_connections > 0]
  }

  finding "a server does not answer" {
    when     = anytrue([for s in look.servers.facts.pg_server : s.error != ""])
    cause    = "The server in this container cannot be asked."
    remedy   = "Read its log for the first FATAL of this start."
    evidence = [for s in look.servers.facts.pg_server : "${s.place.pod}: ${s.error}" if s.error != ""]
  }

  finding "names do not resolve" {
    when     = anytrue([for d in look.cluster.facts.k8s_dns : d.wants > 0 && d.ready == 0])
    cause    = "No CoreDNS pod is ready: addresses work, names do not."
    remedy   = "kubectl -n kube-system get pods -l k8s-app=kube-dns; until it is back, clients may use the Service's address."
    evidence = [for d in look.cluster.facts.k8s_dns : "DNS: ${d.ready} of ${d.wants} ready"]
  }
}
