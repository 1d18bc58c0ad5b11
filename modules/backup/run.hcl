step "backup.run" "before_the_change" {
  on      = step.cluster.primary
  type    = "diff"
  max_age = "1h"
}

step "backup.check" "proof" {
  on      = step.cluster.primary
  after   = [step.before_the_change]
  max_age = "1h"
}
