package backup

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/modules/pgo"
)

// lab is a cluster that the lab's operator keeps.
type lab struct {
	pool   *conn.Pool
	site   conn.Target
	host   conn.Host
	docker string
}

const labCluster = "bk-test"

func openLab(t *testing.T) *lab {
	t.Helper()
	kubeconfig := kubetest.LabFile(t, "kubeconfig")
	l := &lab{docker: "unix://" + kubetest.LabFile(t, "docker.sock"),
		site: conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: "pgouser1"},
		pool: conn.NewPool(map[string]conn.Opener{conn.Kubernetes: kube.Open, conn.Container: kube.OpenContainer},
			map[string]conn.Settings{"lab": {Kubeconfig: kubeconfig, Namespace: "pgouser1"}})}
	t.Cleanup(func() { require.NoError(t, l.pool.Close()) })
	var err error
	l.host, err = l.pool.Dial(t.Context(), l.site)
	require.NoError(t, err)
	return l
}

func (l *lab) step(t *testing.T, entry module.Entry, args string) *moduletest.Step {
	t.Helper()
	s := moduletest.New(t, entry, l.host, args, nil)
	s.Env().Target, s.Env().Dialer = l.site, l.pool
	return s
}

// on is a step on a container of the cluster.
func (l *lab) on(t *testing.T, entry module.Entry, target conn.Target, args string) *moduletest.Step {
	t.Helper()
	host, err := l.pool.Dial(t.Context(), target)
	require.NoError(t, err)
	s := moduletest.New(t, entry, host, args, nil)
	s.Env().Target, s.Env().Dialer = target, l.pool
	return s
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
	k, err := kube.Of(l.host)
	require.NoError(t, err)
	nodes, err := k.Clientset().CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	for _, node := range nodes.Items {
		if l.engine(t, nil, "exec", node.Name, "ctr", "-n", "k8s.io", "images", "ls", "-q", "name==docker.io/"+ref) == "" {
			l.engine(t, []byte(l.engine(t, nil, "save", ref)), "exec", "-i", node.Name, "ctr", "-n", "k8s.io", "images", "import", "-")
		}
	}
	return ref
}

func (l *lab) create(t *testing.T) conn.Target {
	t.Helper()
	certs := filepath.Join(filepath.Dir(kubetest.LabFile(t, "kubeconfig")), "pgo")
	cluster := l.step(t, module.Of[pgo.Cluster](), strings.ReplaceAll(`
name         = "`+labCluster+`"
image        = "`+l.image(t)+`"
keep_data    = false
keep_backups = false
api {
  ca           = "$CERTS/ca.crt"
  cert         = "$CERTS/client.crt"
  key          = "$CERTS/client.key"
  pgouser_file = "$CERTS/pgouser"
}
`, "$CERTS", certs))
	t.Cleanup(func() { require.NoError(t, cluster.Destroy()) })
	_, out, err := cluster.Apply()
	require.NoError(t, err)
	primary, err := conn.TargetFrom(out.GetAttr("primary"))
	require.NoError(t, err)
	return primary
}

func TestBackupsOnTheLab(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	primary := l.create(t)
	p, err := which{cluster: labCluster, stanza: "db"}.find(t.Context(), l.step(t, checkEntry, "").Env())
	require.NoError(t, err)
	repo := conn.Target{Kind: conn.Container, Name: p.vault.Name, Config: "lab", Namespace: "pgouser1", Pod: p.vault.Name, Container: "database"}

	// The cluster, its database container and that of its repository mean the same.
	labels := map[string]bool{}
	for _, s := range []*moduletest.Step{l.step(t, checkEntry, `cluster = "`+labCluster+`"`), l.on(t, checkEntry, primary, ""), l.on(t, checkEntry, repo, "")} {
		change, out, err := s.Check()
		require.NoError(t, err)
		require.Equal(t, module.None, change.Action)
		labels[out.GetAttr("last_backup").AsString()] = true
	}
	require.Len(t, labels, 1)

	t.Run("by the operator", func(t *testing.T) { l.byOperator(t, primary) })
	t.Run("by pgbackrest itself", func(t *testing.T) {
		_, out, err := l.on(t, runEntry, primary, "type = \"incr\"\nmax_age = \"0s\"\nvia = \"exec\"").Apply()
		require.NoError(t, err)
		require.Equal(t, "incr", out.GetAttr("backup_type").AsString())
	})
	t.Run("a fresh segment", func(t *testing.T) {
		m := l.on(t, checkEntry, primary, "fresh_wal = true").Module().(*Check)
		require.NoError(t, m.Apply(t.Context(), l.on(t, checkEntry, primary, "").Env()))
	})
	t.Run("a repository that cannot be written", func(t *testing.T) { l.unwritable(t, primary, p) })
	t.Run("a stanza that is gone", func(t *testing.T) { l.noStanza(t, primary, p) })
}

func (l *lab) byOperator(t *testing.T, primary conn.Target) {
	step := l.on(t, runEntry, primary, "type = \"diff\"\nmax_age = \"0s\"\nvia = \"operator\"")
	var logged []string
	step.Env().Logf = func(format string, _ ...any) { logged = append(logged, format) }
	change, out, err := step.Apply()
	require.NoError(t, err)
	require.Equal(t, module.Run, change.Action)
	require.Equal(t, "diff", out.GetAttr("backup_type").AsString())
	require.NotEmpty(t, logged)
	again, out2, err := l.on(t, runEntry, primary, "type = \"diff\"").Apply()
	require.NoError(t, err)
	require.Equal(t, module.None, again.Action)
	require.Equal(t, out.GetAttr("label"), out2.GetAttr("label"))
}

const vaultPath = "/backrestrepo/" + labCluster + "-backrest-shared-repo"

func (l *lab) unwritable(t *testing.T, primary conn.Target, p *place) {
	shut := func(mode string) {
		_, err := p.repo.Run(t.Context(), conn.Command("chmod", mode, vaultPath+"/backup/db"))
		require.NoError(t, err)
	}
	shut("500")
	defer shut("750")
	_, _, err := l.on(t, runEntry, primary, `max_age = "0s"`).Apply()
	require.ErrorContains(t, err, "the job backrest-backup-"+labCluster+" has failed: [")
	ex := (*module.Explained)(nil)
	require.ErrorAs(t, err, &ex)
	require.Contains(t, strings.Join(ex.Evidence, "\n"), "ermission denied")
}

func (l *lab) noStanza(t *testing.T, primary conn.Target, p *place) {
	_, err := p.repo.Run(t.Context(), conn.Script(`mv "$1/backup/db" "$1/backup.away"; mv "$1/archive/db" "$1/archive.away"`, vaultPath))
	require.NoError(t, err)
	_, _, err = l.on(t, checkEntry, primary, "").Check()
	require.ErrorContains(t, err, "the stanza db of cluster "+labCluster+" is not there: missing stanza path")
	ex := (*module.Explained)(nil)
	require.ErrorAs(t, err, &ex)
	require.Contains(t, strings.Join(ex.Evidence, "\n"), "job "+labCluster+"-stanza-create is complete")
}
