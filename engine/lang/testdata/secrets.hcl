secret "none" {} # ERROR: Where does the secret come from?
secret "both" { # ERROR: Where does the secret come from?
  env  = "X"
  file = "x"
}
secret "homeless" { generate = {} } # ERROR: Where to keep the secret?
secret "made" {
  generate = { lenght = 3 } # ERROR: It has no "lenght". Did you mean "length"?
  file     = "x"
}
secret "short" {
  generate = { length = 3 } # ERROR: length is a number from 8 to 4096
  file     = "x"
}
secret "aged" {
  age { file = "x.age" } # ERROR: Which identity?
}
secret "nested" {
  file = "dir/${secret.nested}" # ERROR: No "secret" in a secret block
}
secret "ok" { env = "OK" }
step "host.file" "leaks" {
  path    = upper(secret.ok) # ERROR: Secret in a plain string
  content = jsonencode({ pw = secret.ok }) # ERROR: Secret in a plain string
}
step "host.file" "leaks2" {
  path    = format("%s", secret.ok) # ERROR: Secret in a plain string
  content = secret.ok # ERROR: Secret in a plain string
}
step "image.build" "leaks3" {
  context = "a"
  args    = { PW = secret.ok, X = "x" } # ERROR: Secret in a plain string
  tags    = [for x in ["a"] : "${x}-${secret.ok}"] # ERROR: Secret in a plain string
}
step "image.build" "leaks4" {
  context = step.cluster.login # ERROR: Secret in a plain string
  wait    = tostring(secret.ok) # ERROR: Secret in a plain string
  tags    = ["${step.cluster.login}"] # ERROR: Secret in a plain string
}
step "sql.role" "fine" {
  role     = "x"
  password = secret.ok
  secrets  = { a = secret.ok, b = step.cluster.login, c = "plain" }
}
step "sql.role" "other" {
  role    = "x"
  secrets = { a = secret.ok, b = [1] } # ERROR: element "b"
}
step "sql.role" "typo" {
  role     = "x"
  password = secret.okk # ERROR: Unknown secret "okk": The runbook has no secret of this name. Did you mean "ok"?
}
target "kubernetes" "k" {}
step "pgo.cluster" "cluster" {
  on   = target.k
  name = "x"
}
