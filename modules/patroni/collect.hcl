target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "patroni.collect" "clusters" {
  on = target.lab

  expect "every member answers" {
    that = alltrue([for member in self.facts.patroni_member : member.reachable])
  }
}
