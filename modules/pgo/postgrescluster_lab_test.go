package pgo

import (
	"context"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// openLabFive is the lab with the stand-in of PGO 6 beside that of 4.2, and a
// namespace of the test's own.
func openLabFive(t *testing.T) *lab {
	t.Helper()
	l := openLab(t)
	operator, err := l.cluster.Clientset().AppsV1().Deployments("postgres-operator").Get(t.Context(), "pgo", metav1.GetOptions{})
	if err != nil || operator.Status.AvailableReplicas == 0 {
		out, err := exec.CommandContext(t.Context(), "go", "-C", "../../lab", "run", ".", "operators", "6.0.3").CombinedOutput()
		require.NoError(t, err, string(out))
	}
	namespaces := l.cluster.Clientset().CoreV1().Namespaces()
	made, err := namespaces.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "modfive-"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		_ = namespaces.Delete(ctx, made.Name, metav1.DeleteOptions{})
	})
	l.cluster, err = kube.New(t.Context(), "lab", l.cluster.REST(), made.Name)
	require.NoError(t, err)
	return l
}

func (l *lab) five(t *testing.T, args string) *moduletest.Step {
	t.Helper()
	image, _ := l.images(t)
	s := moduletest.New(t, module.Of[Cluster](), l.cluster, `
		name             = "modfive"
		generation       = "v5"
		image            = "`+image+`"
		postgres_version = 15
		storage_size     = "500Mi"
		user             = "appuser"
		dbname           = "appdb"
		keep_data        = false
		keep_backups     = false
		`+args, nil)
	s.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: l.cluster.Namespace()}
	return s
}

// It does not run beside the others: the lab has few volumes.
func TestLabPostgresClusterFromNothingToNothing(t *testing.T) {
	l := openLabFive(t)
	t.Cleanup(func() { // what a failed test leaves would keep the namespace
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		clusters, err := (&postgresDriver{place: &place{kube: l.cluster, namespace: l.cluster.Namespace(), name: "modfive"}}).clusters(ctx)
		if err == nil {
			_ = clusters.Delete(ctx, "modfive", metav1.DeleteOptions{})
		}
	})
	step := l.five(t, `password = "Geheim1"`)
	var seen []string
	step.Env().Phase = func(name string) { t.Log("phase", name); seen = append(seen, name) }
	out := step.Converge(module.Create).AsValueMap()
	require.Subset(t, seen, []string{phaseRequest, phaseDeployment, phaseBackup})
	require.NotEmpty(t, out["service_ip"].AsString())
	require.Contains(t, out["conn_url"].AsString(), "postgres://")

	primary, err := conn.TargetFrom(out["primary"])
	require.NoError(t, err)
	ask := func(sql string) string {
		host, err := l.cluster.Container(t.Context(), primary.Namespace, primary.Pod, primary.Container)
		require.NoError(t, err)
		defer host.Close()
		res, err := host.Run(t.Context(), conn.Command("psql", "-XAtc", sql))
		require.NoError(t, err)
		return strings.TrimSpace(res.Stdout)
	}
	require.Equal(t, "f", ask("select pg_is_in_recovery()"))
	require.Equal(t, "appuser", ask("select rolname from pg_roles where rolname = 'appuser'"))
	secret, err := l.cluster.Clientset().CoreV1().Secrets(l.cluster.Namespace()).Get(t.Context(), "modfive-pguser-appuser", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "Geheim1", string(secret.Data["password"]))

	out = l.five(t, "replicas = 1\nparameters = { max_connections = \"120\", work_mem = \"6MB\" }").Converge(module.Update).AsValueMap()
	require.Equal(t, 1, out["standbys"].LengthInt())
	require.Eventually(t, func() bool {
		return ask("select count(*) from pg_stat_replication where state = 'streaming'") == "1"
	}, time.Minute, time.Second, "a replica that was just restarted connects again")
	require.Equal(t, "120", ask("show max_connections"), "it has been restarted")
	require.NoError(t, step.Destroy())
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	require.Empty(t, change.Diff, "nothing is left over")
}
