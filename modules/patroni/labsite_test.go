package patroni

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/modules/pgo"
)

// lab is the real cluster of Kubernetes that `lab up` makes; its operator keeps
// the database clusters.
type lab struct {
	pool   *conn.Pool
	site   conn.Target
	host   conn.Host
	kube   *kube.Cluster
	docker string
	dir    string
}

func openLab(t *testing.T) *lab {
	t.Helper()
	kubeconfig, key, known := kubetest.LabFile(t, "kubeconfig"), kubetest.LabFile(t, "id_ed25519"), kubetest.LabFile(t, "known_hosts")
	l := &lab{dir: filepath.Dir(kubeconfig), docker: "unix://" + kubetest.LabFile(t, "docker.sock"),
		site: conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: "pgouser1"},
		pool: conn.NewPool(
			map[string]conn.Opener{conn.Kubernetes: kube.Open, conn.Container: kube.OpenContainer, conn.Local: local.Open, conn.SSH: ssh.Open},
			map[string]conn.Settings{"lab": {Kubeconfig: kubeconfig, Namespace: "pgouser1"},
				"nodes": {IdentityFiles: []string{key}, KnownHosts: []string{known}, ConfigFile: kubetest.LabFile(t, "ssh_config")}})}
	t.Cleanup(func() { require.NoError(t, l.pool.Close()) })
	var err error
	l.host, err = l.pool.Dial(t.Context(), l.site)
	require.NoError(t, err)
	l.kube, err = kube.Of(l.host)
	require.NoError(t, err)
	return l
}

// step is one on the whole cluster of Kubernetes.
func (l *lab) step(t *testing.T, entry module.Entry, args string) *moduletest.Step {
	t.Helper()
	s := moduletest.New(t, entry, l.host, args, l.vars(t))
	s.Env().Target, s.Env().Dialer = l.site, l.pool
	return s
}

// on is a step on one container.
func (l *lab) on(t *testing.T, entry module.Entry, target conn.Target, args string) *moduletest.Step {
	t.Helper()
	host, err := l.pool.Dial(t.Context(), target)
	require.NoError(t, err)
	s := moduletest.New(t, entry, host, args, l.vars(t))
	s.Env().Target, s.Env().Dialer = target, l.pool
	return s
}

// vars has the lab's nodes as hosts to log in to.
func (l *lab) vars(t *testing.T) map[string]cty.Value {
	t.Helper()
	list, err := l.kube.Clientset().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	hosts := map[string]cty.Value{}
	for _, n := range list.Items {
		hosts[n.Name] = conn.Target{Kind: conn.SSH, Name: n.Name, Config: "nodes", Address: n.Name, Port: 22, User: "root"}.Cty()
	}
	return map[string]cty.Value{"nodes": cty.ObjectVal(hosts)}
}

func (l *lab) engine(t *testing.T, stdin []byte, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "docker", append([]string{"-H", l.docker}, args...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(stdin), &stderr
	out, err := cmd.Output()
	require.NoError(t, err, "docker %s: %s", args[0], stderr.String())
	return string(out)
}

// image is the database image of this repository, on every node.
func (l *lab) image(t *testing.T) string {
	t.Helper()
	id := strings.TrimPrefix(strings.TrimSpace(l.engine(t, nil, "build", "-q", "--network=host", "--build-arg=PG_MAJOR=15", "--build-arg=PG_LBL=15",
		"--build-arg=BACKREST_VER=2.45", "--build-arg=PGAUDIT_LBL=15", "--build-arg=PATRONI_VER=3.0.2", "../../images/antdb-ha")), "sha256:")
	ref := "crunchydata/antdb-ha:modtest-" + id[:12]
	l.engine(t, nil, "tag", id, ref)
	nodes, err := l.kube.Clientset().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, node := range nodes.Items {
		if l.engine(t, nil, "exec", node.Name, "ctr", "-n", "k8s.io", "images", "ls", "-q", "name==docker.io/"+ref) == "" {
			l.engine(t, []byte(l.engine(t, nil, "save", ref)), "exec", "-i", node.Name, "ctr", "-n", "k8s.io", "images", "import", "-")
		}
	}
	return ref
}

// create makes a cluster with one replica, until the test ends.
func (l *lab) create(t *testing.T, name string) {
	t.Helper()
	cluster := l.step(t, module.Of[pgo.Cluster](), strings.NewReplacer("$NAME", name, "$IMAGE", l.image(t), "$CERTS", filepath.Join(l.dir, "pgo")).Replace(`
name         = "$NAME"
image        = "$IMAGE"
replicas     = 1
keep_data    = false
keep_backups = false
api {
  ca           = "$CERTS/ca.crt"
  cert         = "$CERTS/client.crt"
  key          = "$CERTS/client.key"
  pgouser_file = "$CERTS/pgouser"
}
`))
	t.Cleanup(func() { require.NoError(t, cluster.Destroy()) })
	_, _, err := cluster.Apply()
	require.NoError(t, err)
}
