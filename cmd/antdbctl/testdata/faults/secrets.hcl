# Everything here prints the secrets it is given, as badly behaved programs do.
variable "host" { type = object({ address = string, port = number }) }

variable "identity" { type = string }

variable "known_hosts" { type = string }

variable "ssh_config" { type = string }

variable "token" {
  type      = string
  sensitive = true
}

secret "env" { env = "CANARY_ENV" }

secret "file" { file = "canary" }

secret "made" {
  file     = "made"
  generate = { length = 24 }
}

target "ssh" "nodes" {
  hosts       = { db1 = var.host }
  identity    = var.identity
  known_hosts = var.known_hosts
  ssh_config  = var.ssh_config
}

locals {
  loud = <<-SH
    set -x
    for word in "$ENV" "$FILE" "$MADE" "$TOKEN" "$(cat)"; do
      echo "plain $word"
      echo "base64 $(printf %s "$word" | base64 -w 0)"
      echo "on standard error: $word" >&2
    done
    for f in /proc/[0-9]*/cmdline; do
      tr '\0' ' ' <"$f" || true # it may be over by now
      echo
    done >"$DIR/argv.$$" 2>/dev/null
  SH
}

step "host.file" "password" {
  path           = "${path.runbook}/password"
  secret_content = secret.file
}

step "host.command" "loud" {
  on     = target.nodes
  script = local.loud
  stdin  = secret.env
  env    = { DIR = path.runbook, ENV = secret.env, FILE = secret.file, MADE = secret.made, TOKEN = var.token }
}

step "host.command" "here" {
  script = "${local.loud}\nexit 3"
  stdin  = secret.made
  env    = { DIR = path.runbook, ENV = secret.env, FILE = secret.file, MADE = secret.made, TOKEN = var.token }
}

step "host.command" "there" {
  on     = target.nodes
  script = "${local.loud}\nexit 3"
  stdin  = var.token
  env    = { DIR = path.runbook, ENV = secret.env, FILE = secret.file, MADE = secret.made, TOKEN = var.token }

  retry { attempts = 2 }
}

step "host.file" "told" {
  path    = "${path.runbook}/told.txt"
  content = step.loud["db1"].stdout
}

step "sql.role" "nobody" {
  role          = "app"
  password      = secret.env
  host          = "127.0.0.1"
  port          = 1 + step.loud["db1"].exit_code # where nobody listens
  user          = "postgres"
  user_password = secret.file
}

output "told" { value = step.loud["db1"].stdout }
