step "pgo.cluster" "cluster" {
  on       = target.lab
  name     = "antdb"
  image    = "crunchydata/antdb-ha:latest"
  replicas = 1

  api {
    ca           = "${var.pgo_certs}/ca.crt"
    cert         = "${var.pgo_certs}/client.crt"
    key          = "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}

output "primary" { value = step.cluster.pod_ip }
