package backup

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// recorded reads the objects of a recording.
func recorded(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var all []*unstructured.Unstructured
	for _, doc := range strings.Split(string(text), "\n---\n") {
		u := &unstructured.Unstructured{}
		require.NoError(t, yaml.Unmarshal([]byte(doc), &u.Object))
		all = append(all, u)
	}
	return all
}

// The first backup of a cluster, as the operators themselves ask for it.
func TestThePgtaskIsAsRecorded(t *testing.T) {
	for _, version := range []string{"4.2.1", "4.7.10"} {
		objects := recorded(t, "pgo-"+version+".yaml")
		cluster, task := objects[0], objects[1]
		repo, _, _ := unstructured.NestedString(task.Object, "spec", "parameters", "podname")
		p := &place{which: which{cluster: cluster.GetName(), namespace: cluster.GetNamespace()}, vault: &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: repo}}}
		made := (&Run{Type: "full"}).newTask(p, &operator{record: cluster}, nil, true)
		unstructured.RemoveNestedField(task.Object, "status")
		require.NoError(t, unstructured.SetNestedField(task.Object, "", "spec", "status")) // filled by the operator
		require.Equal(t, task.Object["spec"], made.Object["spec"], version)
		labels := task.GetLabels()
		require.Equal(t, labels, made.GetLabels(), version)
		require.Equal(t, task.GetName(), made.GetName())

		// A later one keeps what the operator's site has set, and is not the first.
		require.NoError(t, unstructured.SetNestedField(task.Object, "false", "spec", "parameters", "backrest-s3-verify-tls"))
		later := (&Run{Type: "diff", StartFast: true, Options: []string{"--process-max=2"}}).newTask(p, &operator{record: cluster}, task, false)
		parameters, _, err := unstructured.NestedStringMap(later.Object, "spec", "parameters")
		require.NoError(t, err)
		require.Equal(t, "--type=diff --start-fast --process-max=2", parameters["backrest-opts"])
		require.Equal(t, "false", parameters["backrest-s3-verify-tls"])
		require.NotContains(t, parameters, "pgha-backup-type")
	}
}

// site is a cluster on a real API server without nodes: its pods' commands and
// its operator are played by the test.
type site struct {
	cluster *kube.Cluster
	done    atomic.Bool // the new backup is listed
}

func newSite(t *testing.T, kind schema.GroupVersionResource, name string) *site {
	t.Helper()
	s := &site{cluster: kubetest.Start(t).Cluster(t)}
	define(t, s.cluster, kind, name)
	return s
}

