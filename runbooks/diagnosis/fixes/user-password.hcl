# A user's password in the database is not the one that its Secret tells, or has
# expired. The Secret is taken for right: the database gets its password, without
# an end. Programs that use another password must then be told the Secret's.
#
#   antdbctl diagnose --fix G-69 --var-file site.hcl

runbook "user-password" {
  title = "Give a user the password of its Secret"
}

variable "kubeconfig" {
  type        = string
  default     = null
  description = "Access to the cluster; $KUBECONFIG or ~/.kube/config by default."
}

variable "namespace" {
  type    = string
  default = "pgouser1"
}

variable "cluster" {
  type        = string
  description = "Name of the database cluster."
}

variable "user" {
  type        = string
  description = "Name of the user."
}

variable "secret_name" {
  type        = string
  default     = ""
  description = "Name of the Secret that has its password; that of PGO 4 when left out."
}

variable "pgo_url" {
  type        = string
  default     = null
  description = "The operator's apiserver; by default reached by a port-forward to its Service."
}

variable "pgo_certs" {
  type        = string
  default     = null
  description = "Folder with ca.crt, client.crt and client.key of the operator's apiserver (PGO 4)."
}

variable "pgouser_file" {
  type        = string
  default     = "~/.pgouser"
  description = "File with one line user:password for the operator's apiserver."
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

step "k8s.get" "secret" {
  on   = target.site
  kind = "Secret"
  name = var.secret_name != "" ? var.secret_name : "${var.cluster}-${var.user}-secret"

  expect "the Secret has a password" {
    that = self.found
    hint = "Without the Secret nobody knows what the password should be: set one by runbooks/antdb-rotate-password.hcl."
  }
}

step "pgo.user" "user" {
  on       = target.site
  cluster  = var.cluster
  user     = var.user
  password = step.secret.secrets["password"]

  api {
    url          = var.pgo_url
    ca           = var.pgo_certs == null ? null : "${var.pgo_certs}/ca.crt"
    cert         = var.pgo_certs == null ? null : "${var.pgo_certs}/client.crt"
    key          = var.pgo_certs == null ? null : "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}
