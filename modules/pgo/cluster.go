// Package pgo makes database clusters through the Crunchy PostgreSQL Operator.
package pgo

import (
	_ "embed"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed cluster.hcl
var clusterExample string

// Cluster is one database cluster of the Crunchy operator, of any generation.
type Cluster struct {
	Name       string `hcl:"name" doc:"Name of the cluster."`
	Image      string `hcl:"image" doc:"Database image, PREFIX/NAME:TAG. PGO 4.2 has one prefix for the whole installation: a PREFIX given here must be the same."`
	Replicas   int    `hcl:"replicas,optional" default:"0" doc:"Replicas beside the primary."`
	Namespace  string `hcl:"namespace,optional" doc:"Namespace; the target's by default. It must belong to the operator's installation."`
	Generation string `hcl:"generation,optional" default:"auto" oneof:"auto,4.2,4.7,resource,v5" doc:"How the operator is spoken to: by the REST of PGO 4.2 or 4.7, by Pgcluster resources (PGO 4), or by PostgresCluster resources (PGO 5 and 6). Found out when not said."`
	API        *API   `hcl:"api,block" doc:"How to reach the apiserver of PGO 4; not asked for where there is none."`

	StorageConfig string `hcl:"storage_config,optional" doc:"Name of a storage configuration in pgo.yaml (PGO 4); the operator's default without."`
	StorageClass  string `hcl:"storage_class,optional" doc:"StorageClass of the volumes, where the operator takes one; the cluster's default without."`
	StorageSize   string `hcl:"storage_size,optional" doc:"Size of each data volume, such as 10Gi, where the operator takes one."`
	BackupSize    string `hcl:"backup_size,optional" doc:"Size of the backup repository's volume, where the operator takes one; storage_size without."`

	ResourcesConfig string     `hcl:"resources_config,optional" doc:"Name of a container resources configuration in pgo.yaml (PGO 4.2)."`
	Resources       *Resources `hcl:"resources,block" doc:"CPU and memory of each database container. Changed in place, replicas first; PGO 4.2 gives them to a new cluster once it serves."`
	NodeLabel       string     `hcl:"node_label,optional" doc:"Preferred nodes, KEY=VALUE."`
	ServiceType     string     `hcl:"service_type,optional" oneof:"ClusterIP,NodePort,LoadBalancer" doc:"Type of the services; the operator's default without."`

	Metrics bool `hcl:"metrics,optional" doc:"Add the metrics container. Its image must be there under the database image's tag: the plan looks at the nodes."`
	Badger  bool `hcl:"badger,optional" doc:"Add the pgBadger container. Its image must be there under the database image's tag: the plan looks at the nodes."`

	Autofail     bool              `hcl:"autofail,optional" default:"true" doc:"Let Patroni fail over by itself."`
	Policies     []string          `hcl:"policies,optional" doc:"SQL policies to apply to the new cluster (PGO 4). The operator ignores unknown names."`
	Labels       map[string]string `hcl:"labels,optional" doc:"Labels for the cluster's objects."`
	CustomConfig string            `hcl:"custom_config,optional" doc:"ConfigMap with settings of its own, such as postgres-ha.yaml."`
	Parameters   map[string]string `hcl:"parameters,optional" doc:"Database parameters, where the operator takes them (PGO 5 and 6). Elsewhere patroni.config sets them."`

	User            string       `hcl:"user,optional" doc:"The first user. PGO 4.2 has it in pgo.yaml: only that one can be named here. Further ones by pgo.user."`
	Dbname          string       `hcl:"dbname,optional" doc:"The database that this user owns. PGO 4.2 has it in pgo.yaml."`
	Password        secret.Value `hcl:"password,optional" doc:"First password of all users that the operator makes; letters and digits. Without it each gets a random one. A cluster that is there keeps its passwords."`
	PostgresVersion int          `hcl:"postgres_version,optional" doc:"Major version of PostgreSQL in the image. PGO 5 and 6 want to be told; others find it."`
	Engine          string       `hcl:"engine,optional" oneof:"antdb,postgresql" doc:"What the image holds. Data of one engine is never given to the other; without it, an image of the same name is taken to hold the same."`

	BackupImage    string            `hcl:"backup_image,optional" doc:"Image with pgBackRest for PGO 5 and 6; the database image without. PGO 4 has its own."`
	BackupSchedule map[string]string `hcl:"backup_schedule,optional" doc:"When to back up, in cron's five fields, by kind: full, diff, incr. Kinds that are not named are left as they are."`
	WaitBackup     bool              `hcl:"wait_backup,optional" default:"true" doc:"Wait for the first backup as well. Replicas come only after it."`

	Deadlines   map[string]string `hcl:"deadlines,optional" doc:"How long each phase may take, by name; see above for phases and defaults."`
	KeepData    bool              `hcl:"keep_data,optional" default:"true" doc:"When the step is destroyed, keep the volumes and passwords; a cluster of the same name takes them up again."`
	KeepBackups bool              `hcl:"keep_backups,optional" default:"true" doc:"When the step is destroyed, keep the backup repository."`

	Primary   conn.Target       `out:"primary" doc:"Target: the container of the primary database."`
	Standbys  []conn.Target     `out:"standbys" doc:"Targets: the containers of the replicas, sorted by name."`
	Members   map[string]Member `out:"members" doc:"All database pods, by name."`
	PodIP     string            `out:"pod_ip" doc:"Address of the primary's pod. It changes with the pod."`
	ServiceIP string            `out:"service_ip" doc:"Address of the service, which follows the primary."`
	ConnURL   string            `out:"conn_url" doc:"Patroni's word on where the primary listens."`
	Node      string            `out:"node" doc:"Node that the primary runs on."`
	ImageID   string            `out:"image_id" doc:"Identity of the image that the primary runs."`
	Secrets   map[string]string `out:"secrets" doc:"Names of the Secrets with the users' passwords, by user."`
	Users     []string          `out:"users" doc:"Users that the operator made."`
	Database  string            `out:"database" doc:"Database that the operator made."`
	Operator  string            `out:"operator" doc:"The generation of the operator, as it was found."`

	getenv func(string) string // os.Getenv when nil
	pace   time.Duration       // between two looks; a second when 0
	at     *place              // since the first Check
	seen   *view               // at the last Check
}

// Resources are what one database container may take.
type Resources struct {
	CPU         string `hcl:"cpu,optional" doc:"CPU to reserve, such as 500m."`
	Memory      string `hcl:"memory,optional" doc:"Memory to reserve, such as 1Gi."`
	CPULimit    string `hcl:"cpu_limit,optional" doc:"CPU at most."`
	MemoryLimit string `hcl:"memory_limit,optional" doc:"Memory at most."`
}

// Member is one database pod.
type Member struct {
	Role string `cty:"role"` // "primary", "replica", or "" while it is neither
	Node string `cty:"node"`
	IP   string `cty:"ip"`
}

func (*Cluster) Info() module.Info {
	return module.Info{
		Name:    "pgo.cluster",
		Summary: "Makes a database cluster by the Crunchy operator and waits until it serves.",
		Doc: "Speaks to the operator in the way of its generation: REST of PGO 4.2 and 4.7 (TLS client certificate, basic authentication, exact " +
			"version), Pgcluster resources of PGO 4, PostgresCluster resources of PGO 5 and 6. Which one is found out from the resource definitions, " +
			"from `api` and from the apiserver's version, unless `generation` says it. The same step works on each; what a generation lacks, the plan refuses.\n\n" +
			"The cluster is there when the primary's Deployment (or StatefulSet) is available, Patroni says of its pod that it runs and leads, and, unless " +
			"`wait_backup` is false, the first backup is done and the operator calls the cluster initialized: its other words come too early. " +
			"A cluster that is there already and fits is taken as it is.\n\n" +
			"Phases and how long each may take: " + deadlineText() + ". Waiting ends at once where it is hopeless (image missing, container crashing, " +
			"volume missing, Job failed, access forbidden), with the evidence. A run that was cut short goes on waiting the next time.\n\n" +
			"What an earlier cluster of that name has left is looked for first: the plan says what is taken up again, what is removed, and refuses " +
			"what it must not touch. Each data volume remembers which engine wrote it, and is not given to another.\n\n" +
			"Replicas are added and taken away. A new image or new resources go to the replicas first, then, after a switchover, to the former primary; " +
			"without a replica the primary restarts.\n\n" +
			"The apiserver's certificate is checked against `api.ca`: it must be that certificate, or be signed by it and carry the service's name.\n\n" +
			"Destroying removes the cluster; its volumes, passwords and backups stay unless `keep_data` and `keep_backups` are false. " +
			"Each of these is asked about by itself, and the step ends when all that is to go is gone.",
		On:      []string{conn.Kubernetes},
		Example: clusterExample,
		Outward: true,
	}
}