func define(t *testing.T, c *kube.Cluster, gvr schema.GroupVersionResource, kind string) {
	t.Helper()
	loose := map[string]any{"type": "object", "x-kubernetes-preserve-unknown-fields": true}
	_, err := c.Dynamic().Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}).
		Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": map[string]any{"name": gvr.GroupResource().String()},
			"spec": map[string]any{"group": gvr.Group, "scope": "Namespaced",
				"names": map[string]any{"kind": kind, "listKind": kind + "List", "plural": gvr.Resource, "singular": strings.ToLower(kind)},
				"versions": []any{map[string]any{"name": gvr.Version, "served": true, "storage": true,
					"schema": map[string]any{"openAPIV3Schema": loose}}}},
		}}, metav1.CreateOptions{})
	require.True(t, err == nil || apierrors.IsAlreadyExists(err), "%v", err)
	kubetest.Eventually(t, "the resource definition is served", func() bool {
		_, err := c.Dynamic().Resource(gvr).Namespace(c.Namespace()).List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
}

// put creates a recorded object in the test's namespace.
func (s *site) put(t *testing.T, gvr schema.GroupVersionResource, u *unstructured.Unstructured) {
	t.Helper()
	object := u.DeepCopy()
	for _, field := range []string{"resourceVersion", "uid", "creationTimestamp", "generation", "finalizers", "managedFields"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	object.SetNamespace(s.cluster.Namespace())
	object.SetAPIVersion(gvr.GroupVersion().String())
	_, err := s.cluster.Dynamic().Resource(gvr).Namespace(s.cluster.Namespace()).Create(t.Context(), object, metav1.CreateOptions{})
	require.NoError(t, err)
}

func (s *site) pod(t *testing.T, name, container string, labels map[string]string) {
	t.Helper()
	pods := s.cluster.Clientset().CoreV1().Pods(s.cluster.Namespace())
	kubetest.Eventually(t, "the namespace's service account", func() bool {
		_, err := s.cluster.Clientset().CoreV1().ServiceAccounts(s.cluster.Namespace()).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	pod, err := pods.Create(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: corev1.PodSpec{NodeName: "node1", Containers: []corev1.Container{{Name: container, Image: "x"}}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	pod.Status.Phase, pod.Status.PodIP = corev1.PodRunning, "192.0.2.7"
	_, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// Dial plays the containers: each answers as the repository's does.
func (s *site) Dial(context.Context, conn.Target) (conn.Host, error) { return played{s}, nil }

type played struct{ site *site }

func (p played) Run(_ context.Context, cmd conn.Cmd) (conn.Result, error) {
	if !strings.Contains(strings.Join(cmd.Args, " "), "pgbackrest") {
		return conn.Result{}, conn.NotSupported("the test", strings.Join(cmd.Args, " "))
	}
	backups := `{"label":"20261122-224400F","type":"full","timestamp":{"start":1795387440,"stop":1795387607}}`
	if p.site.done.Load() {
		now := time.Now().Unix()
		backups += fmt.Sprintf(`,{"label":"20261123-090000F","type":"full","timestamp":{"start":%d,"stop":%d}}`, now-5, now)
	}
	return conn.Result{Stdout: fmt.Sprintf("%d\n[{\"name\":\"db\",\"status\":{\"code\":0,\"message\":\"ok\"},\"backup\":[%s]}]\n", time.Now().Unix(), backups)}, nil
}
func (played) Files() (conn.Files, error) { return nil, conn.NotSupported("the test", "files") }
func (played) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, conn.NotSupported("the test", "dial")
}
func (played) Close() error { return nil }

func (s *site) step(t *testing.T, args string) *moduletest.Step {
	t.Helper()
	step := moduletest.New(t, runEntry, s.cluster, args, nil)
	step.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "test", Config: "test", Namespace: s.cluster.Namespace()}
	step.Env().Dialer = s
	return step
}

// operate plays the operator until the test ends: act is called again and again.
func (s *site) operate(t *testing.T, act func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			if err := act(ctx); err != nil && ctx.Err() == nil {
				over <- err
				return
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
		over <- nil
	}()
	t.Cleanup(func() { cancel(); require.NoError(t, <-over) })
}

// job makes a Job that nobody but the test keeps, and ends it.
func (s *site) job(ctx context.Context, meta metav1.ObjectMeta, ends batchv1.JobConditionType) error {
	jobs, now, keeper := s.cluster.Clientset().BatchV1().Jobs(s.cluster.Namespace()), metav1.Now(), "example.com/test"
	job, err := jobs.Create(ctx, &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{ManagedBy: &keeper,
		Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "backrest", Image: "x"}}}}}}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	before := map[batchv1.JobConditionType]batchv1.JobConditionType{batchv1.JobComplete: batchv1.JobSuccessCriteriaMet, batchv1.JobFailed: batchv1.JobFailureTarget}
	job.Status.StartTime, job.Status.UncountedTerminatedPods = &now, &batchv1.UncountedTerminatedPods{}
	for _, c := range []batchv1.JobConditionType{before[ends], ends} {
		job.Status.Conditions = append(job.Status.Conditions, batchv1.JobCondition{Type: c, Status: corev1.ConditionTrue, Message: "Job has reached the specified backoff limit"})
	}
	if ends == batchv1.JobComplete {
		job.Status.CompletionTime, job.Status.Succeeded = &now, 1
		s.done.Store(true)
	}
	_, err = jobs.UpdateStatus(ctx, job, metav1.UpdateOptions{})
	return err
}

func TestABackupByAnnotation(t *testing.T) {
	t.Parallel()
	s := newSite(t, postgresClusters, "PostgresCluster")
	s.put(t, postgresClusters, recorded(t, "pgo-6.0.3.yaml")[0])
	labels := func(more ...string) map[string]string {
		m := map[string]string{v5 + "cluster": "hippo6"}
		for i := 0; i < len(more); i += 2 {
			m[v5+more[i]] = more[i+1]
		}
		return m
	}
	s.pod(t, "hippo6-db-6246-0", "database", labels("role", "master", "data", "postgres"))
	s.pod(t, "hippo6-repo-host-0", "pgbackrest", labels("data", "pgbackrest"))
	s.operate(t, func(ctx context.Context) error {
		u, err := s.cluster.Dynamic().Resource(postgresClusters).Namespace(s.cluster.Namespace()).Get(ctx, "hippo6", metav1.GetOptions{})
		id := ""
		if err == nil {
			id = u.GetAnnotations()[v5+"pgbackrest-backup"]
		}
		if id == "" || s.done.Load() {
			return err
		}
		options, _, _ := unstructured.NestedStringSlice(u.Object, "spec", "backups", "pgbackrest", "manual", "options")
		repo, _, _ := unstructured.NestedString(u.Object, "spec", "backups", "pgbackrest", "manual", "repoName")
		if strings.Join(options, " ") != "--type=full --start-fast" || repo != "repo1" {
			return fmt.Errorf("asked for %v in %q", options, repo)
		}
		return s.job(ctx, metav1.ObjectMeta{GenerateName: "hippo6-backup-", Labels: labels("pgbackrest", "", "pgbackrest-backup", "manual", "pgbackrest-repo", "repo1"),
			Annotations: map[string]string{v5 + "pgbackrest-backup": id}}, batchv1.JobComplete)
	})
	out := s.step(t, "cluster = \"hippo6\"\nmax_age = \"1h\"").Converge(module.Update)
	require.Equal(t, "20261123-090000F", out.GetAttr("label").AsString())

	_, _, err := s.step(t, "cluster = \"hippo6\"\nrepo = \"repo2\"\nmax_age = \"0s\"").Apply()
	requireAt(t, err, "repo", "PostgresCluster hippo6 has no repository repo2; it has [repo1]")
	_, _, err = s.step(t, `cluster = "nosuch"`).Check()
	requireAt(t, err, "cluster", "has no pods of a cluster nosuch")
	_, _, err = s.step(t, "").Check()
	requireAt(t, err, "cluster", "which one?")
}

func TestABackupByPgtaskThatFails(t *testing.T) {
	t.Parallel()
	s := newSite(t, pgtasks, "Pgtask")
	define(t, s.cluster, pgclusters, "Pgcluster")
	objects := recorded(t, "pgo-4.2.1.yaml")
	s.put(t, pgclusters, objects[0])
	s.put(t, pgtasks, objects[1])
	s.pod(t, "hippo-1", "database", map[string]string{"pg-cluster": "hippo", "role": "master"})
	s.pod(t, "hippo-repo-1", "database", map[string]string{"pg-cluster": "hippo", "pgo-backrest-repo": "true"})
	labels := map[string]string{"pg-cluster": "hippo", "backrest-command": "backup"}
	require.NoError(t, s.job(t.Context(), metav1.ObjectMeta{Name: "backrest-backup-hippo", Labels: labels}, batchv1.JobComplete))
	s.done.Store(false)
	s.operate(t, func(ctx context.Context) error {
		task, err := s.cluster.Dynamic().Resource(pgtasks).Namespace(s.cluster.Namespace()).Get(ctx, "backrest-backup-hippo", metav1.GetOptions{})
		repo := ""
		if err == nil {
			repo, _, _ = unstructured.NestedString(task.Object, "spec", "parameters", "podname")
		}
		if repo != "hippo-repo-1" { // the old one, of another repository pod
			return nil
		}
		err = s.job(ctx, metav1.ObjectMeta{Name: "backrest-backup-hippo", Labels: labels}, batchv1.JobFailed)
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	_, _, err := s.step(t, "cluster = \"hippo\"\nmax_age = \"1h\"").Apply()
	require.ErrorContains(t, err, "the job backrest-backup-hippo has failed: Job has reached the specified backoff limit")
}
