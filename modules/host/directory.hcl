step "host.directory" "data" {
  on    = target.nodes
  path  = "/data/antdb"
  mode  = "0700"
  owner = "postgres"
}
