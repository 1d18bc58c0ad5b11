locals {
  one   = local.two # ERROR: local.one → local.two → local.three → local.one
  two   = local.three
  three = local.one
  self  = local.self # ERROR: Values that need each other: local.self → local.self
  bad   = upper(1, 2) # ERROR: Too many function arguments
  nme   = "x"
  use   = local.name # ERROR: Did you mean "nme"?
  later = step.file.sum
  wrong = step.file.sm # ERROR: Unknown output "sm": step.file (host.file) has no "sm". Did you mean "sum"?
  place = host.name # ERROR: No "host" in locals
  whole = local # ERROR: Incomplete reference
}
locals {
  nme = "y" # ERROR: Duplicate local name
}
target "ssh" "nodes" {
  hosts = [local.later] # ERROR: Value not known before the run: local.later needs step.file
}
step "host.file" "file" { path = "/etc/file" }
step "host.file" "next" { # no cycle: later needs file, and file needs nothing
  path = local.later
}
step "host.file" "knot" { # ERROR: Step needs itself
  path = "${step.knot.sum}-${local.nme}"
}
