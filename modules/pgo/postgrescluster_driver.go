package pgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/adbsql/antdbctl/engine/module"
)

// postgresDriver speaks to PGO v5 and v6. They have no server of their own: all
// is said in PostgresClusters.
type postgresDriver struct {
	*place
	version string           // of the resource, once it is known
	seen    *postgresCluster // by the last record
	stalled time.Duration    // how long the operator may leave alone what is to go
}

func newPostgresCluster(p *place) driver { return &postgresDriver{place: p, stalled: time.Minute} }

func (d *postgresDriver) generation() string { return "PGO 5 or 6 (PostgresCluster)" }

func (d *postgresDriver) naming() naming {
	return naming{
		own:        label{postgresLabel, d.name},
		database:   label{postgresData, "postgres"},
		repository: label{postgresData, "pgbackrest"},
		role:       postgresRole, leader: "master", replica: "replica",
		workload: postgresInstance, sets: true,
		container: "database", service: d.name + "-ha", // NAME-primary has no address of its own
		jobs:    postgresLabel + "=" + d.name,
		backup:  func(j *batchv1.Job) bool { return j.Labels[postgresBackup] == firstBackup },
		repo:    func(claim string) bool { return strings.HasPrefix(claim, d.name+"-repo") },
		resumes: true,
		user:    func(user string) string { return d.name + "-pguser-" + user },
		scope:   d.name + "-ha", endpoints: true,
	}
}

// postgresVersions are those of the resource; the first that is served is
// taken. v6 has both and keeps its objects as v1beta1, v5 knows that one only.
var postgresVersions = []string{"v1beta1", "v1"}

// clusters is the door to the PostgresClusters of the namespace.
func (d *postgresDriver) clusters(ctx context.Context) (dynamic.ResourceInterface, error) {
	if d.version == "" {
		var group metav1.APIGroup
		raw, err := d.kube.Clientset().Discovery().RESTClient().Get().AbsPath("/apis/" + groupV5).DoRaw(ctx)
		if err == nil {
			err = json.Unmarshal(raw, &group)
		}
		switch {
		case apierrors.IsNotFound(err):
			return nil, module.Explain(errors.New("the API server knows no PostgresClusters"), "install PGO 5 or 6, and with it the resource definitions of the very version that runs")
		case apierrors.IsForbidden(err):
			group.Versions = []metav1.GroupVersionForDiscovery{{Version: postgresVersions[0]}} // every PGO 5 and 6 has it
		case err != nil:
			return nil, fmt.Errorf("ask for the versions of PostgresCluster: %w", err)
		}
		for _, known := range slices.Backward(postgresVersions) {
			if slices.ContainsFunc(group.Versions, func(v metav1.GroupVersionForDiscovery) bool { return v.Version == known }) {
				d.version = known
			}
		}
		if d.version == "" {
			return nil, fmt.Errorf("the API server has PostgresCluster in no version known here (%s)", strings.Join(postgresVersions, ", "))
		}
	}
	return d.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV5, Version: d.version, Resource: "postgresclusters"}).Namespace(d.namespace), nil
}

// read gives the cluster as it is and as this package reads it; nil when there
// is none.
func (d *postgresDriver) read(ctx context.Context) (*unstructured.Unstructured, *postgresCluster, error) {
	clusters, err := d.clusters(ctx)
	if err != nil {
		return nil, nil, err
	}
	u, err := clusters.Get(ctx, d.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil, nil
	case err != nil:
		return nil, nil, d.refused("read", err)
	}
	pc, err := postgresClusterOf(u)
	return u, pc, err
}

func (d *postgresDriver) record(ctx context.Context) (*record, error) {
	_, pc, err := d.read(ctx)
	if d.seen = pc; err != nil || pc == nil {
		return nil, err
	}
	serving := pc.serving()
	r := &record{
		serving: &serving,
		state:   pc.word(), initialized: pc.backedUp(), stanza: pc.stanza(), backup: pc.backedUp(),
		pending: !pc.observed(), leaving: pc.DeletionTimestamp != nil, problem: pc.problem(),
		image: pc.Spec.Image, secrets: map[string]string{},
	}
	if pc.Spec.Metadata != nil {
		r.labels = pc.Spec.Metadata.Labels
	}
	r.user, r.database = pc.first()
	for _, u := range pc.users() {
		r.secrets[u.Name] = d.names.user(u.Name)
	}
	return r, nil
}

// create asks for the cluster. A first password is given by a Secret that is
// there before: the operator takes it up.
func (d *postgresDriver) create(ctx context.Context, env *module.Env, c *Cluster) error {
	clusters, err := d.clusters(ctx)
	if err != nil {
		return err
	}
	object, err := d.object(c)
	if err != nil {
		return err
	}
	if !c.Password.IsZero() {
		if err := d.firstPassword(ctx, env, c); err != nil {
			return err
		}
	}
	made, err := clusters.Create(ctx, object, metav1.CreateOptions{})
	if err != nil {
		return d.refused("make", err)
	}
	env.Logf("PostgresCluster %s made, as %s", d.name, made.GetAPIVersion())
	return nil
}

// refused finds the argument that the API server does not take.
func (d *postgresDriver) refused(verb string, err error) error {
	text := err.Error()
	err = fmt.Errorf("%s PostgresCluster %s in %s: %w", verb, d.name, d.namespace, err)
	switch {
	case apierrors.IsForbidden(err):
		return module.Explain(err, "this user needs the verbs get, create, patch and delete on postgresclusters."+groupV5+" in the namespace")
	case !apierrors.IsInvalid(err):
		return err
	}
	for _, known := range postgresFields {
		if known.field.MatchString(text) {
			return module.At(known.arg, err)
		}
	}
	return err
}

// postgresFields are the fields that arguments go into.
var postgresFields = []struct {
	field *regexp.Regexp
	arg   string
}{
	{regexp.MustCompile(`metadata\.name\b`), "name"},
	{regexp.MustCompile(`spec\.metadata\.labels`), "labels"},
	{regexp.MustCompile(`spec\.postgresVersion`), "postgres_version"},
	{regexp.MustCompile(`spec\.users\[\d+\]\.databases`), "dbname"},
	{regexp.MustCompile(`spec\.users`), "user"},
	{regexp.MustCompile(`spec\.instances\[\d+\]\.resources`), "resources"},
	{regexp.MustCompile(`spec\.instances\[\d+\]\.dataVolumeClaimSpec`), "storage_size"},
	{regexp.MustCompile(`spec\.instances\[\d+\]\.replicas`), "replicas"},
	{regexp.MustCompile(`spec\.backups\.pgbackrest\.repos\[\d+\]\.schedules`), "backup_schedule"},
	{regexp.MustCompile(`spec\.backups\.pgbackrest\.repos`), "backup_size"},
	{regexp.MustCompile(`spec\.patroni|spec\.config`), "parameters"},
	{regexp.MustCompile(`spec\.image\b`), "image"},
}
