package kube_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/features"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

func TestOpenReadsTheKubeconfigAndTakesTheNamespaceFromTheTarget(t *testing.T) {
	server := kubetest.Start(t)
	h, err := kube.Open(t.Context(), conn.Target{Kind: conn.Kubernetes, Name: "lab", Namespace: "pgo"}, conn.Settings{Kubeconfig: server.Kubeconfig()}, nil)
	require.NoError(t, err)
	defer h.Close()
	c, err := kube.Of(h)
	require.NoError(t, err)
	require.Equal(t, "pgo", c.Namespace())
	require.True(t, c.AtLeast(1, 22))
	_, err = c.Clientset().CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	kind, err := c.Mapper().KindFor(schema.GroupVersionResource{Resource: "deploy"})
	require.NoError(t, err)
	require.Equal(t, "Deployment", kind.Kind)
	require.False(t, features.FeatureGates().Enabled(features.WatchListClient))
}

func TestAClusterRunsNoCommandsAndSaysWhatToDo(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	_, err := c.Run(t.Context(), conn.Command("true"))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "point the step at a container")
	_, err = c.Files()
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestAClusterThatCannotBeUsedIsUnreachableWithAHint(t *testing.T) {
	server := kubetest.Start(t)
	cases := map[string]struct {
		config *rest.Config
		says   string
	}{
		"stranger":   {server.Stranger(), "renew the certificate or token"},
		"wrong CA":   {&rest.Config{Host: server.URL}, "another cluster"},
		"wrong port": {&rest.Config{Host: "https://127.0.0.1:1"}, "is the API server up"},
		"wrong name": {&rest.Config{Host: "https://api.invalid:1"}, "does not resolve"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			_, err := kube.New(t.Context(), "lab", c.config, "default")
			var u *conn.Unreachable
			require.ErrorAs(t, err, &u)
			require.Equal(t, "lab", u.Target)
			require.Contains(t, u.Hint, c.says, err.Error())
		})
	}
}

func TestAMissingKubeconfigIsNamed(t *testing.T) {
	t.Setenv("KUBERNETES_SERVICE_HOST", "")
	missing := filepath.Join(t.TempDir(), "missing")
	_, err := kube.Open(t.Context(), conn.Target{Name: "lab"}, conn.Settings{Kubeconfig: missing}, nil)
	require.ErrorContains(t, err, missing)
	t.Setenv("KUBECONFIG", missing)
	_, err = kube.Open(t.Context(), conn.Target{Name: "lab"}, conn.Settings{}, nil)
	require.ErrorContains(t, err, "cannot reach lab: no kubeconfig with a cluster in "+missing)
}

func TestAPodThatIsNotThereIsUnreachable(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	_, err := c.Container(t.Context(), "", "nosuch", "")
	require.EqualError(t, err, "cannot reach pod nosuch in "+c.Namespace()+": there is no such pod")
	_, err = c.Dial(t.Context(), "tcp", "pod/nosuch:5432")
	var u *conn.Unreachable
	require.ErrorAs(t, err, &u)
	_, err = c.Dial(t.Context(), "tcp", "svc/nosuch:5432")
	require.ErrorContains(t, err, "there is no service nosuch in namespace "+c.Namespace())
	_, err = c.Dial(t.Context(), "tcp", "10.0.0.1:5432")
	require.ErrorContains(t, err, "pod/NAME.NAMESPACE:PORT")
}
