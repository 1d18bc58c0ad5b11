step "host.command" "initdb" {
  on      = target.nodes
  command = ["initdb", "--pgdata", "/data/antdb/pgdata", "--auth", "scram-sha-256", "--pwfile", "/dev/stdin"]
  stdin   = secret.postgres
  user    = "postgres"
  creates = "/data/antdb/pgdata/PG_VERSION"
}

step "host.command" "hugepages" {
  on     = target.nodes
  script = "sysctl --quiet --system"
  unless = "[ \"$(sysctl -n vm.nr_hugepages)\" = 512 ]"
}
