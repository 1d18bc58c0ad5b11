target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "k8s.collect" "site" {
  on = target.lab

  expect "no claim waits for a volume" {
    that = alltrue([for claim in self.facts.k8s_claim : claim.phase == "Bound"])
  }
}
