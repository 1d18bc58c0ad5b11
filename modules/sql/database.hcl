step "sql.database" "orders" {
  on       = step.cluster.primary
  name     = "orders"
  owner    = step.owner.role
  encoding = "UTF8"
  connect  = ["reporting"]
}
