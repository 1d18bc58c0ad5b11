package postgrescluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
)

// Exec runs a command in a container of a pod; a status above 0 is an error.
type Exec func(ctx context.Context, namespace, pod, container string, stdin io.Reader, out io.Writer, command ...string) error

// Reconciler takes every PostgresCluster of every namespace a step on. Its exported fields are set once; one goroutine
// uses it.
type Reconciler struct {
	Kube     kubernetes.Interface
	Dynamic  dynamic.Interface
	Apply    Apply
	Exec     Exec
	OwnImage string // of the Jobs
	DNS      string // address of the name server that the pods ask
	Six      bool   // PGO 6: the status has one field more
	Now      func() time.Time
	Log      *log.Logger

	sent    map[string]string    // objects as last applied
	settled map[string]string    // revisions of what was last done inside a database, by cluster
	paused  map[string]time.Time // not before then is a cluster's restart or switchover asked for again
}

// instance is one database server: a StatefulSet of one pod.
type instance struct {
	name string
	set  struct {
		InstanceSet
		name string
	}
	stateful *appsv1.StatefulSet // nil: not made yet
	pod      *corev1.Pod         // nil: none
}

func (i instance) role() string {
	if i.pod == nil {
		return ""
	}
	return i.pod.Labels[LabelRole]
}

func (i instance) ready() bool {
	return i.pod != nil && slices.ContainsFunc(i.pod.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}

// current tells whether the pod was made of the StatefulSet's present template.
func (i instance) current() bool {
	return i.pod != nil && i.stateful != nil && i.pod.Labels[appsv1.ControllerRevisionHashLabelKey] == i.stateful.Status.UpdateRevision
}

// Run reconciles once in a period until ctx ends.
func (r *Reconciler) Run(ctx context.Context, period time.Duration) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		pass, cancel := context.WithTimeout(ctx, time.Minute)
		if err := r.Reconcile(pass); err != nil && ctx.Err() == nil {
			r.Log.Printf("reconcile: %v", err)
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Reconcile goes once over all clusters; a fault of one does not stop the others.
func (r *Reconciler) Reconcile(ctx context.Context) error {
	if r.sent == nil {
		r.sent, r.settled, r.paused = map[string]string{}, map[string]string{}, map[string]time.Time{}
	}
	list, err := r.Dynamic.Resource(Resource).List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list postgresclusters: %w", err)
	}
	var faults []error
	for i := range list.Items {
		c := &Cluster{}
		text, err := json.Marshal(list.Items[i].Object)
		if err == nil {
			err = json.Unmarshal(text, c)
		}
		if err == nil {
			err = r.cluster(ctx, c)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("postgrescluster %s/%s: %w", list.Items[i].GetNamespace(), list.Items[i].GetName(), err))
		}
	}
	return errors.Join(faults...)
}

func (r *Reconciler) cluster(ctx context.Context, c *Cluster) error {
	instances, err := r.instances(ctx, c)
	if err != nil {
		return err
	}
	if c.DeletionTimestamp != nil {
		return r.remove(ctx, c, instances)
	}
	if c.Spec.Paused {
		return nil
	}
	if !slices.Contains(c.Finalizers, Finalizer) {
		return r.patch(ctx, c, "", map[string]any{"metadata": map[string]any{"finalizers": append(c.Finalizers, Finalizer)}})
	}
	if instances, err = r.scale(ctx, c, instances); err != nil {
		return err
	}
	if err := r.makeObjects(ctx, c, instances); err != nil {
		return err
	}
	seen, err := r.observe(ctx, c, instances)
	if err != nil {
		return err
	}
	work := r.work(ctx, c, &seen)
	return errors.Join(r.writeStatus(ctx, c, seen), work)
}

// patch changes the object itself, or its status.
func (r *Reconciler) patch(ctx context.Context, c *Cluster, subresource string, change any) error {
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	var parts []string
	if subresource != "" {
		parts = append(parts, subresource)
	}
	_, err = r.Dynamic.Resource(Resource).Namespace(c.Namespace).
		Patch(ctx, c.Name, types.MergePatchType, text, metav1.PatchOptions{}, parts...)
	return err
}

