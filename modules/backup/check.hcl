step "backup.check" "backups" {
  on      = step.cluster.primary
  max_age = "26h"

  expect "there is room for a month of backups" {
    that = self.last_size_gib < 10
  }
}

step "backup.check" "archive" {
  on        = target.lab
  cluster   = "antdb"
  after     = [step.backups]
  fresh_wal = true
  wal_age   = "1h"
}
