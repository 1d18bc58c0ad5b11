# A machine's clock is off. Its chrony is started, now and at boot, and the clock
# is set at once. Where there is no chrony, or it has no time server that
# answers, the step says so and sets nothing: a clock set by guesswork is no help.
#
#   antdbctl diagnose --fix B-12 --var-file site.hcl

runbook "clock" {
  title = "Set a machine's clock right"
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

variable "node" {
  type        = string
  description = "The machine whose clock is off."
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}

step "host.command" "chrony" {
  on      = target.nodes.hosts[var.node]
  timeout = "3m"
  confirm = "Set the clock of ${var.node} at once? A primary on it may lose its lease: switch over first."

  unless = <<-SH
    chronyc -n tracking 2>/dev/null | awk '/^Leap status/ { ok = ($4 == "Normal") } /^System time/ { near = ($4 < 1) } END { exit !(ok && near) }'
  SH

  script = <<-SH
    set -eu
    command -v chronyc >/dev/null || { echo "there is no chrony on this machine: install it, with the site's time servers in its configuration" >&2; exit 1; }
    if command -v systemctl >/dev/null; then
      unit=chronyd
      systemctl cat chronyd >/dev/null 2>&1 || unit=chrony
      systemctl enable --now "$unit"
    fi
    chronyc -n waitsync 6 0 0 5 >/dev/null 2>&1 || { echo "none of chrony's time servers answers:" >&2; chronyc -n sources >&2; exit 1; }
    chronyc makestep
    chronyc -n waitsync 12 1 0 5
  SH
}

step "host.facts" "after" {
  on    = target.nodes.hosts[var.node]
  after = [step.chrony]

  expect "the clock is right" {
    that = abs(self.clock_offset) < 5
    hint = "It still differs from this machine's: is this machine's own clock right?"
  }
}
