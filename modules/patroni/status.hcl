target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "patroni.status" "cluster" {
  on      = target.lab
  cluster = "antdb"

  expect "one member leads, and all others follow closely" {
    that = self.healthy && self.max_lag < 1048576
    hint = "The problems are: ${join("; ", self.problems)}"
  }
}

step "patroni.status" "on_hosts" {
  on      = target.nodes
  members = ["10.0.0.11:8008", "10.0.0.12:8008"]
}

step "sql.query" "server" {
  on  = step.cluster.primary
  sql = "select pg_is_in_recovery() as standby"
}
