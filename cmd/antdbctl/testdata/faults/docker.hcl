variable "image" { type = string }

target "docker" "builder" {}

step "host.file" "before" {
  path    = "${path.runbook}/before.txt"
  content = "1"
}

step "image.inspect" "content" { # FAULT
  on    = target.builder
  after = [step.before]
  image = var.image # FAULT image
}

step "host.file" "needs" {
  path    = "${path.runbook}/needs.txt"
  content = step.content.id
}
