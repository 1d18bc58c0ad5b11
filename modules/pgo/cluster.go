// Package pgo makes database clusters through the Crunchy PostgreSQL Operator.
package pgo

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"maps"
	"os"
	"slices"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed cluster.hcl
var clusterExample string

// Cluster is one database cluster of PGO 4.2.1.
type Cluster struct {
	Name            string            `hcl:"name" doc:"Name of the cluster."`
	Image           string            `hcl:"image" doc:"Database image, PREFIX/NAME:TAG. The operator puts its own prefix before NAME; a PREFIX given here must be the same."`
	Replicas        int               `hcl:"replicas,optional" default:"0" doc:"Replicas beside the primary."`
	Namespace       string            `hcl:"namespace,optional" doc:"Namespace; the target's by default. It must belong to the operator's installation."`
	StorageConfig   string            `hcl:"storage_config,optional" doc:"Name of a storage configuration in pgo.yaml; the operator's default without."`
	ResourcesConfig string            `hcl:"resources_config,optional" doc:"Name of a container resources configuration in pgo.yaml."`
	NodeLabel       string            `hcl:"node_label,optional" doc:"Preferred nodes, KEY=VALUE."`
	ServiceType     string            `hcl:"service_type,optional" oneof:"ClusterIP,NodePort,LoadBalancer" doc:"Type of the services; the operator's default without."`
	Metrics         bool              `hcl:"metrics,optional" doc:"Add the metrics container. Its image must be there under the database image's tag."`
	Badger          bool              `hcl:"badger,optional" doc:"Add the pgBadger container. Its image must be there under the database image's tag."`
	Autofail        bool              `hcl:"autofail,optional" default:"true" doc:"Let Patroni fail over by itself."`
	Policies        []string          `hcl:"policies,optional" doc:"SQL policies to apply to the new cluster. The operator ignores unknown names."`
	Labels          map[string]string `hcl:"labels,optional" doc:"Labels for the cluster's objects."`
	CustomConfig    string            `hcl:"custom_config,optional" doc:"ConfigMap with settings of its own, such as postgres-ha.yaml."`
	Password        secret.Value      `hcl:"password,optional" doc:"First password of all three users; letters and digits. Without it each gets a random one. A cluster that is there keeps its passwords."`
	API             *API              `hcl:"api,block" doc:"How to reach the operator's apiserver."`
	WaitBackup      bool              `hcl:"wait_backup,optional" default:"true" doc:"Wait for the first backup as well. Replicas come only after it."`
	ReadyTimeout    time.Duration     `hcl:"ready_timeout,optional" default:"10m" doc:"How long until the database serves."`
	BackupTimeout   time.Duration     `hcl:"backup_timeout,optional" default:"20m" doc:"How long from there until the first backup and the replicas are done."`
	KeepData        bool              `hcl:"keep_data,optional" default:"true" doc:"When the step is destroyed, keep the volumes and passwords; a cluster of the same name takes them up again."`
	KeepBackups     bool              `hcl:"keep_backups,optional" default:"true" doc:"When the step is destroyed, keep the backup repository."`

	Primary   conn.Target       `out:"primary" doc:"Target: the container of the primary database."`
	PodIP     string            `out:"pod_ip" doc:"Address of the primary's pod. It changes with the pod."`
	ServiceIP string            `out:"service_ip" doc:"Address of the service, which follows the primary."`
	ConnURL   string            `out:"conn_url" doc:"Patroni's word on where the primary listens."`
	Node      string            `out:"node" doc:"Node that the primary runs on."`
	ImageID   string            `out:"image_id" doc:"Identity of the image that the primary runs."`
	Secrets   map[string]string `out:"secrets" doc:"Names of the Secrets with the users' passwords, by user."`
	Users     []string          `out:"users" doc:"Users that the operator made."`
	Database  string            `out:"database" doc:"Database that the operator made."`

	getenv func(string) string // os.Getenv when nil
	pace   time.Duration       // between two looks; a second when 0
	seen   *view               // at the last Check
}

func (*Cluster) Info() module.Info {
	return module.Info{
		Name:    "pgo.cluster",
		Summary: "Makes a database cluster by PGO 4.2.1 and waits until it serves.",
		Doc: "Asks the operator's apiserver (REST, TLS client certificate, basic authentication, exact version) for a cluster and then watches the " +
			"objects themselves. The cluster is there when the primary's Deployment is available, Patroni says of its pod that it runs as master, " +
			"and, unless `wait_backup` is false, the first backup is done: the operator's own \"completed\" comes too early.\n\n" +
			"Phases: removal (of a cluster of that name that is on its way out), request, deployment, schedule, pull, start, bootstrap, ready, " +
			"stanza, backup, replicas. Waiting ends at once where it is hopeless (image missing, container crashing, volume missing, Job failed), " +
			"with the evidence. A run that was cut short goes on waiting the next time.\n\n" +
			"The apiserver's certificate is checked against `api.ca`: it must be that certificate, or be signed by it and carry the service's name.\n\n" +
			"Replicas can be added. A different image cannot be put under a running cluster yet, and replicas are not taken away: the plan shows the " +
			"difference, and applying refuses.\n\n" +
			"Destroying removes the cluster; its volumes, passwords and backups stay unless `keep_data` and `keep_backups` are false.",
		On:      []string{conn.Kubernetes},
		Example: clusterExample,
		Outward: true,
	}
}

