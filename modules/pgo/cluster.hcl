step "pgo.cluster" "cluster" {
  on       = target.lab
  name     = "antdb"
  image    = "crunchydata/antdb-ha:latest"
  replicas = 1
  engine   = "antdb"

  resources {
    cpu    = "500m"
    memory = "1Gi"
  }

  backup_schedule = { full = "0 1 * * 0", incr = "0 1 * * 1-6" }
  deadlines       = { pull = "20m" } # the image comes from far away

  api {
    ca           = "${var.pgo_certs}/ca.crt"
    cert         = "${var.pgo_certs}/client.crt"
    key          = "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}

output "primary" { value = step.cluster.pod_ip }
