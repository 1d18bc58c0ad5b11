package k8s

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// A look at a cluster whose pods really run, without a word on where its
// databases are.
func TestTheLabIsCollected(t *testing.T) {
	h, err := kube.Open(t.Context(), conn.Target{Kind: conn.Kubernetes, Name: "lab"}, conn.Settings{Kubeconfig: kubetest.LabFile(t, "kubeconfig")}, nil)
	require.NoError(t, err)
	env := moduletest.Env(t, h)
	env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab"}
	m := evidence.NewMemory(time.Now(), 1<<20)
	begun := time.Now()
	require.NoError(t, (&Collect{LogLines: 20_000, LogBytes: 4 << 20}).Collect(t.Context(), env, m))
	took := time.Since(begun)

	kinds, logs := map[string]int{}, 0
	operator := evidence.Place{}
	for f, err := range m.Facts() {
		require.NoError(t, err)
		kinds[f.Kind]++
		switch data := f.Data.(type) {
		case *evidence.Pod:
			if data.Role == operatorRole {
				operator = f.Place
			}
		case *evidence.Node:
			require.NotEmpty(t, data.Images)
			require.GreaterOrEqual(t, data.HeartbeatAge, int64(0))
		case *evidence.Certificate:
			require.Positive(t, data.Left, data.Where)
		}
	}
	require.NotEmpty(t, operator.Pod)
	told := false
	for log, err := range m.Logs() {
		require.NoError(t, err)
		logs++
		told = told || log.Kind == evidence.OperatorLog && log.Place.Pod == operator.Pod
	}
	require.True(t, told, "the operator's log")
	require.Positive(t, kinds["k8s.access"])
	t.Logf("%s for %v and %d logs; not seen: %v", took, kinds, logs, m.Gaps())
}
