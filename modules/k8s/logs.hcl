target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "k8s.logs" "bootstrap" {
  on        = target.lab
  selector  = "pg-cluster=antdb,role=master"
  container = "database"
  tail      = 200

  expect "Patroni holds the lock" {
    that = can(regex("i am the leader with the lock", self.text))
  }
}
