# A new password for a user that the operator made: in the database and in the
# user's Secret alike, and proved by a login from every place that clients come from.
#
#   export ANTDB_TESTUSER_PASSWORD=…        the new one
#   antdbctl apply runbooks/antdb-rotate-password.hcl --var-file site.hcl
#
# Killed in the middle, it is applied again: it sees which of the two is behind.

runbook "antdb-rotate-password" {
  title = "A new password for a database user"
}

variable "nodes" {
  type        = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
  description = "Machines that the user must be able to log in from."
}

variable "ssh_config" {
  type        = string
  default     = "~/.ssh/config"
  description = "OpenSSH client configuration used to reach the nodes."
}

variable "ssh_identity" {
  type        = string
  default     = null
  description = "Private key for the nodes, beside those of the agent and ssh_config."
}

variable "known_hosts" {
  type        = string
  default     = "~/.ssh/known_hosts"
  description = "Host keys of the nodes."
}

variable "kubeconfig" {
  type        = string
  default     = null
  description = "Access to the cluster; $KUBECONFIG or ~/.kube/config by default."
}

variable "pgo_url" {
  type        = string
  default     = null
  description = "The operator's apiserver; by default reached by a port-forward to its Service."
}

variable "pgo_certs" {
  type        = string
  description = "Folder with ca.crt, client.crt and client.key of the operator's apiserver."
}

variable "pgouser_file" {
  type        = string
  default     = "~/.pgouser"
  description = "File with one line user:password for the operator's apiserver."
}

variable "cluster" {
  type    = string
  default = "antdb"
}

variable "namespace" {
  type    = string
  default = "pgouser1"
}

variable "user" {
  type        = string
  default     = "testuser"
  description = "One of the users that the operator made."
}

variable "database" {
  type        = string
  default     = "userdb"
  description = "Database that the user logs in to."
}

secret "password" {
  env = "ANTDB_TESTUSER_PASSWORD"
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}

step "patroni.status" "cluster" {
  on      = target.site
  cluster = var.cluster

  expect "one member leads" {
    that = self.leader != ""
    hint = "A password cannot be changed without a primary: ${join("; ", self.problems)}"
  }
}

step "pgo.user" "password" {
  on       = target.site
  after    = [step.cluster]
  cluster  = var.cluster
  user     = var.user
  password = secret.password

  api {
    url          = var.pgo_url
    ca           = "${var.pgo_certs}/ca.crt"
    cert         = "${var.pgo_certs}/client.crt"
    key          = "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}

step "sql.vantage" "logins" {
  on       = step.cluster.primary
  after    = [step.password]
  user     = var.user
  password = secret.password
  database = var.database
  nodes    = target.nodes
  require  = ["inside", "pod_ip", "service", "nodes"]
}
