# The server of the last steps, and no other: AntDB, in the pod and from the
# image that the operator was asked for.
step "sql.identity" "server" {
  on              = step.cluster.primary
  expect_product  = "AntDB"
  expect_cluster  = step.cluster.name
  expect_image_id = step.cluster.image_id
  expect_role     = "primary"
}

# The service leads to that same server.
step "sql.identity" "service" {
  on       = target.site
  host     = "svc/antdb"
  user     = "testuser"
  database = "userdb"
  password = secret.testuser

  expect_system_identifier = step.server.system_identifier
}
