target "shh" "a" {} # ERROR: Unknown kind of target "shh": The kinds are: docker, kubernetes, local, ssh. Did you mean "ssh"?
target "ssh" "none" {} # ERROR: A target of kind ssh needs hosts
target "ssh" "twice" {
  hosts = ["a", "a"] # ERROR: a is listed twice
}
target "ssh" "number" {
  hosts = 5 # ERROR: write a list of
}
target "ssh" "field" {
  hosts = { n1 = { adress = "10.0.0.1" } } # ERROR: host "n1": it has no "adress". Did you mean "address"?
}
target "ssh" "port" {
  hosts = ["n1:99999"] # ERROR: "99999" is no port
}
target "ssh" "flag" {
  hosts = ["-oProxyCommand=x"] # ERROR: is no host
}
target "ssh" "check" {
  hosts          = ["n1"]
  host_key_check = "strickt" # ERROR: Did you mean "strict"?
  max_sessions   = 0 # ERROR: whole number, 1 or more
  password       = 5 # ERROR: secret required
  sudo           = "perhaps" # ERROR: a bool is required
}
target "docker" "via" {
  via = target.check # ERROR: via takes one ssh host
}
target "docker" "ok" {
  via = target.check.hosts["n1"]
}
target "docker" "missing" {
  via = target.check.hosts["n2"] # ERROR: It has "n1".
}
target "local" "step" {
  host = 1 # ERROR: Unsupported argument
}
target "kubernetes" "late" {
  namespace = step.x.sum # ERROR: No "step" in a target block
}
secret "s" { env = "S" }
target "kubernetes" "leak" {
  namespace = secret.s # ERROR: Secret in a plain string
}
target "ssh" "leak2" {
  hosts = { n1 = { vars = { pw = secret.s } } } # ERROR: Secret in a plain string
}
step "host.file" "x" { path = "/x" }
