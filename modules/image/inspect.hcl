step "image.inspect" "content" {
  on    = target.builder
  image = step.antdb.id
  paths = ["/usr/pgsql-11/lib/pgaudit.so"]

  expect "the image carries pgaudit" {
    that = self.files["/usr/pgsql-11/lib/pgaudit.so"].exists
    hint = "Compile pgaudit into the server's tarball: the operator's settings preload it."
  }
}
