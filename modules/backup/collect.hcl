target "kubernetes" "lab" {
  namespace = "pgouser1"
}

step "backup.collect" "repositories" {
  on = target.lab

  expect "every stanza is in order" {
    that = alltrue([for stanza in self.facts.pgbackrest_stanza : stanza.code == 0])
  }
}
