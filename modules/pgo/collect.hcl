target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "pgo.collect" "operator" {
  on = target.lab

  expect "every cluster has had its first backup" {
    that = alltrue([for c in self.facts.pgo_cluster : c.status == "pgcluster Initialized" if c.generation == "4"])
  }
}
