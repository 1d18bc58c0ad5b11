target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "sql.collect" "servers" {
  on = target.lab

  expect "WAL is archived" {
    that = !anytrue([for archiver in self.facts.pg_archiver : archiver.failing])
  }
}
