step "image.build" "antdb" {
  on      = target.builder
  context = "images/antdb-ha"
  tags    = ["antdb-ha:4.1-461fafc"]
  args = {
    PG_MAJOR    = "11"
    PATRONI_VER = "1.6.3"
  }
}
