package pgo

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// lab is the real cluster that `lab up` makes: its operator is a stand-in held
// to the recorded traffic, its pods run PostgreSQL under Patroni.
type lab struct {
	dir     string
	cluster *kube.Cluster
}

// labNamespace is the one that the lab's operator manages.
const labNamespace = "pgouser1"

// openLab uses the lab that is up. ANTDBCTL_LAB_DIR says that one must be.
func openLab(t *testing.T) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the lab")
	}
	dir := cmp.Or(os.Getenv("ANTDBCTL_LAB_DIR"), "/run/antdbctl-lab")
	if _, err := os.Stat(filepath.Join(dir, "pgo", "pgouser")); err != nil && os.Getenv("ANTDBCTL_LAB_DIR") == "" {
		t.Skip("needs the lab: lab up")
	}
	host, err := kube.Open(t.Context(), conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: labNamespace},
		conn.Settings{Kubeconfig: filepath.Join(dir, "kubeconfig")}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, host.Close()) })
	cluster, err := kube.Of(host)
	require.NoError(t, err)
	return &lab{dir: dir, cluster: cluster}
}

// image finds a database image on the nodes.
func (l *lab) image(t *testing.T, with func(tag string) bool) string {
	t.Helper()
	nodes, err := l.cluster.Clientset().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, image := range nodes.Items[0].Status.Images {
		for _, name := range image.Names {
			tag, ok := strings.CutPrefix(name, "docker.io/crunchydata/antdb-ha:")
			if ok && with(tag) {
				return "crunchydata/antdb-ha:" + tag
			}
		}
	}
	t.Fatal("ship a database image to the lab's nodes first: antdbctl apply runbooks/antdb-rollout.hcl")
	return ""
}

func (l *lab) step(t *testing.T, args string, values ...any) *moduletest.Step {
	t.Helper()
	args = strings.ReplaceAll(fmt.Sprintf(args, values...), "$LAB", filepath.Join(l.dir, "pgo"))
	s := moduletest.New(t, module.Of[Cluster](), l.cluster, args, nil)
	s.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: labNamespace}
	return s
}

const labAPI = `
api {
  ca           = "$LAB/ca.crt"
  cert         = "$LAB/client.crt"
  key          = "$LAB/client.key"
  pgouser_file = "$LAB/pgouser"
}
keep_data    = false
keep_backups = false
`

// sweep removes by hand what a failed start leaves: the operator's own removal
// breaks on it.
func (l *lab) sweep(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, by := l.cluster.Clientset(), metav1.ListOptions{LabelSelector: "pg-cluster=" + name}
	foreground := metav1.DeletePropagationForeground
	all := metav1.DeleteOptions{PropagationPolicy: &foreground}
	custom := func(kind string) k8s.GroupVersionResource {
		return k8s.GroupVersionResource{Group: "crunchydata.com", Version: "v1", Resource: kind}
	}
	_ = l.cluster.Dynamic().Resource(custom("pgclusters")).Namespace(labNamespace).Delete(ctx, name, metav1.DeleteOptions{})
	_ = l.cluster.Dynamic().Resource(custom("pgtasks")).Namespace(labNamespace).DeleteCollection(ctx, all, by)
	_ = client.AppsV1().Deployments(labNamespace).DeleteCollection(ctx, all, by)
	_ = client.BatchV1().Jobs(labNamespace).DeleteCollection(ctx, all, by)
	_ = client.CoreV1().Secrets(labNamespace).DeleteCollection(ctx, all, by)
	_ = client.CoreV1().ConfigMaps(labNamespace).DeleteCollection(ctx, all, by)
	_ = client.CoreV1().ConfigMaps(labNamespace).DeleteCollection(ctx, all, metav1.ListOptions{LabelSelector: "crunchy-pgha-scope=" + name})
	_ = client.CoreV1().PersistentVolumeClaims(labNamespace).DeleteCollection(ctx, all, by)
	services, err := client.CoreV1().Services(labNamespace).List(ctx, by)
	if err != nil {
		return
	}
	for _, s := range services.Items {
		_ = client.CoreV1().Services(labNamespace).Delete(ctx, s.Name, all)
	}
}

