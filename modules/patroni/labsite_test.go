package patroni

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// lab is the real cluster of Kubernetes that `lab up` makes.
type lab struct {
	cluster *kube.Cluster
	dir     string
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
	return &lab{cluster: cluster, dir: kubetest.LabFile(t, "pgo")}
}

// Dial opens what steps of these tests name beside their target.
func (l *lab) Dial(_ context.Context, t conn.Target) (conn.Host, error) {
	switch t.Kind {
	case conn.Kubernetes:
		return l.cluster, nil
	case conn.Local:
		return local.New(), nil
	}
	return nil, fmt.Errorf("the test has no target of kind %s", t.Kind)
}

func (l *lab) step(t *testing.T, entry module.Entry, cluster, args string, values ...any) *moduletest.Step {
	t.Helper()
	s := moduletest.New(t, entry, l.cluster, fmt.Sprintf("cluster = %q\n", cluster)+fmt.Sprintf(args, values...), map[string]cty.Value{})
	s.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: labNamespace}
	s.Env().Dialer = l
	return s
}
