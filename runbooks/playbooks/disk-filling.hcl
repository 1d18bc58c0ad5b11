# What grows, and where.

playbook "disk filling" {
  look "host.collect" "nodes" {
    on = target.nodes
  }

  look "sql.collect" "servers" {
    on = target.site
  }

  finding "a machine's disk fills" {
    when     = anytrue([for n in look.nodes : anytrue([for d in n.facts.node_disk : length(d.holds) > 0 && (d.percent >= 85 || d.inodes >= 85)])])
    cause    = "From 85 % on the kubelet deletes images, and evicts pods soon after."
    remedy   = "Take away what is old: images (crictl rmi --prune), logs, archives of images. Then find out what grows."
    evidence = flatten([for name, n in look.nodes : [for d in n.facts.node_disk : "${name}: ${d.path} (${join(", ", d.holds)}) ${d.percent} % used, ${floor(d.free / 1048576)} MiB free" if length(d.holds) > 0 && (d.percent >= 85 || d.inodes >= 85)]])
  }

  finding "a database's volume fills" {
    when     = anytrue([for d in look.servers.facts.pg_data : d.percent >= 80])
    cause    = "At 100 % the server stops, and starts no more until there is room."
    remedy   = "By what is below: WAL that waits for the archive or a slot, copies that failed bootstraps left, or the data itself (grow the volume)."
    evidence = [for d in look.servers.facts.pg_data : "${d.place.pod}: ${d.percent} % used, ${floor(d.free / 1048576)} MiB free, WAL ${floor(d.wal / 1048576)} MiB, ${length(d.copies)} left copies" if d.percent >= 80]
  }

  finding "failed bootstraps left copies" {
    when     = anytrue([for d in look.servers.facts.pg_data : length(d.copies) > 0])
    cause    = "Patroni renames the data directory of each failed bootstrap, and keeps it."
    remedy   = "Make sure that the cluster runs on the directory of its own name, then remove the copies (antdbctl diagnose --fix G-75 where it is offered)."
    evidence = flatten([for d in look.servers.facts.pg_data : [for c in d.copies : "${d.place.pod}: ${c}"]])
  }

  finding "WAL waits" {
    when   = anytrue([for a in look.servers.facts.pg_archiver : a.failing && a.pending > 16]) || anytrue([for s in look.servers.facts.pg_slot : !s.active && s.retained > 268435456])
    cause  = "WAL is kept until the archive has it and every slot has read it."
    remedy = "See the playbooks \"backup failing\" and \"replica lagging\"."
    evidence = concat(
      [for a in look.servers.facts.pg_archiver : "${a.place.pod}: ${a.pending} WAL files wait for the archive" if a.failing],
      [for s in look.servers.facts.pg_slot : "${s.place.pod}: slot ${s.name} keeps ${floor(s.retained / 1048576)} MiB" if !s.active],
    )
  }
}
