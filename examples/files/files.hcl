# The everyday set together: a folder for each site, a file from a template, one
# copied as it is, one that holds a password, a line in a file, and a command
# that runs only when there is something to do. On this machine, without root.
#
#   antdbctl apply examples/files
#   antdbctl destroy examples/files    all but SHA256SUMS: what a command did,
#                                      nobody but its author can take back

runbook "files" {
  title = "Files, lines and commands"
}

variable "dir" {
  type    = string
  default = "/tmp/antdbctl-files"
}

variable "sites" {
  type = map(object({ port = number, networks = list(string) }))
  default = {
    east = { port = 5432, networks = ["10.1.0.0/16", "10.2.0.0/16"] }
    west = { port = 5433, networks = ["10.9.0.0/16"] }
  }
}

secret "replication" {
  file     = "secrets/replication.password"
  generate = { length = 24 }
}

target "local" "here" {}

step "host.directory" "site" {
  on       = target.here
  for_each = var.sites
  path     = "${var.dir}/${each.key}"
  mode     = "0750"
}

step "host.file" "pg_hba" {
  on       = target.here
  for_each = var.sites
  path     = "${step.site[each.key].path}/pg_hba.conf"
  content  = templatefile("pg_hba.conf.tmpl", { networks = each.value.networks })
  mode     = "0600"
}

step "host.file" "postgresql" {
  on       = target.here
  for_each = var.sites
  path     = "${step.site[each.key].path}/postgresql.conf"
  source   = "postgresql.conf"
}

step "host.line" "port" {
  on       = target.here
  for_each = var.sites
  path     = "${step.site[each.key].path}/site.conf"
  line     = "port = ${each.value.port}"
  match    = "^port\\s*="
  create   = true
}

step "host.file" "pgpass" {
  on             = target.here
  path           = "${step.site["east"].path}/replication.password"
  secret_content = secret.replication
}

step "host.command" "checksums" {
  on     = target.here
  after  = [step.pg_hba, step.postgresql, step.port]
  dir    = var.dir
  script = "sha256sum */*.conf >SHA256SUMS"
  unless = "sha256sum --status --check SHA256SUMS"
}

output "checksums" {
  value = "${var.dir}/SHA256SUMS"
}
