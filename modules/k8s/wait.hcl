target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "k8s.wait" "database" {
  on     = target.lab
  kind   = "Deployment"
  name   = "antdb"
  for    = "ready"
  within = "10m"
}
