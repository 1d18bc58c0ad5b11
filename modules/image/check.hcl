step "image.check" "preflight" {
  on         = target.builder
  image      = step.antdb.id
  dockerfile = "antdb-ha/Dockerfile"
  pg_root    = "/usr/pgsql-11"
  arch       = "amd64"
}
