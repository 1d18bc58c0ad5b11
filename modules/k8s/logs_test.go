package k8s

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestLogsReadsTheEndOfAPodsLog(t *testing.T) {
	c := kubetest.Lab(t)
	kubetest.LabShip(t)
	applying(t, c, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: talker, labels: {app: talker}}
spec:
  nodeName: %s
  terminationGracePeriodSeconds: 0
  containers:
  - name: database
    image: %s
    imagePullPolicy: Never
    command: [sh, -c, "for n in 1 2 3 4 5; do echo line $n; done; touch /tmp/said; sleep 600"]
    readinessProbe: {exec: {command: [test, -e, /tmp/said]}, periodSeconds: 1}
`, kubetest.LabNode, kubetest.LabImage)).Converge(module.Create)
	_, _, err := waiting(t, c, "kind = \"pod\"\nname = \"talker\"\nwithin = \"1m\"").Check()
	require.NoError(t, err)

	_, out, err := moduletest.New(t, module.Of[Logs](), c, `
selector  = "app=talker"
container = "database"
tail      = 2`, nil).Check()
	require.NoError(t, err)
	require.Equal(t, "talker", out.GetAttr("name").AsString())
	require.Equal(t, "line 4\nline 5\n", out.GetAttr("text").AsString())
	require.Equal(t, 2, out.GetAttr("lines").LengthInt())
}

func TestLogsOfAPodThatIsNotThereSaySo(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	_, _, err := moduletest.New(t, module.Of[Logs](), c, `pod = "nobody"`, nil).Check()
	require.ErrorContains(t, err, "nobody")
}
