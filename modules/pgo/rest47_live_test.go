package pgo

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// labAPI47 leads to the stand-in of 4.7.
var labAPI47 = strings.ReplaceAll(strings.Replace(labAPI, "api {", "api {\n  service = \"postgres-operator.pgo47:8443\"", 1), "$LAB", "$LAB47")

// openLab47 is the lab with the stand-in of PGO 4.7 beside that of 4.2.
func openLab47(t *testing.T) *lab {
	t.Helper()
	l := openLab(t)
	operator, err := l.cluster.Clientset().AppsV1().Deployments("pgo47").Get(t.Context(), "postgres-operator", metav1.GetOptions{})
	if err != nil || operator.Status.AvailableReplicas == 0 {
		out, err := exec.CommandContext(t.Context(), "go", "-C", "../../lab", "run", ".", "operators", "4.7.10").CombinedOutput()
		require.NoError(t, err, string(out))
	}
	l.cluster, err = kube.New(t.Context(), "lab", l.cluster.REST(), "pguser47")
	require.NoError(t, err)
	return l
}

func (l *lab) step47(t *testing.T, entry module.Entry, args string) *moduletest.Step {
	t.Helper()
	s := moduletest.New(t, entry, l.cluster, strings.ReplaceAll(args, "$LAB47", filepath.Join(l.dir, "pgo47")), nil)
	s.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: "pguser47"}
	return s
}

// One after the other: the lab has few volumes.
func TestLabClustersOf47ByRESTAndByResource(t *testing.T) {
	l := openLab47(t)
	image, _ := l.images(t)
	for name, access := range map[string]string{
		"l4-rest": labAPI47,
		"l4-crd":  "generation = \"resource\"\nwait_backup = false\nkeep_data = false\nkeep_backups = false\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Cleanup(func() { // what a failed test leaves; the operator takes the rest away
				p := &place{kube: l.cluster, name: name, namespace: "pguser47"}
				_ = p.kind("pgclusters").Delete(context.Background(), name, metav1.DeleteOptions{})
			})
			args := "name = \"" + name + "\"\nimage = \"" + image + "\"\nuser = \"appuser\"\ndbname = \"appdb\"\n" + access
			out := l.step47(t, module.Of[Cluster](), args).Converge(module.Create).AsValueMap()
			require.Equal(t, "appdb", out["database"].AsString())
			if name == "l4-rest" {
				require.Equal(t, "PGO 4.7 (REST)", out["operator"].AsString())
				l.step47(t, module.Of[Cluster](), args+"replicas = 1\n").Converge(module.Update)
				args += "replicas = 1\n"
			}
			api, _, _ := strings.Cut(access, "keep_data")
			api = strings.TrimPrefix(api, "generation = \"resource\"\nwait_backup = false\n")
			user := l.step47(t, module.Of[User](), "cluster = \""+name+"\"\nuser = \"appuser\"\npassword = \"Second'2\"\n"+api)
			require.Equal(t, name+"-appuser-secret", user.Converge(module.Update).AsValueMap()["secret"].AsString())

			step := l.step47(t, module.Of[Cluster](), args)
			require.NoError(t, step.Destroy())
			change, _, err := step.Check()
			require.NoError(t, err)
			require.Equal(t, module.Create, change.Action)
		})
	}
}
