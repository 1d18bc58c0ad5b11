# Work that lasts until the file go is there, and gives up when hold is not.
step "host.file" "before" {
  path    = "${path.runbook}/before.txt"
  content = "1"
}

step "host.command" "slow" {
  after   = [step.before]
  dir     = path.runbook
  script  = <<-SH
    echo $$ >began
    until [ -e go ]; do [ -e hold ] || exit 1; sleep 0.02; done
    touch done
  SH
  creates = "${path.runbook}/done"
}

step "host.file" "needs" {
  after   = [step.slow]
  path    = "${path.runbook}/needs.txt"
  content = "3"
}
