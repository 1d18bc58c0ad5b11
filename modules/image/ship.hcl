step "image.ship" "nodes" {
  on    = target.nodes
  from  = target.builder
  image = step.antdb.id
  ref   = "crunchydata/antdb-ha:latest"
}
