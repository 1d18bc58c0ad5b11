# Twelve different faults. One run reports them all, each on its line.
runbook "faulty" { title = "twelve faults" }

variable "nodes" { type = list(string) } # ERROR: Missing variable "nodes"

variable "replicas" {
  type    = number
  default = "many" # ERROR: Wrong type of default
}

secret "password" { env = "PASSWORD" }

target "ssh" "nodes" {
  hosts = ["10.0.0.1"]
  usr   = "root" # ERROR: An argument named "usr" is not expected here. Did you mean "user"?
}

target "kubernetes" "lab" {}

target "docker" "builder" {}

step "image.biuld" "unknown" { # ERROR: Unknown module "image.biuld": There is no such module. Did you mean "image.build"?
  context = "."
  tags    = ["x:latest"]
}

step "image.build" "antdb" {
  context = "images/antdb"
  tgas    = ["antdb:latest"] # ERROR: Unknown argument "tgas": image.build has no such argument. Did you mean "tags"?
}

step "image.build" "types" {
  context = "images/antdb"
  tags    = { latest = true } # ERROR: list of string required
}

step "image.ship" "ship" {
  on    = target.nodes
  from  = target.builder
  image = step.antdb.idd # ERROR: Unknown output "idd": step.antdb (image.build) has no "idd". Did you mean "id"?
}

step "pgo.cluster" "cluster" {
  on    = target.lab
  image = "antdb"
  name  = "antdb-${secret.password}" # ERROR: Secret in a plain string
}

step "sql.role" "first" { # ERROR: Steps that wait for each other: first → second → first
  role = step.second.role
}

step "sql.role" "second" {
  role = step.first.role
}

step "host.file" "config" {
  path    = "/etc/app.conf"
  content = "x"
  timeout = "5 minutes" # ERROR: Invalid duration "5 minutes"
}

step "host.file" "config" { # ERROR: Duplicate step name
  path    = "/etc/other.conf"
  content = "x"
}

step "image.ship" "nowhere" {
  on    = target.lab # ERROR: Wrong kind of target
  from  = target.builder
  image = "antdb"
}