// firstRepo is the one that backups go to.
func (c *Cluster) firstRepo() (Repo, error) {
	for _, repo := range c.Spec.Backups.PGBackRest.Repos {
		if repo.Volume != nil {
			return repo, nil
		}
	}
	return Repo{}, errors.New("this stand-in needs a repository on a volume in spec.backups.pgbackrest.repos")
}

// makeObjects brings everything but the database itself to the wanted form.
func (r *Reconciler) makeObjects(ctx context.Context, c *Cluster, instances []instance) error {
	repo, err := c.firstRepo()
	if err != nil {
		return err
	}
	if err := r.makeSecrets(ctx, c, instances); err != nil {
		return err
	}
	if err := r.applyAll(ctx, accounts(c)...); err != nil {
		return err
	}
	for _, s := range services(c) {
		if err := r.apply(ctx, s); err != nil {
			return err
		}
	}
	if err := r.makeConfiguration(ctx, c, instances, repo.Name); err != nil {
		return err
	}
	for _, i := range instances {
		stateful, err := r.instance(c, i, repo.Name)
		if err != nil {
			return err
		}
		labels := with(instanceLabels(i.name, i.set.name), LabelData, "postgres", LabelRole, "pgdata")
		err = r.applyAll(ctx, claim(c, dataClaim(i.name), labels, i.set.DataVolumeClaimSpec), stateful)
		if err != nil {
			return err
		}
	}
	stateful, err := r.repository(c, repo.Name)
	if err != nil {
		return err
	}
	labels := map[string]string{LabelData: "pgbackrest", LabelBackRest: "", LabelBackRestRepo: repo.Name, LabelBackRestVolume: ""}
	if err := r.applyAll(ctx, claim(c, repoClaim(c, repo), labels, repo.Volume.VolumeClaimSpec), stateful); err != nil {
		return err
	}
	ha, err := r.Kube.CoreV1().Services(c.Namespace).Get(ctx, scope(c), metav1.GetOptions{})
	if err != nil || ha.Spec.ClusterIP == "" {
		return err
	}
	return r.apply(ctx, primaryEndpoints(c, ha.Spec.ClusterIP))
}

func (r *Reconciler) makeConfiguration(ctx context.Context, c *Cluster, instances []instance, repo string) error {
	shared, err := clusterYAML(c)
	if err != nil {
		return err
	}
	own, err := instanceYAML(c)
	if err != nil {
		return err
	}
	var names []string
	objects := []runtime.Object{configMap(c, c.Name+"-config", nil, map[string]string{"patroni.yaml": shared})}
	for _, i := range instances {
		names = append(names, i.name)
		objects = append(objects, configMap(c, i.name+"-config", instanceLabels(i.name, i.set.name), map[string]string{"patroni.yaml": own}))
	}
	labels := map[string]string{LabelBackRest: "", LabelBackRestConfig: ""}
	objects = append(objects, configMap(c, c.Name+"-pgbackrest-config", labels, backRestFiles(c, names, repo)))
	return r.applyAll(ctx, objects...)
}

// instances are those that are there, the oldest first.
func (r *Reconciler) instances(ctx context.Context, c *Cluster) ([]instance, error) {
	list, err := r.Kube.AppsV1().StatefulSets(c.Namespace).List(ctx, byLabels(LabelCluster, c.Name, LabelData, "postgres"))
	if err != nil {
		return nil, err
	}
	pods, err := r.Kube.CoreV1().Pods(c.Namespace).List(ctx, byLabels(LabelCluster, c.Name, LabelData, "postgres"))
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(list.Items, func(a, b appsv1.StatefulSet) int {
		if n := a.CreationTimestamp.Compare(b.CreationTimestamp.Time); n != 0 {
			return n
		}
		return strings.Compare(a.Name, b.Name)
	})
	var out []instance
	for n := range list.Items {
		i := instance{name: list.Items[n].Name, stateful: &list.Items[n]}
		i.set.name = i.stateful.Labels[LabelInstanceSet]
		if set := c.set(i.set.name); set != nil {
			i.set.InstanceSet = *set
		}
		for p := range pods.Items {
			if pods.Items[p].Labels[LabelInstance] == i.name {
				i.pod = &pods.Items[p]
			}
		}
		out = append(out, i)
	}
	return out, nil
}

// ignoreMissing is for deletions.
func ignoreMissing(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
