# A machine does not answer: what it carried, and whether that has gone elsewhere.

playbook "node lost" {
  look "k8s.collect" "cluster" {
    on = target.site
  }

  look "host.collect" "nodes" {
    on = target.nodes
  }

  finding "the cluster misses a node" {
    when     = anytrue([for n in look.cluster.facts.k8s_node : !n.ready])
    cause    = "Its kubelet does not report: the machine, its network, the kubelet or the container runtime is down."
    remedy   = "Log in to it (systemctl status kubelet containerd; df -h; journalctl -u kubelet). Pods of a StatefulSet or with local volumes do not move until it is back or deleted."
    evidence = [for n in look.cluster.facts.k8s_node : "node ${n.name} (${n.address}): ${n.reason} for ${floor(n.ready_age / 60)} min: ${n.message}" if !n.ready]
  }

  finding "pods of databases are on it" {
    when     = anytrue([for p in look.cluster.facts.k8s_pod : p.place.cluster != "" && anytrue([for n in look.cluster.facts.k8s_node : n.name == p.node && !n.ready])])
    cause    = "They do not serve. Where a replica runs elsewhere, Patroni hands over within its ttl; where none does, the database is down until the node is back."
    remedy   = "Check with patroni.status who leads. A local volume ties a member to its node: without the node, reinitialize the member elsewhere."
    evidence = [for p in look.cluster.facts.k8s_pod : "${p.name} on ${p.node}${p.leads ? ", the primary" : ""}" if p.place.cluster != "" && anytrue([for n in look.cluster.facts.k8s_node : n.name == p.node && !n.ready])]
  }

  finding "a machine cannot be logged in to" {
    when     = anytrue([for n in look.nodes : anytrue([for r in n.facts.node_reach : !r.reachable])])
    cause    = "SSH does not get there."
    remedy   = "When the cluster still has the node ready, only sshd or the way to it is at fault; otherwise go to the machine's console."
    evidence = flatten([for name, n in look.nodes : [for r in n.facts.node_reach : "${name}: ${r.error}" if !r.reachable]])
  }
}
