package pgo

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestLabUserRotatesByTheApiserverAndWithout(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("l4-user") })
	image, _ := l.images(t)
	cluster := l.step(t, "name = \"l4-user\"\nimage = %q\nwait_backup = false\n"+labAPI, image)
	cluster.Converge(module.Create)

	user := func(name, password, api string) *moduletest.Step {
		entry := module.Of[User]()
		if api == "" { // as on a machine that knows nothing of the pgo client
			entry.New = func() module.Module { return &User{getenv: noVariables} }
		}
		s := moduletest.New(t, entry, l.cluster, fmt.Sprintf("cluster = \"l4-user\"\nuser = %q\npassword = %q\n%s", name, password, api), nil)
		s.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: labNamespace}
		return s
	}
	api := strings.ReplaceAll(strings.Split(labAPI, "keep_data")[0], "$LAB", filepath.Join(l.dir, "pgo"))
	for _, r := range []struct{ name, password, api string }{
		{"testuser", `First'1/\&"密码`, api}, {"testuser", "Second2", ""}, {"postgres", "Root2", api}, {"testuser", "Third3", api},
	} {
		out := user(r.name, r.password, r.api).Converge(module.Update).AsValueMap()
		name := out["secret"].AsString()
		require.Equal(t, "l4-user-"+r.name+"-secret", name)
		kept, err := readKept(t.Context(), l.cluster.Clientset(), labNamespace, name)
		require.NoError(t, err)
		require.Equal(t, r.password, kept.password.Reveal())
	}

	// An operator that stopped between database and Secret.
	require.NoError(t, patchKept(t.Context(), l.cluster.Clientset(), labNamespace, "l4-user-testuser-secret", map[string]secret.Value{"password": secret.New("Second2")}))
	change, _, err := user("testuser", "Third3", api).Apply()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "the Secret lags behind the database")
	require.NoError(t, cluster.Destroy())
}

func TestLabUserOfPGO6RotatesByItsSecret(t *testing.T) {
	l := openLabFive(t)
	t.Cleanup(func() { // what a failed test leaves would keep the namespace
		kind := k8s.GroupVersionResource{Group: groupV5, Version: "v1beta1", Resource: "postgresclusters"}
		_ = l.cluster.Dynamic().Resource(kind).Namespace(l.cluster.Namespace()).Delete(context.Background(), "modfive", metav1.DeleteOptions{})
	})
	cluster := l.five(t, "wait_backup = false")
	out := cluster.Converge(module.Create).AsValueMap()
	primary, err := conn.TargetFrom(out["primary"])
	require.NoError(t, err)
	server, err := l.cluster.Container(t.Context(), primary.Namespace, primary.Pod, primary.Container)
	require.NoError(t, err)
	user := func(password string) *moduletest.Step {
		s := moduletest.New(t, module.Of[User](), l.cluster, fmt.Sprintf("cluster = \"modfive\"\nuser = \"appuser\"\npassword = %q\n", password), nil)
		s.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: l.cluster.Namespace()}
		return s
	}
	for _, password := range []string{`First'1/\&"密码`, "Second2"} {
		user(password).Converge(module.Update)
	}
	_, err = psql(t.Context(), server, "alter role appuser password 'Hand1';\n")
	require.NoError(t, err)
	change, _, err := user("Second2").Apply()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "the database lags behind the Secret")
	require.NoError(t, cluster.Destroy())
}
