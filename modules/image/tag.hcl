step "image.tag" "release" {
  on     = target.builder
  source = step.antdb.id
  tags   = ["crunchydata/antdb-ha:latest"]
}
