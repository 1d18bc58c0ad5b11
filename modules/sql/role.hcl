secret "testuser" { env = "ANTDB_TESTUSER_PASSWORD" }

step "sql.role" "testuser" {
  on       = step.cluster.primary
  role     = "testuser"
  password = secret.testuser
  keep     = true # the operator made it, and it owns the database userdb
}

step "sql.role" "reporting" {
  on               = step.cluster.primary
  role             = "reporting"
  password         = secret.reporting
  connection_limit = 20
  in_roles         = ["pg_monitor"]
}
