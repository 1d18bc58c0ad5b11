# The whole rollout of AntDB on Kubernetes with the Crunchy operator:
# look at the nodes, build the image, bring it to every node, create the cluster
# with its replicas, set the user's password, and prove that everybody can log
# in, that the replicas follow, and that the cluster could be restored.
#
#   export ANTDB_TESTUSER_PASSWORD=…
#   antdbctl apply runbooks/antdb-rollout.hcl --var-file site.hcl

runbook "antdb-rollout" {
  title = "AntDB on Kubernetes by the Crunchy operator"
}

# --- The site -------------------------------------------------------------

variable "nodes" {
  type        = map(object({ address = string, port = optional(number, 22), labels = optional(list(string), []) }))
  description = "Every machine that a pod may start on."
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
  description = "Host keys of the nodes. An unknown or changed key stops the rollout."
}

variable "docker_host" {
  type        = string
  default     = null
  description = "Docker Engine that builds the image; the environment's by default."
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

# --- The database ---------------------------------------------------------

variable "cluster" {
  type    = string
  default = "antdb"
}

variable "namespace" {
  type        = string
  default     = "pgouser1"
  description = "Namespace that the operator manages."
}

variable "replicas" {
  type        = number
  default     = 1
  description = "Members that follow the primary, and can take its place."
}

variable "image" {
  type    = string
  default = "crunchydata/antdb-ha:4.1"
}

variable "build_args" {
  type = map(string)
  default = {
    PG_MAJOR = "15", PG_LBL = "15", BACKREST_VER = "2.45", PGAUDIT_LBL = "15", PATRONI_VER = "3.0.2"
  }
  description = "ANTDB_TARBALL = \"antdb.tar.gz\" builds with the AntDB server in images/antdb-ha/pkg."
}

variable "version_pattern" {
  type        = string
  default     = "PostgreSQL 15\\."
  description = "What select version() must match, such as \"ADB 4\\\\.1\" for AntDB 4.1."
}

variable "keep_data" {
  type        = bool
  default     = true
  description = "Whether a destroy leaves the cluster's volumes, passwords and backups."
}

secret "testuser" {
  env = "ANTDB_TESTUSER_PASSWORD"
}

# --- Where ----------------------------------------------------------------

target "docker" "builder" {
  host = var.docker_host
}

target "ssh" "nodes" {
  hosts       = var.nodes
  user        = "root"
  ssh_config  = var.ssh_config
  identity    = var.ssh_identity
  known_hosts = var.known_hosts
}

target "kubernetes" "site" {
  kubeconfig = var.kubeconfig
  namespace  = var.namespace
}

# --- Before anything changes ----------------------------------------------

step "host.facts" "preflight" {
  on    = target.nodes
  paths = ["/var/lib/containerd"]

  expect "the node runs a container runtime" {
    that = self.containerd != "" || self.docker != ""
    hint = "Install containerd or Docker Engine on this node."
  }

  expect "the node is part of Kubernetes 1.13 or newer" {
    that = can(regex("^v?1\\.(1[3-9]|[2-9][0-9])", self.kubelet))
    hint = "The operator's pods can only start where a kubelet runs."
  }

  expect "there is room for the image" {
    that = self.disks["/var/lib/containerd"].free_gib >= 2
    hint = "Free at least 2 GiB under /var/lib/containerd."
  }

  expect "the clock is right" {
    that = abs(self.clock_offset) < 5
    hint = "Clocks further apart make Patroni's leases and TLS fail: run chrony on every node."
  }
}

# --- The image ------------------------------------------------------------

step "image.build" "antdb" {
  on      = target.builder
  after   = [step.preflight]
  context = "../images/antdb-ha"
  tags    = ["antdb-ha:4.1"]
  args    = var.build_args
  network = "host"
}

step "image.tag" "release" {
  on     = target.builder
  source = step.antdb.id
  tags   = [var.image]
}

step "image.check" "content" {
  on         = target.builder
  image      = step.release.id
  dockerfile = "../images/antdb-ha/Dockerfile"
  dynamic    = "false" # the files tell enough; `antdbctl image check` also proves it in a container
}

step "k8s.nodes" "machines" {
  on    = target.site
  hosts = target.nodes

  expect "pods use the images that their node has" {
    that = self.always_pull != "yes"
    hint = "The cluster makes every pod pull (admission AlwaysPullImages): bring the image to a registry that the nodes reach."
  }
}

# Layer by layer, and from node to node.
step "image.ship" "nodes" {
  on    = step.machines.targets
  after = [step.content]
  from  = target.builder
  image = step.release.id
  ref   = var.image
}

# --- The cluster ----------------------------------------------------------

step "pgo.cluster" "cluster" {
  on      = target.site
  after   = [step.nodes]
  timeout = "15m"

  name     = var.cluster
  image    = var.image
  replicas = var.replicas

  keep_data    = var.keep_data
  keep_backups = var.keep_data

  api {
    url          = var.pgo_url
    ca           = "${var.pgo_certs}/ca.crt"
    cert         = "${var.pgo_certs}/client.crt"
    key          = "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}

# --- The database ---------------------------------------------------------

# The operator made the user: its Secret gets the password too.
step "pgo.user" "testuser" {
  on       = target.site
  cluster  = step.cluster.name
  user     = "testuser"
  password = secret.testuser

  api {
    url          = var.pgo_url
    ca           = "${var.pgo_certs}/ca.crt"
    cert         = "${var.pgo_certs}/client.crt"
    key          = "${var.pgo_certs}/client.key"
    pgouser_file = var.pgouser_file
  }
}

# It is this cluster's server, from this image, and not another of the same name.
step "sql.identity" "server" {
  on              = step.cluster.primary
  expect_cluster  = step.cluster.name
  expect_image_id = step.cluster.image_id
  expect_role     = "primary"

  expect "the server is the one that was asked for" {
    that = can(regex(var.version_pattern, self.version))
    hint = "Another image than ${var.image} runs in this pod: compare step.cluster.image_id."
  }
}

step "sql.query" "databases" {
  on  = step.cluster.primary
  sql = "select datname, pg_encoding_to_char(encoding) as encoding, datcollate from pg_database order by datname"

  expect "userdb is there and UTF8" {
    that = anytrue([for r in self.rows : r.datname == "userdb" && r.encoding == "UTF8"])
  }
}

step "sql.query" "roles" {
  on  = step.cluster.primary
  sql = "select rolname, rolsuper, rolreplication, rolcanlogin from pg_roles order by rolname"

  expect "the operator's users are there" {
    that = length(setsubtract(["postgres", "primaryuser", "testuser"], [for r in self.rows : r.rolname])) == 0
  }
}

# --- Everybody can log in, and nothing gets lost ---------------------------

step "sql.vantage" "logins" {
  on       = step.cluster.primary
  user     = step.testuser.user
  password = secret.testuser
  database = step.cluster.database
  nodes    = target.nodes
  require  = ["inside", "pod_ip", "service", "nodes"]
}

step "patroni.status" "members" {
  on      = target.site
  cluster = step.cluster.name

  expect "all members are in order, and the replicas follow closely" {
    that = self.healthy && self.replicas == var.replicas && self.max_lag < 16777216
    hint = join("; ", self.problems)
  }
}

step "backup.check" "backups" {
  on = step.cluster.primary
}

output "conn_url" {
  value = step.cluster.conn_url
}

output "service" {
  value = "${step.cluster.service_ip}:5432"
}

output "version" {
  value = step.server.version
}

# --- When it fails --------------------------------------------------------

playbook "the database does not start" {
  watch = [step.cluster]

  look "k8s.logs" "database" {
    on        = target.site
    selector  = "pg-cluster=${var.cluster},pgo-pg-database=true"
    container = "database"
    tail      = 200
  }

  finding "pgaudit is missing" {
    when   = strcontains(look.database.text, "could not access file \"pgaudit.so\"")
    cause  = "The operator's settings preload pgaudit, and the image has no pgaudit.so for this server."
    remedy = "Compile pgaudit into the AntDB tarball in images/antdb-ha/pkg, then apply again."
  }

  finding "the data directory cannot be written" {
    when   = strcontains(look.database.text, "Permission denied")
    cause  = "The volume is not writable by user 26, which the database runs as."
    remedy = "chown 26:26 the volume's folder on the node, then apply again."
  }
}
