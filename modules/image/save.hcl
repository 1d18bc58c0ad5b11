step "image.save" "antdb" {
  on    = target.builder
  image = "crunchydata/antdb-ha:latest"
  path  = "/data/antdb-ha.tar.gz"
}
