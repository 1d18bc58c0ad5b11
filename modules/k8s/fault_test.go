package k8s

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// readers are the modules that look at one object.
func readers(t *testing.T, c *kube.Cluster) map[string]*moduletest.Step {
	return map[string]*moduletest.Step{
		"get":  moduletest.New(t, module.Of[Get](), c, "kind = \"cm\"\nname = \"settings\"", nil),
		"wait": moduletest.New(t, module.Of[Wait](), c, "kind = \"cm\"\nname = \"settings\"\nwithin = \"20s\"", nil),
		"logs": moduletest.New(t, module.Of[Logs](), c, "pod = \"db\"", nil),
	}
}

func TestReadingWithoutPermissionSaysWhatToAskFor(t *testing.T) {
	server := kubetest.Start(t)
	nobody, err := kube.New(t.Context(), "lab", server.Nobody(), "default")
	require.NoError(t, err)
	for name, step := range readers(t, nobody) {
		_, _, err := step.Check()
		require.ErrorContains(t, err, `User "nobody" cannot get resource`, name)
		var explained *module.Explained
		require.ErrorAs(t, err, &explained, name)
		require.Contains(t, explained.Remedy, "administrator", name)
	}
}

func TestAServerThatRefusesTheCredentialsInTheMiddleOfARunIsSaidToDoSo(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	expired := false
	c, err := kube.New(t.Context(), "lab", front(t, old.URL, func(w http.ResponseWriter, r *http.Request) bool {
		if expired {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`))
		}
		return expired
	}), "default")
	require.NoError(t, err)
	expired = true
	steps := readers(t, c)
	steps["apply"] = applying(t, c, settings)
	for name, step := range steps {
		_, _, err := step.Check()
		var u *conn.Unreachable
		require.ErrorAs(t, err, &u, name)
		require.Contains(t, u.Hint, "renew the certificate or token", name)
	}
}

func TestAServerThatIsGoneIsSaidToBe(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	applying(t, c, settings).Converge(module.Create)
	old.Close()
	for name, step := range map[string]*moduletest.Step{"get": readers(t, c)["get"], "logs": readers(t, c)["logs"], "apply": applying(t, c, settings)} {
		_, _, err := step.Check()
		var u *conn.Unreachable
		require.ErrorAs(t, err, &u, name)
		require.Contains(t, u.Hint, "is the API server up", name)
	}
}

func TestAWebhookThatTakesNoDryRunsIsNamedWithWhatToDo(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c, err := kube.New(t.Context(), "old", front(t, old.URL, func(w http.ResponseWriter, r *http.Request) bool {
		dry := strings.Contains(r.URL.RawQuery, "dryRun")
		if dry {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"admission webhook \"policy.site\" does not support dry run","reason":"BadRequest","code":400}`))
		}
		return dry
	}), "default")
	require.NoError(t, err)
	_, _, err = applying(t, c, settings).Check()
	require.ErrorContains(t, err, "ConfigMap/settings: admission webhook \"policy.site\" does not support dry run")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, "sideEffects")
}
