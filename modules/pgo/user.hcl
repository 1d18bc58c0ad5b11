step "pgo.user" "app" {
  on       = target.lab
  cluster  = "antdb"
  user     = "testuser"
  password = secret.app_password

  api {
    ca           = "${var.pgo_certs}/ca.crt"
    cert         = "${var.pgo_certs}/client.crt"
    key          = "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}

output "secret" { value = step.app.secret }