// open prepares the clients; nothing is sent yet.
func (c *Cluster) open(env *module.Env) (*place, error) {
	cluster, err := kube.Of(env.Host)
	if err != nil {
		return nil, err
	}
	access, getenv := API{Service: "postgres-operator.pgo:8443"}, c.getenv
	if c.API != nil {
		access = *c.API
	}
	if getenv == nil {
		getenv = os.Getenv
	}
	api, err := access.open(env, getenv)
	if err != nil {
		return nil, err
	}
	return &place{api: api, pace: cmp.Or(c.pace, time.Second), kube: cluster, name: c.Name, namespace: firstOf(c.Namespace, env.Target.Namespace, cluster.Namespace())}, nil
}

// Check compares without waiting.
func (c *Cluster) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	p, err := c.open(env)
	if err != nil {
		return module.NoChange, err
	}
	if c.seen, err = p.look(ctx, false); err != nil {
		return module.NoChange, c.locate(err)
	}
	change := c.wanted(c.seen)
	if !change.Wanted() {
		c.export(env, p.namespace, c.seen)
	}
	return change, nil
}

func (c *Cluster) wanted(v *view) module.Change {
	update := func(diff []module.Diff, format string, args ...any) module.Change {
		return module.Change{Action: module.Update, Summary: fmt.Sprintf(format, args...), Diff: diff}
	}
	ref := c.ref()
	if j := v.removal(); j != nil {
		return update(nil, "wait until the old %s is gone, then create it", c.Name)
	}
	if v.found == nil {
		return module.Change{Action: module.Create, Summary: fmt.Sprintf("create %s (%s:%s, %s)", c.Name, ref.name, ref.tag, count(c.Replicas, "replica"))}
	}
	if diff := c.imageDiff(v); diff != nil {
		return update(diff, "%s runs another image: that cannot be changed in place yet", c.Name)
	}
	if have := len(v.found.Replicas); have != c.Replicas && v.found.Cluster.Status.State == "pgcluster Initialized" {
		diff := []module.Diff{{Path: "replicas", Before: fmt.Sprint(have), After: fmt.Sprint(c.Replicas)}}
		if have > c.Replicas {
			return update(diff, "%s has more replicas: they are not taken away yet", c.Name)
		}
		return update(diff, "%s: add %s", c.Name, count(c.Replicas-have, "replica"))
	}
	if phase := v.phase(c.WaitBackup, c.Replicas); phase != "" {
		return update(nil, "wait for %s: %s", c.Name, v.describe(phase, c.Replicas))
	}
	return module.NoChange
}

func (c *Cluster) imageDiff(v *view) []module.Diff {
	ref, spec := c.ref(), v.found.Cluster.Spec
	if spec.CCPImage == ref.name && spec.CCPImageTag == ref.tag {
		return nil
	}
	return []module.Diff{{Path: "image", Before: spec.CCPImage + ":" + spec.CCPImageTag, After: ref.name + ":" + ref.tag}}
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// export fills the outputs from a view in which the cluster is there.
func (c *Cluster) export(env *module.Env, namespace string, v *view) {
	pod, spec := v.primary(), v.found.Cluster.Spec
	c.Primary = conn.Target{Kind: conn.Container, Name: pod.Name + "/database", Config: env.Target.Config,
		Namespace: namespace, Pod: pod.Name, Container: "database", Labels: []string{}, Vars: map[string]string{}}
	c.PodIP, c.Node = pod.Status.PodIP, pod.Spec.NodeName
	c.ConnURL, c.ImageID = patroniOf(pod).ConnURL, database(pod).ImageID
	if v.service != nil {
		c.ServiceIP = v.service.Spec.ClusterIP
	}
	c.Database = spec.Database
	c.Secrets = map[string]string{"postgres": spec.RootSecretName, "primaryuser": spec.PrimarySecretName}
	if spec.User != "" {
		c.Secrets[spec.User] = spec.UserSecretName
	}
	c.Users = slices.Sorted(maps.Keys(c.Secrets))
}

// Apply makes the cluster, or goes on where an earlier run was cut short.
func (c *Cluster) Apply(ctx context.Context, env *module.Env) error {
	p, err := c.open(env)
	if err != nil {
		return err
	}
	v := c.seen
	if v.removal() != nil {
		if err := p.awaitGone(ctx, env, true, true, c.ReadyTimeout); err != nil {
			return err
		}
		v = &view{name: c.Name}
	}
	switch {
	case v.found == nil:
		err = c.create(ctx, env, p)
	default:
		if err = c.adjust(ctx, p, v); err == nil {
			err = p.startAnew(ctx, env, v)
		}
	}
	if err != nil {
		return err
	}
	return c.await(ctx, env, p)
}

func (c *Cluster) adjust(ctx context.Context, p *place, v *view) error {
	if diff := c.imageDiff(v); diff != nil {
		return module.At("image", module.Explain(
			fmt.Errorf("cluster %s runs %s, and its image cannot be changed to %s in place yet", c.Name, diff[0].Before, diff[0].After),
			"write the image that it runs, or destroy the step and apply again: the data stays while keep_data is true"))
	}
	have := len(v.found.Replicas)
	switch {
	case v.found.Cluster.Status.State != "pgcluster Initialized" || have == c.Replicas:
		return nil
	case have > c.Replicas:
		return module.At("replicas", module.Explain(
			fmt.Errorf("cluster %s has %s, not %d, and they are not taken away yet", c.Name, count(have, "replica"), c.Replicas),
			"take one away by pgo scaledown "+c.Name+" --target=…, or write the number that it has"))
	}
	return c.locate(p.api.scale(ctx, p.namespace, c.Name, c.Replicas-have))
}
