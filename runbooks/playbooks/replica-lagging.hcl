# How far behind are the replicas, and what keeps them.

playbook "replica lagging" {
  look "sql.collect" "servers" {
    on = target.site
  }

  look "patroni.collect" "members" {
    on = target.site
  }

  finding "a replica is far behind" {
    when   = anytrue([for r in look.servers.facts.pg_replication : r.lag > 67108864]) || anytrue([for m in look.members.facts.patroni_member : m.lag > 67108864])
    cause  = "It has not replayed what the primary wrote: the network or its disk is slower than the load, a query on it holds the replay up, or it copies the data anew."
    remedy = "Look at longest_query on the replica (max_standby_streaming_delay), at its disk and at the network. While it lags it cannot take over."
    evidence = concat(
      [for r in look.servers.facts.pg_replication : "${r.name}: ${r.state}, ${floor(r.lag / 1048576)} MiB behind" if r.lag > 1048576],
      [for s in look.servers.facts.pg_server : "${s.place.pod}: longest query ${s.longest_query} s" if s.recovery && s.longest_query > 60],
    )
  }

  finding "a replica does not stream" {
    when     = anytrue([for m in look.members.facts.patroni_member : m.reachable && m.role != "leader" && !contains(["running", "streaming", "creating replica", "starting"], m.state)])
    cause    = "It does not follow its primary at all."
    remedy   = "Its log says why: WAL that is gone or a timeline of its own need a new copy (antdbctl diagnose --fix G-62), a refused login needs its Secret."
    evidence = [for m in look.members.facts.patroni_member : "cluster ${m.place.cluster}, ${m.name}: ${m.role}, ${m.state}, timeline ${m.timeline}" if m.reachable && m.role != "leader"]
  }

  finding "a slot keeps WAL for nobody" {
    when     = anytrue([for s in look.servers.facts.pg_slot : !s.active && s.retained > 1073741824])
    cause    = "Its consumer is gone, and the primary keeps all WAL since, until its disk is full."
    remedy   = "Bring the consumer back, or drop the slot: select pg_drop_replication_slot('NAME')."
    evidence = [for s in look.servers.facts.pg_slot : "${s.place.pod}, slot ${s.name}: ${floor(s.retained / 1048576)} MiB" if !s.active]
  }
}
