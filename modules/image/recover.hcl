step "image.recover" "antdb" {
  archive = "antdb-ha.tar.gz"
  to      = "antdb-ha"
  base    = "centos:7.7.1908"
}
