package pgo

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// lab is the real cluster that `lab up` makes: its operator is a stand-in held
// to the recorded traffic, its pods run PostgreSQL under Patroni.
type lab struct {
	dir, socket string
	cluster     *kube.Cluster
}

// labNamespace is the one that the lab's operator manages.
const labNamespace = "pgouser1"

func openLab(t *testing.T) *lab {
	t.Helper()
	kubeconfig := kubetest.LabFile(t, "kubeconfig")
	host, err := kube.Open(t.Context(), conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: labNamespace},
		conn.Settings{Kubeconfig: kubeconfig}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, host.Close()) })
	cluster, err := kube.Of(host)
	require.NoError(t, err)
	return &lab{dir: filepath.Dir(kubeconfig), socket: kubetest.LabFile(t, "docker.sock"), cluster: cluster}
}

// labAPI is how the steps of these tests reach the operator: by port-forward.
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

func (l *lab) step(t *testing.T, args string, values ...any) *moduletest.Step {
	t.Helper()
	args = strings.ReplaceAll(fmt.Sprintf(args, values...), "$LAB", filepath.Join(l.dir, "pgo"))
	s := moduletest.New(t, module.Of[Cluster](), l.cluster, args, nil)
	s.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: labNamespace}
	return s
}

var labImages struct {
	once         sync.Once
	good, broken string
}

// images are the database image of this repository and the same without
// pgaudit, both on every node.
func (l *lab) images(t *testing.T) (good, broken string) {
	t.Helper()
	labImages.once.Do(func() {
		good := l.build(t, "", "--network=host", "--build-arg=PG_MAJOR=15", "--build-arg=PG_LBL=15", "--build-arg=BACKREST_VER=2.45",
			"--build-arg=PGAUDIT_LBL=15", "--build-arg=PATRONI_VER=3.0.2", "../../images/antdb-ha")
		broken := l.build(t, "FROM "+good+"\nUSER 0\nRUN rm -f /usr/pgsql-15/lib/pgaudit.so \"$(pg_config --pkglibdir)/pgaudit.so\"\nUSER 26\n", "--network=host", "-")
		nodes, err := l.cluster.Clientset().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, node := range nodes.Items {
			l.ship(t, node.Name, good, broken)
		}
		labImages.good, labImages.broken = good, broken
	})
	require.NotEmpty(t, labImages.broken, "the images could not be made")
	return labImages.good, labImages.broken
}

// build tags an image by what is in it, so that a node which has it needs no
// second copy.
func (l *lab) build(t *testing.T, dockerfile string, args ...string) string {
	t.Helper()
	out := l.docker(t, []byte(dockerfile), append([]string{"build", "-q"}, args...)...)
	id := strings.TrimPrefix(strings.TrimSpace(out), "sha256:")
	ref := "crunchydata/antdb-ha:modtest-" + id[:12]
	l.docker(t, nil, "tag", id, ref)
	return ref
}

// sql asks the server in a container.
func (l *lab) sql(t *testing.T, at conn.Target, query string) string {
	t.Helper()
	container, err := l.cluster.Container(t.Context(), at.Namespace, at.Pod, at.Container)
	require.NoError(t, err)
	res, err := container.Run(t.Context(), conn.Command("psql", "-XAtc", query))
	require.NoError(t, err)
	return res.Stdout
}

// remembers asserts that a volume knows who wrote it.
func (l *lab) remembers(t *testing.T, name string) {
	t.Helper()
	claim, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(labNamespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, enginePostgreSQL, claim.Annotations[engineAnnotation])
	require.NotEmpty(t, claim.Annotations[systemAnnotation])
}

// odd has the lab's operator misbehave for a cluster, until the test ends or says so.
func (l *lab) odd(t *testing.T, oddity, cluster string) (end func()) {
	t.Helper()
	maps := l.cluster.Clientset().CoreV1().ConfigMaps(labNamespace)
	name := "pgo-standin-oddities-" + cluster
	_ = maps.Delete(t.Context(), name, metav1.DeleteOptions{}) // of a test that was killed
	_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name}, Data: map[string]string{oddity: cluster}}, metav1.CreateOptions{})
	require.NoError(t, err)
	end = func() { _ = maps.Delete(context.Background(), name, metav1.DeleteOptions{}) }
	t.Cleanup(end)
	return end
}

// leads has the operator hand the primary over to a Deployment, and waits for it.
func (l *lab) leads(t *testing.T, step *moduletest.Step, deployment string) {
	t.Helper()
	c := step.Module().(*Cluster)
	_, err := c.Check(t.Context(), step.Env())
	require.NoError(t, err)
	r := &roller{watch: &watch{place: c.at, env: step.Env()}, c: c, switchTo: func(ctx context.Context, to string) error {
		return c.at.api.failover(ctx, labNamespace, c.Name, to)
	}}
	require.NoError(t, r.handOver(t.Context(), "the replica", deployment))
	require.NoError(t, r.until(t.Context(), "the other follows", func(v *view) bool { return v.standbys() == 1 }))
}

// again is the same image under another tag, on every node.
func (l *lab) again(t *testing.T, image string) string {
	t.Helper()
	ref := image + "b"
	l.docker(t, nil, "tag", image, ref)
	nodes, err := l.cluster.Clientset().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, node := range nodes.Items {
		l.docker(t, nil, "exec", node.Name, "ctr", "-n", "k8s.io", "images", "tag", "--force", "docker.io/"+image, "docker.io/"+ref)
	}
	return ref
}

func (l *lab) ship(t *testing.T, node string, refs ...string) {
	t.Helper()
	var missing []string
	for _, ref := range refs {
		if l.docker(t, nil, "exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q", "name==docker.io/"+ref) == "" {
			missing = append(missing, ref)
		}
	}
	if len(missing) == 0 {
		return
	}
	archive := l.docker(t, nil, append([]string{"save"}, missing...)...)
	l.docker(t, []byte(archive), "exec", "-i", node, "ctr", "-n", "k8s.io", "images", "import", "-")
}

func (l *lab) docker(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", append([]string{"-H", "unix://" + l.socket}, args...)...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "docker %s: %s", args[0], stderr.String())
	return string(out)
}

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
