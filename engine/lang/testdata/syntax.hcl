runbook "syntax" {}

step "host.file" "one" {
  path = "/etc/one"
  content = "unclosed # ERROR: The closing quote is missing
}

step "host.file" "two" {
  path    = "/etc/two"
  content = step.one.sum
  after   = [step.fourr] # ERROR: Unknown step "fourr": The runbook has no step of this name. Did you mean "four"?
}

step "host.file" "three" {
  path =  # ERROR: Invalid expression
}

step "host.file" "four" {
  pth  = "/etc/four" # ERROR: Did you mean "path"?
  path = step.three.sum
}
