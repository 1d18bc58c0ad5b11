step "sql.query" "version" {
  on  = step.cluster.primary
  sql = "select version() as version, current_setting('server_version_num')::int as number"

  expect "the server is AntDB" {
    that = strcontains(self.rows[0].version, " ADB ")
    hint = "The image carries another server than AntDB, or the step reached another cluster."
  }
}

step "sql.query" "login" {
  for_each = { pod = step.cluster.pod_ip, service = step.cluster.service_ip }
  on       = step.cluster.primary
  host     = each.value
  database = "userdb"
  user     = "testuser"
  password = secret.testuser
  sql      = "select current_user"
}
