target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "k8s.get" "database" {
  on   = target.lab
  kind = "Deployment"
  name = "antdb"

  expect "one replica is ready" {
    that = self.found && self.object.status.readyReplicas == 1
  }
}
