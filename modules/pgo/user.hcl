secret "testuser" { env = "ANTDB_TESTUSER_PASSWORD" }

step "pgo.user" "testuser" {
  on       = target.lab
  cluster  = step.cluster.name
  user     = "testuser"
  password = secret.testuser

  api {
    ca           = "${var.pgo_certs}/ca.crt"
    cert         = "${var.pgo_certs}/client.crt"
    key          = "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}

output "secret" { value = step.testuser.secret }
