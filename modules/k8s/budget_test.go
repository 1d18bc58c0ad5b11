package k8s

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// counted connects to the test's server anew, as a run does, and gives the
// requests since it was asked last. They say "dry" for a dry run.
func counted(t *testing.T, server *kubetest.Server, namespace string) (*kube.Cluster, func() []string) {
	var mu sync.Mutex
	var all []string
	config := proxied(t, server, func(_ http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		verb := r.Method
		switch {
		case r.URL.Query().Get("dryRun") != "":
			verb += " dry"
		case r.URL.Query().Get("watch") != "":
			verb = "WATCH"
		}
		all = append(all, verb+" "+strings.ReplaceAll(r.URL.Path, "/namespaces/"+namespace, ""))
		return false
	})
	c, err := kube.New(t.Context(), "counted", config, namespace)
	require.NoError(t, err)
	return c, func() []string {
		mu.Lock()
		defer mu.Unlock()
		defer func() { all = nil }()
		return all
	}
}

// ten objects of four kinds, as a rollout has them.
func ten() string {
	var docs []string
	for i := range 4 {
		docs = append(docs, fmt.Sprintf("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c%d, labels: {app: antdb}}\ndata: {n: \"%d\"}\n", i, i))
	}
	for i := range 3 {
		docs = append(docs, fmt.Sprintf("apiVersion: v1\nkind: Service\nmetadata: {name: s%d, labels: {app: antdb}}\nspec: {selector: {app: antdb}, ports: [{port: 5432}, {port: 8009, name: rest}]}\n", i))
	}
	for i := range 2 {
		docs = append(docs, fmt.Sprintf(`apiVersion: apps/v1
kind: Deployment
metadata: {name: d%d, labels: {app: antdb}}
spec:
  replicas: 0
  selector: {matchLabels: {app: d%d}}
  template:
    metadata: {labels: {app: d%d}}
    spec:
      volumes: [{name: data, emptyDir: {}}]
      containers:
      - name: database
        image: antdb-ha:1
        args: [a, b]
        env: [{name: A, value: "1"}, {name: POD, valueFrom: {fieldRef: {apiVersion: v1, fieldPath: metadata.name}}}]
        ports: [{containerPort: 5432}]
        volumeMounts: [{name: data, mountPath: /pgdata}]
        resources: {requests: {cpu: 100m, memory: 64Mi}}
`, i, i, i))
	}
	docs = append(docs, "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: antdb, labels: {app: antdb}}\n")
	return strings.Replace(strings.Join(docs, "---\n"), "{port: 5432}, ", "{port: 5432, name: pg}, ", -1)
}

func TestWhatIsUnchangedIsProvedInFewRequests(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	step := applying(t, own, ten())
	said := listen(step)
	step.Converge(module.Create)
	require.NotContains(t, strings.Join(*said, "\n"), "warning")

	c, requests := counted(t, server, own.Namespace())
	change, _, err := applying(t, c, ten()).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted())
	all := requests()
	require.ElementsMatch(t, []string{"GET /version", "GET /api", "GET /apis",
		"GET /api/v1/configmaps", "GET /api/v1/services", "GET /api/v1/serviceaccounts/antdb",
		"GET /apis/apps/v1/deployments/d0", "GET /apis/apps/v1/deployments/d1"}, all)
	require.LessOrEqual(t, len(all), 10)

	// A second step of the run knows the server by then.
	_, _, err = applying(t, c, settings).Check()
	require.NoError(t, err)
	require.Equal(t, []string{"GET /api/v1/configmaps/settings", "PATCH dry /api/v1/configmaps/settings",
		"GET /apis/apps/v1/deployments/web", "PATCH dry /apis/apps/v1/deployments/web"}, requests())
}

func TestWhatOthersChangedIsSeenWithoutHelpOfTheProof(t *testing.T) {
	server := kubetest.Start(t)
	c := server.Cluster(t)
	applying(t, c, ten()).Converge(module.Create)
	for _, less := range []struct{ what, from, to string }{
		{"a label less", "metadata: {name: d1, labels: {app: antdb}}", "metadata: {name: d1}"},
		{"an element less", "{name: A, value: \"1\"}, ", ""},
		{"another value", "image: antdb-ha:1", "image: antdb-ha:2"},
		{"another atomic list", "args: [a, b]", "args: [a]"},
		{"a quantity in another notation", "memory: 64Mi", "memory: 65536Ki"},
	} {
		changed := strings.ReplaceAll(ten(), less.from, less.to)
		require.NotEqual(t, ten(), changed)
		change, _, err := applying(t, c, changed).Check()
		require.NoError(t, err)
		require.Equal(t, less.what != "a quantity in another notation", change.Wanted(), less.what)
	}
}

func TestWaitingForWhatIsThereNeedsNoWatch(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	applying(t, own, ten()).Converge(module.Create)
	c, requests := counted(t, server, own.Namespace())
	_, _, err := moduletest.New(t, module.Of[Wait](), c, "kind = \"deployment\"\nname = \"d0\"", nil).Check()
	require.NoError(t, err)
	all := requests()
	for _, r := range []string{"GET /version", "GET /api", "GET /apis", "GET /apis/apps/v1/deployments/d0", "GET /apis/apps/v1/replicasets"} {
		require.Contains(t, all, r)
	}
	require.LessOrEqual(t, len(all), 6, all)
}

func TestNodesAreReadInTwoRequests(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	selector := joined(t, own, machine(own.Namespace()+"-a"), machine(own.Namespace()+"-b"))
	c, requests := counted(t, server, own.Namespace())
	_, err := nodes(t, c, `selector = "`+selector+`"`, hosts(own.Namespace()+"-a", own.Namespace()+"-b"))
	require.NoError(t, err)
	require.Equal(t, []string{"GET /version", "GET /api/v1/nodes", "POST dry /api/v1/pods"}, requests())
}

func TestRequestsOfAnOldServerAreFew(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	applying(t, c, settings).Converge(module.Create)
	old.Requests()

	c = old.Cluster(t)
	change, _, err := applying(t, c, settings).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted())
	require.Equal(t, []string{"GET /version", "GET /api/v1", "GET /apis/apps/v1",
		"GET /api/v1/namespaces/default/configmaps/settings", "GET /apis/apps/v1/namespaces/default/deployments/web"}, old.Requests())

	applying(t, c, ten()).Converge(module.Create)
	c = old.Cluster(t)
	old.Requests()
	change, _, err = applying(t, c, ten()).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted())
	require.ElementsMatch(t, []string{"GET /api/v1", "GET /apis/apps/v1", "GET /api/v1/namespaces/default/configmaps", "GET /api/v1/namespaces/default/services",
		"GET /api/v1/namespaces/default/serviceaccounts/antdb", "GET /apis/apps/v1/namespaces/default/deployments/d0",
		"GET /apis/apps/v1/namespaces/default/deployments/d1"}, old.Requests())

	_, out, err := moduletest.New(t, module.Of[Wait](), c, "kind = \"cm\"\nname = \"settings\"", nil).Check()
	require.NoError(t, err)
	require.Equal(t, cty.StringVal("settings"), out.GetAttr("names").Index(cty.Zero))
	require.Equal(t, []string{"GET /api/v1/namespaces/default/configmaps/settings"}, old.Requests())
}
