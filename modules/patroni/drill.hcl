step "patroni.drill" "failover" {
  on           = target.lab
  cluster      = "antdb"
  by           = "pod"
  max_downtime = "60s"
  max_lost     = 0
  every        = "720h"

  expect "another member took over" {
    that = self.failed_over && self.timeline_after == self.timeline_before + 1
    hint = self.verdict
  }
}

output "verdict" { value = step.failover.verdict }

output "measured" { value = { for f in step.failover.facts : f.name => f.value } }
