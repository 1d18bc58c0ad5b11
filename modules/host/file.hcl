step "host.file" "pg_hba" {
  on      = target.nodes
  path    = "/data/antdb/pg_hba.conf"
  content = <<-EOT
    local all all              peer
    host  all all 10.0.0.0/8   scram-sha-256
  EOT
  mode    = "0600"
  owner   = "postgres"
}

step "host.file" "license" {
  on     = target.nodes
  path   = "/etc/antdb/license.bin"
  source = "files/license.bin"
}
