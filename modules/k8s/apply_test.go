package k8s

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

func TestExamplesAreWellFormed(t *testing.T) {
	moduletest.Example(t, module.Of[Apply]())
	moduletest.Example(t, module.Of[Collect]())
	moduletest.Example(t, module.Of[Get]())
	moduletest.Example(t, module.Of[Logs]())
	moduletest.Example(t, module.Of[Nodes]())
	moduletest.Example(t, module.Of[Wait]())
}

// applying makes a step with one argument, given as a value.
func applying(t *testing.T, c *kube.Cluster, manifest string) *moduletest.Step {
	return moduletest.New(t, module.Of[Apply](), c, "manifest = text", map[string]cty.Value{"text": cty.StringVal(manifest)})
}

const settings = `
# settings of the site
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {max_connections: "500"}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: web:1
        resources: {requests: {cpu: 1000m, memory: 1024Mi}}
`

// proxied is how to connect to the server through a proxy in which answer may
// take the server's place.
func proxied(t *testing.T, server *kubetest.Server, answer func(http.ResponseWriter, *http.Request) bool) *rest.Config {
	upstream, err := url.Parse(server.URL)
	require.NoError(t, err)
	transport, err := rest.TransportFor(server.Admin())
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(upstream) }, FlushInterval: -1}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(func() {
		front.CloseClientConnections()
		front.Close()
	})
	return &rest.Config{Host: front.URL, QPS: 100, Burst: 200}
}

// clusters are today's server, and the same one claiming to be older, which is
// then spoken to as kubectl apply did. A real old server cannot be had here.
func clusters(t *testing.T) map[string]*kube.Cluster {
	server := kubetest.Start(t)
	old := proxied(t, server, func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.URL.Path == "/version":
			_, _ = w.Write([]byte(`{"major":"1","minor":"17","gitVersion":"v1.17.3"}`))
		case r.Header.Get("Content-Type") == string(types.ApplyPatchType):
			http.Error(w, "no server-side apply here", http.StatusUnsupportedMediaType)
		default:
			return false
		}
		return true
	})
	classic, err := kube.New(t.Context(), "old", old, server.Cluster(t).Namespace())
	require.NoError(t, err)
	return map[string]*kube.Cluster{"server-side": server.Cluster(t), "classic": classic}
}

func TestApplyConvergesUpdatesAndDestroys(t *testing.T) {
	for name, c := range clusters(t) {
		t.Run(name, func(t *testing.T) {
			out := applying(t, c, settings).Converge(module.Create)
			first := out.GetAttr("objects").Index(cty.Zero)
			require.Equal(t, c.Namespace(), first.GetAttr("namespace").AsString())

			changed := `
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {max_connections: "800", work_mem: 64MB}
`
			step := applying(t, c, changed)
			change, _, err := step.Check()
			require.NoError(t, err)
			require.Equal(t, module.Change{Action: module.Update, Summary: "update ConfigMap/settings", Diff: []module.Diff{
				{Path: "ConfigMap/settings data.max_connections", Before: "500", After: "800"},
				{Path: "ConfigMap/settings data.work_mem", After: "64MB"},
			}}, change)
			step.Converge(module.Update)

			// What is no longer wanted goes.
			change, _, err = applying(t, c, settings).Apply()
			require.NoError(t, err)
			require.Contains(t, change.Diff, module.Diff{Path: "ConfigMap/settings data.work_mem", Before: "64MB"})

			require.NoError(t, applying(t, c, settings).Destroy())
			change, _, err = applying(t, c, settings).Check()
			require.NoError(t, err)
			require.Equal(t, module.Create, change.Action)
			require.NoError(t, applying(t, c, settings).Destroy())
		})
	}
}

