# A first runbook: one folder and one file on this machine.
#   antdbctl plan .      shows what would change
#   antdbctl apply .     makes it so; a second time there is nothing to do
#   antdbctl destroy .   takes it back

runbook "first" {
  title = "A folder and a greeting"
}

variable "name" {
  type        = string
  default     = "AntDB"
  description = "Who is greeted."
}

locals {
  folder = abspath("demo")
}

step "host.directory" "folder" {
  path = local.folder
  mode = "0755"
}

step "host.file" "greeting" {
  path    = "${step.folder.path}/greeting.txt"
  content = "Welcome to ${var.name}.\n"

  expect "somebody is greeted" {
    that = strcontains(self.content, "Welcome to ")
    hint = "The greeting was left empty."
  }
}

output "greeting" {
  value = step.greeting.path
}
