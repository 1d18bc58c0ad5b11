step "image.load" "antdb" {
  on   = target.nodes
  path = "/data/antdb-ha.tar.gz"
}
