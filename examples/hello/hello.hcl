# The first minute: a folder, a file and a line, on this machine alone. It needs
# no root and no other machine.
#
#   antdbctl apply examples/hello      plan, diff, question, apply
#   antdbctl apply examples/hello      once more: 0 changes
#   antdbctl destroy examples/hello    away with it

runbook "hello" {
  title = "Hello from antdbctl"
}

variable "dir" {
  type        = string
  default     = "/tmp/antdbctl-hello"
  description = "Folder that this example makes."
}

variable "port" {
  type    = number
  default = 5432

  validation {
    condition     = var.port >= 1024 && var.port < 65536
    error_message = "A port from 1024 to 65535, please."
  }
}

target "local" "here" {}

step "host.directory" "dir" {
  on   = target.here
  path = var.dir
  mode = "0755"
}

step "host.file" "config" {
  on      = target.here
  path    = "${step.dir.path}/app.conf"
  content = <<-EOT
    listen_addresses = '*'
    port             = ${var.port}
  EOT
  mode    = "0644"
}

step "host.line" "motd" {
  on     = target.here
  path   = "${step.dir.path}/motd"
  line   = "welcome to AntDB on port ${var.port}"
  match  = "^welcome"
  create = true
}

output "config" {
  value = step.config.path
}
