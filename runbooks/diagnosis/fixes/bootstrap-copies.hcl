# Copies of failed first starts are removed from a volume. Patroni renames the
# data directory of a bootstrap that failed (NAME_2026-11-23-05-52-04) and makes
# another, until the volume is full. Only copies are taken away in which nobody
# ever made a database or a table: every object of a user has a number from
# 16384 on, and a copy that holds such a file, or has a tablespace, stays.
#
#   antdbctl diagnose --fix A-25 --var-file site.hcl

runbook "bootstrap-copies" {
  title = "Remove the copies that failed first starts left on a volume"
}

variable "nodes" {
  type        = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
  description = "The machines of the cluster, under the names of their nodes."
}

variable "ssh_config" {
  type        = string
  default     = "~/.ssh/config"
  description = "OpenSSH client configuration used to reach the nodes."
}

variable "ssh_identity" {
  type        = string
  default     = null
  description = "Private key for the nodes, beside those of the agent and ssh_config."
}

variable "known_hosts" {
  type        = string
  default     = "~/.ssh/known_hosts"
  description = "Host keys of the nodes."
}

variable "at" {
  type        = string
  description = "Node that has the volume."

  validation {
    condition     = var.at != ""
    error_message = "Say on which node: --var at=NODE."
  }
}

variable "path" {
  type        = string
  description = "Folder of the volume on that node."

  validation {
    condition     = var.path != ""
    error_message = "Say where the volume is: --var path=FOLDER."
  }
}

locals {
  # Prints the copies that hold nobody's data, one a line.
  copies = <<-SH
    stamp='_[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]-[0-9][0-9]-[0-9][0-9]-[0-9][0-9]'
    find ${shellquote(var.path)} -mindepth 1 -maxdepth 1 -type d -name "*$stamp" | while IFS= read -r copy; do
      [ ! -e "$copy/postmaster.pid" ] || continue
      [ -z "$(ls -A "$copy/pg_tblspc" 2>/dev/null)" ] || continue
      [ -z "$(find "$copy/base" "$copy/global" -mindepth 1 -name '[0-9]*' 2>/dev/null | sed 's|.*/||; s/[^0-9].*//' | awk '$1 >= 16384' | head -n 1)" ] || continue
      printf '%s\n' "$copy"
    done
  SH
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}

step "host.command" "copies" {
  on      = target.nodes.hosts[var.at]
  confirm = "Remove the copies of failed first starts in ${var.path} on ${var.at} that hold nobody's data?"
  unless  = <<-SH
    [ -z "$(${local.copies})" ]
  SH
  script  = <<-SH
    list() {
    ${local.copies}
    }
    list | while IFS= read -r copy; do
      echo "removing $copy"
      rm -rf -- "$copy"
    done
  SH
}

output "removed" {
  value = step.copies.stdout
}
