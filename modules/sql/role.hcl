secret "orders_owner" { env = "ORDERS_OWNER_PASSWORD" }

step "sql.role" "owner" {
  on       = step.cluster.primary
  role     = "orders_owner"
  password = secret.orders_owner
}

step "sql.role" "reporting" {
  on               = step.cluster.primary
  role             = "reporting"
  password         = secret.reporting
  encryption       = "md5" # its driver is older than SCRAM
  connection_limit = 20
  in_roles         = ["pg_monitor"]
}
