target "docker" "builder" {}

step "image.collect" "database" {
  on   = target.builder
  refs = ["crunchydata/antdb-ha:latest"]

  expect "the libraries that are preloaded are there" {
    that = alltrue([for check in self.facts.image_check : check.verdict != "bad" if check.id == "B6.6" || check.id == "B6.17"])
  }
}
