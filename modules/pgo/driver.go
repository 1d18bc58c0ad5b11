package pgo

import (
	"context"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// driver speaks to one generation of the operator about one cluster. Everything
// that can be seen on Kubernetes' own objects, and all waiting, is done outside
// it, by what naming says.
type driver interface {
	// generation is its name in plans and errors: "PGO 4.2 (REST)".
	generation() string
	naming() naming
	// lacks names the arguments that this generation cannot honour, each with
	// module.At, joined. It is asked offline and refuses the plan.
	lacks(c *Cluster) error
	// record is what the operator has on record of the cluster; nil when it
	// knows none. Refusals are located by c.locate.
	record(ctx context.Context) (*record, error)
	// diff is what c asks for, of a cluster that is there, and what it has
	// instead: only what update can mend, or refuse with a reason. What the
	// runbook leaves out is no difference. Paths are argument names.
	diff(ctx context.Context, c *Cluster, v *view) ([]module.Diff, error)
	// create asks for the cluster and does not wait.
	create(ctx context.Context, env *module.Env, c *Cluster) error
	// update mends diff. It waits only between changes that must follow one
	// another; the caller waits for the cluster afterwards. Run again after an
	// interruption it goes on.
	update(ctx context.Context, env *module.Env, c *Cluster, v *view, diff []module.Diff) error
	// remove orders the removal and does not wait; of what is not there it is no
	// error. A generation that cannot keep what is to be kept refuses.
	remove(ctx context.Context, env *module.Env, keepData, keepBackups bool) error
}

// judge is a driver that recognises more of what waiting will not mend than its
// record and naming tell.
type judge interface {
	fault(ctx context.Context, v *view) error
}

// amender is a driver whose record runs ahead of what can be seen: it sets it
// right by the view.
type amender interface{ amend(v *view) }

// record is what an operator has on record of a cluster, as far as the
// generations have it in common.
type record struct {
	// state is the operator's own word, for evidence. It proves nothing.
	state string
	// initialized is the operator's word that the first backup is done, and all
	// that it does by itself after it has begun.
	initialized bool
	// stanza and backup are its word on the backup repository and on the first
	// backup, where it gives one; else they are seen by the Jobs.
	stanza, backup bool
	// pending says that it has not yet taken up the last change of the record.
	pending bool
	// leaving says that the record itself is on its way out.
	leaving bool
	// problem is a fault on record that waiting will not mend.
	problem error
	// serving is how many members it has seen serve as the record wants them,
	// where it gives such a word; nil where it does not.
	serving *int64

	image    string            // as recorded: NAME:TAG, or all of it
	replicas []string          // what it calls each replica, where it names them
	user     string            // the first user that it made
	database string            // and the database that this one owns
	secrets  map[string]string // user → Secret with the password
	labels   map[string]string // of the record

	customConfig string // the ConfigMap with settings of its own
}

// label is a label with its value.
type label struct{ key, value string }

func (l label) on(labels map[string]string) bool { return l.key != "" && labels[l.key] == l.value }

func (l label) String() string { return l.key + "=" + l.value }

// naming is how a generation calls what belongs to one cluster.
type naming struct {
	own        label  // on all its objects
	database   label  // on its database pods
	repository label  // on the pod that keeps its backups
	role       string // label by which Patroni tells a pod's role: leader or replica
	leader     string
	replica    string
	workload   string // label of a database pod with the name of its Deployment or StatefulSet
	sets       bool   // they are StatefulSets
	primary    string // the one that the cluster starts with; "" where it is not known beforehand
	container  string // of a database pod
	service    string // follows the primary

	jobs    string                   // selector that finds its Jobs, removals among them
	stanza  func(*batchv1.Job) bool  // the Job that sets up the repository; nil: there is none
	backup  func(*batchv1.Job) bool  // the Job of the first backup
	removal string                   // what the names of Jobs that take it away begin with; "": there are none
	resumes bool                     // a removal is not the operator's alone: one that was cut short is ordered again
	repo    func(claim string) bool  // whether a claim holds backups
	user    func(user string) string // name of the Secret of a user

	scope     string            // Patroni keeps its state in objects whose names begin with it
	endpoints bool              // which are Endpoints, not ConfigMaps
	workflow  string            // Pgtask that a creation leaves, and a new one stumbles over; "": none
	pgcluster bool              // the record is a Pgcluster, not a PostgresCluster
	sidecars  map[string]string // argument → name of the image that it adds, under the database image's prefix and tag
}

// jobNamed recognises a Job by its whole name.
func jobNamed(name string) func(*batchv1.Job) bool {
	return func(j *batchv1.Job) bool { return j.Name == name }
}

// namingV4 is how all of PGO 4 calls the parts of a cluster.
func namingV4(cluster string) naming {
	return naming{
		own:        label{"pg-cluster", cluster},
		database:   label{"pgo-pg-database", "true"},
		repository: label{"pgo-backrest-repo", "true"},
		role:       "role", leader: "master", replica: "replica",
		workload: "deployment-name", primary: cluster,
		container: "database", service: cluster,
		jobs:    "vendor=crunchydata", // removals may lack the cluster's label
		stanza:  jobNamed(cluster + "-stanza-create"),
		backup:  jobNamed("backrest-backup-" + cluster),
		removal: cluster + "-rmdata-",
		repo:    func(claim string) bool { return claim == cluster+"-pgbr-repo" },
		user:    func(user string) string { return cluster + "-" + user + "-secret" },
		scope:   cluster, workflow: cluster + "-createcluster", pgcluster: true,
		sidecars: map[string]string{"metrics": "crunchy-collect", "badger": "crunchy-pgbadger"},
	}
}

// status is the status of a pod's database container; the zero status before
// there is one.
func (n *naming) status(pod *corev1.Pod) corev1.ContainerStatus {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == n.container {
			return s
		}
	}
	return corev1.ContainerStatus{}
}

// removes recognises a Job that takes the cluster away. One that takes away a
// single replica has a name of the same form: only its environment tells.
func (n *naming) removes(j *batchv1.Job) bool {
	if n.removal == "" || !strings.HasPrefix(j.Name, n.removal) {
		return false
	}
	for _, container := range j.Spec.Template.Spec.Containers {
		for _, e := range container.Env {
			if (e.Name == "IS_REPLICA" || e.Name == "IS_BACKUP") && e.Value == "true" {
				return false
			}
		}
	}
	return true
}