func TestLabClusterFromNothingToNothing(t *testing.T) {
	l := openLab(t)
	t.Cleanup(func() { l.sweep("modtest") })
	image := l.image(t, func(tag string) bool { return tag != "nopgaudit" })
	step := l.step(t, "name = \"modtest\"\nimage = %q\n"+labAPI, image)
	var seen []string
	step.Env().Phase = func(name string) { t.Log("phase", name); seen = append(seen, name) }

	out := step.Converge(module.Create).AsValueMap()
	require.Subset(t, seen, []string{phaseRequest, phaseBootstrap, phaseBackup})
	require.Equal(t, cty.StringVal("postgres://"+out["pod_ip"].AsString()+":5432/postgres"), out["conn_url"])
	require.NotEmpty(t, out["service_ip"].AsString())
	require.NotEmpty(t, out["node"].AsString())
	require.Contains(t, out["image_id"].AsString(), "sha256:")
	require.Equal(t, cty.StringVal("modtest-testuser-secret"), out["secrets"].Index(cty.StringVal("testuser")))

	primary, err := conn.TargetFrom(out["primary"])
	require.NoError(t, err)
	container, err := l.cluster.Container(t.Context(), primary.Namespace, primary.Pod, primary.Container)
	require.NoError(t, err)
	res, err := container.Run(t.Context(), conn.Command("psql", "-XAtc", "select pg_is_in_recovery()"))
	require.NoError(t, err)
	require.Equal(t, "f\n", res.Stdout)

	t.Run("a replica is added", func(t *testing.T) {
		l.step(t, "name = \"modtest\"\nimage = %q\nreplicas = 1\n"+labAPI, image).Converge(module.Update)
		_, _, err := step.Apply()
		requireAt(t, err, "replicas", "has 1 replica, not 0")
	})
	t.Run("another image is refused", func(t *testing.T) {
		_, _, err := l.step(t, "name = \"modtest\"\nimage = \"crunchydata/antdb-ha:other\"\n"+labAPI).Apply()
		requireAt(t, err, "image", "cannot be changed to antdb-ha:other in place yet")
	})
	require.NoError(t, step.Destroy())
	require.NoError(t, step.Destroy(), "destroying twice is no error")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
}

func TestLabImageWithoutPgauditIsHopeless(t *testing.T) {
	l := openLab(t)
	t.Cleanup(func() { l.sweep("modbroken") })
	image := l.image(t, func(tag string) bool { return tag == "nopgaudit" })
	started := time.Now()
	_, _, err := l.step(t, "name = \"modbroken\"\nimage = %q\n"+labAPI, image).Apply()
	require.ErrorContains(t, err, "Patroni gave up bootstrapping it")
	require.Contains(t, strings.Join(evidence(t, err), "\n"), `could not access file "pgaudit.so"`)
	require.Less(t, time.Since(started), 3*time.Minute)
}

func TestLabMissingImageIsHopeless(t *testing.T) {
	l := openLab(t)
	t.Cleanup(func() { l.sweep("modnoimage") })
	_, _, err := l.step(t, "name = \"modnoimage\"\nimage = \"crunchydata/antdb-ha:nosuch\"\n"+labAPI).Apply()
	require.ErrorContains(t, err, "ImagePull")
	require.Contains(t, strings.Join(evidence(t, err), "\n"), "antdb-ha:nosuch")
}

func TestLabForeignNamespaceIsRefused(t *testing.T) {
	l := openLab(t)
	_, _, err := l.step(t, "name = \"modfar\"\nnamespace = \"default\"\nimage = \"crunchydata/antdb-ha:latest\"\n"+labAPI).Check()
	requireAt(t, err, "namespace", "namespace [default]")
}