func TestWhatSomebodyElseChangedIsPutRight(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	applying(t, c, settings).Converge(module.Create)
	_, err := c.Clientset().CoreV1().ConfigMaps(c.Namespace()).Patch(t.Context(), "settings", types.MergePatchType,
		[]byte(`{"data":{"max_connections":"1","extra":"kept"}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	change, _, err := applying(t, c, settings).Apply()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "ConfigMap/settings data.max_connections", Before: "1", After: "500"}}, change.Diff)
	cm, err := c.Clientset().CoreV1().ConfigMaps(c.Namespace()).Get(t.Context(), "settings", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"max_connections": "500", "extra": "kept"}, cm.Data)
}

func TestADefinitionAndANamespaceMayStandBeforeWhatNeedsThem(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	manifest := `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.antdb.test}
spec:
  group: antdb.test
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
---
apiVersion: v1
kind: Namespace
metadata: {name: antdb-widgets}
---
apiVersion: antdb.test/v1
kind: Widget
metadata: {name: one, namespace: antdb-widgets}
spec: {size: 3}
`
	applying(t, c, manifest).Converge(module.Create)
	found := moduletest.New(t, module.Of[Get](), c, `
		kind      = "widget"
		name      = "one"
		namespace = "antdb-widgets"`, nil)
	_, out, err := found.Check()
	require.NoError(t, err)
	require.Equal(t, "3", out.GetAttr("object").GetAttr("spec").GetAttr("size").AsBigFloat().String())
	require.NoError(t, applying(t, c, manifest).Destroy())
	kubetest.Eventually(t, "the server forgets the kind", func() bool {
		c.Mapper().Reset()
		_, _, err = found.Check()
		return err != nil
	})
	require.EqualError(t, err, "the cluster knows no kind widget")
}

// A server refuses such a field in a server-side apply, once it has taken in the
// schema of a new kind; some moments before it drops it.
func TestAFieldThatACustomResourceDoesNotHaveIsNamed(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	manifest := strings.ReplaceAll(strings.Split(todays, "---\napiVersion: batch")[0], "antdb.test", "pruned.antdb.test")
	step := applying(t, c, manifest)
	said := listen(step)
	step.Converge(module.Create)
	require.NotContains(t, strings.Join(*said, "\n"), "warning")
	step = applying(t, c, strings.Replace(manifest, "spec: {size: 3}", "spec: {size: 3, sise: 4}", 1))
	said = listen(step)
	if _, _, err := step.Check(); err != nil {
		*said = append(*said, err.Error())
	}
	require.Len(t, *said, 1)
	require.Regexp(t, `Widget/one: (warning: Kubernetes .* does not keep spec.sise|.*spec\.sise: field not declared in schema)$`, (*said)[0])
}

func TestSecretsOfAManifestAreNotShown(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	manifest := func(password string) string {
		return "apiVersion: v1\nkind: Secret\nmetadata: {name: login}\nstringData: {password: " + password + "}\n"
	}
	change, _, err := applying(t, c, manifest("hunter22")).Apply()
	require.NoError(t, err)
	require.NotContains(t, change.Diff[0].After, "hunter22")
	change, _, err = applying(t, c, manifest("swordfish")).Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "Secret/login data.password", Before: "(secret)", After: "(secret)"}}, change.Diff)

	_, out, err := moduletest.New(t, module.Of[Get](), c, "kind = \"secret\"\nname = \"login\"", nil).Check()
	require.NoError(t, err)
	require.Equal(t, "(secret)", out.GetAttr("object").GetAttr("data").GetAttr("password").AsString())
	require.NotContains(t, out.GoString(), "aHVudGVyMjI")
}

func TestFaultsOfAManifestNameDocumentAndLine(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	cases := map[string]struct{ manifest, says string }{
		"unknown kind": {settings + "---\napiVersion: antdb.test/v9\nkind: Gadget\nmetadata: {name: x}\n",
			"manifest, document 3 (line 22), Gadget/x: the cluster knows no kind Gadget (antdb.test/v9)"},
		"no such namespace": {"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x, namespace: nowhere}\n",
			`manifest, document 1 (line 1), ConfigMap/x: namespaces "nowhere" not found`},
		"a field that the server refuses": {"apiVersion: v1\nkind: Service\nmetadata: {name: x}\nspec: {ports: [{port: 99999}]}\n",
			"manifest, document 1 (line 1), Service/x: "},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := applying(t, c, test.manifest).Check()
			require.ErrorContains(t, err, test.says)
			var arg *module.ArgError
			require.ErrorAs(t, err, &arg)
			require.Equal(t, "manifest", arg.Arg)
			var explained *module.Explained
			require.ErrorAs(t, err, &explained)
			require.NotEmpty(t, explained.Remedy)
		})
	}
}

func TestApplyingWithoutPermissionSaysWhichIsMissing(t *testing.T) {
	server := kubetest.Start(t)
	nobody, err := kube.New(t.Context(), "lab", server.Nobody(), "default")
	require.NoError(t, err)
	_, _, err = applying(t, nobody, settings).Check()
	require.ErrorContains(t, err, `User "nobody" cannot`)
}

func TestFilesAreAppliedInOrderOfTheirNames(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	step := moduletest.New(t, module.Of[Apply](), c, `files = ["*.yaml"]`, nil)
	for _, name := range []string{"b", "a"} {
		text := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: " + name + "}\n"
		require.NoError(t, os.WriteFile(filepath.Join(step.Env().Dir, name+".yaml"), []byte(text), 0o600))
	}
	change, _, err := step.Apply()
	require.NoError(t, err)
	require.Equal(t, "create ConfigMap/a, ConfigMap/b", change.Summary)
	_, _, err = moduletest.New(t, module.Of[Apply](), c, `file = "missing.yaml"`, nil).Check()
	require.ErrorContains(t, err, "missing.yaml")
}
