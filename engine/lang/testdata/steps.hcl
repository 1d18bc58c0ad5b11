stepp "host.file" "a" { path = "/" } # ERROR: Did you mean "step"?
step "host.fil" "b" {} # ERROR: Did you mean "host.file"?
step "pgo.clutter" "c" {} # ERROR: Did you mean "pgo.cluster"?
step "pgo.backup-everything" "d" {} # ERROR: its family has pgo.cluster
step "nothing.like" "e" {} # ERROR: `antdbctl modules` lists them all
step "host.file" "f g" { path = "/" } # ERROR: Invalid name
step "host.file" "missing" {} # ERROR: Missing argument "path": host.file needs path (string): Path.
step "host.file" "oneFaultOneMessage" {
  pth = "/x" # ERROR: Did you mean "path"?
}
step "sql.query" "blocks" {
  sql = "x"
  tls = { cert = "x" } # ERROR: It is a block: write tls
  retry = 3 # ERROR: It is a block: write retry
}
step "sql.query" "blocks2" {
  sql = "x"
  tls {} # ERROR: The argument "cert" is required
  host {} # ERROR: It is an argument: write host = …
  retyr {} # ERROR: Did you mean "retry"?
}
step "image.ship" "kind" { # ERROR: image.ship works on a host over ssh: say which one with on = target.NAME
  image = "x"
}
step "host.file" "common" {
  path    = "/x"
  forr_each = {} # ERROR: Did you mean "for_each"?
  timeout = step.missing.sum # ERROR: No "step" in this argument
  retry {
    attempts = 0 # ERROR: whole number, 1 or more
    delay    = "soon" # ERROR: Invalid duration "soon"
    backoff  = 0.5 # ERROR: 1 or more
  }
  rolling {
    batch = "120%" # ERROR: Invalid batch
  }
  retry { attempts = 1 } # ERROR: Second retry block
  after = ["missing"] # ERROR: Not a step
}
step "host.file" "noeach" {
  path    = each.key # ERROR: No "each" in this step
  content = self.sum # ERROR: No "self" in this step
  when    = "perhaps" # ERROR: when takes true or false
}
step "host.file" "badeach" {
  for_each = 5 # ERROR: Invalid for_each
  path     = each.key
}
step "host.file" "badlist" {
  for_each = [{ a = 1 }] # ERROR: holds strings, not object
  path     = each.key
}
step "host.file" "twice" {
  for_each = ["a", "a"] # ERROR: "a" is listed twice
  path     = each.key
}
step "host.file" "eachvalue" {
  for_each = { a = { path = "/a" }, b = { pth = "/b" } }
  path     = each.value.path # ERROR: does not have an attribute named "path". Did you mean "pth"?
}
step "host.file" "keyed" {
  for_each = { a = 1 }
  path     = "/"
}
step "host.file" "usesKeyed" {
  path    = step.keyed.sum # ERROR: Step of several instances
  content = step.keyed["b"].sum # ERROR: Unknown instance "b": step.keyed has no such instance. It has "a".
}
step "host.file" "usesKeyed2" {
  path    = step.keyed["a"].smu # ERROR: Did you mean "sum"?
  content = step.host_file.missing.sum # ERROR: A step is called by its name alone: step.missing.
}
step "sql.role" "rules" {
  role = "postgres" # ERROR: Invalid arguments of rules: the superuser is not managed.
}
step "sql.query" "expect" {
  sql = "x"
  expect {} # ERROR: One label, please
  expect "no that" {} # ERROR: Missing argument "that"
  expect "not a condition" {
    that = "yes, ${self.host}" # ERROR: that takes true or false
  }
  expect "typo" {
    that = self.row == 1 # ERROR: Did you mean "rows"?
    hint = "x ${self.rows}"
  }
}
step "host.file" "target" {
  on   = "node1" # ERROR: on takes a target
  path = "/"
}
step "host.file" "roots" {
  path    = vra.x # ERROR: Unknown name "vra": References start with one of
  content = "${path.runbok}" # ERROR: Did you mean "runbook"?
}
step "host.file" "kindFirst" {
  on   = target.ssh.local # ERROR: Unknown target "ssh": The runbook has no target of this name. A target is called by its name alone: target.local.
  path = "/"
}
output "x" { value = step.keyed["a"].sum }
output "x" { value = step.nope.sum } # ERROR: Duplicate output name # ERROR: Unknown step "nope"
output "y" {} # ERROR: Missing argument "value"
