step "patroni.status" "before" {
  on      = target.lab
  cluster = "antdb"
}

step "patroni.switchover" "away" {
  on      = target.lab
  cluster = "antdb"
  from    = "antdb-5f5b7f4b97-vtvxp"
  after   = [step.before]
}

output "leader" { value = step.away.leader }
