step "image.tag" "antdb" {
  on     = target.builder
  source = step.antdb.id
  tags   = ["crunchydata/antdb-ha:latest"]
}
