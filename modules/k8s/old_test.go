package k8s

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// olds are the versions whose discovery is at hand.
var olds = []string{"1.13", "1.15"}

// listen collects what a step logs.
func listen(s *moduletest.Step) *[]string {
	var said []string
	s.Env().Logf = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	return &said
}

func read(t *testing.T, c *kube.Cluster, resource, name string) *unstructured.Unstructured {
	t.Helper()
	kind, err := c.Mapper().KindFor(schema.GroupVersionResource{Resource: resource})
	require.NoError(t, err)
	m, err := c.Mapper().RESTMapping(kind.GroupKind(), kind.Version)
	require.NoError(t, err)
	o, err := client{Cluster: c}.of(m, "default").Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return o
}

func TestAnOldServerConvergesUpdatesAndLetsGo(t *testing.T) {
	for _, version := range olds {
		t.Run(version, func(t *testing.T) {
			old := kubetest.StartOld(t, version)
			c := old.Cluster(t)
			applying(t, c, settings).Converge(module.Create)
			changed := strings.Replace(settings, `max_connections: "500"`, `work_mem: 64MB`, 1)
			change, _, err := applying(t, c, changed).Apply()
			require.NoError(t, err)
			require.Equal(t, []module.Diff{{Path: "ConfigMap/settings data.max_connections", Before: "500"},
				{Path: "ConfigMap/settings data.work_mem", After: "64MB"}}, change.Diff)
			require.Equal(t, "apps/v1", read(t, c, "deploy", "web").GetAPIVersion())
			require.NoError(t, applying(t, c, settings).Destroy())
			change, _, err = applying(t, c, settings).Check()
			require.NoError(t, err)
			require.Equal(t, module.Create, change.Action)
			require.False(t, slices.ContainsFunc(old.Requests(), func(r string) bool { return strings.HasPrefix(r, "PATCH /apis") }))
		})
	}
}

const todays = `
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.antdb.test}
spec:
  group: antdb.test
  scope: Namespaced
  preserveUnknownFields: false
  names: {plural: widgets, singular: widget, kind: Widget, listKind: WidgetList}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}}
    additionalPrinterColumns: [{name: Size, type: integer, jsonPath: .spec.size}]
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer, default: 3}
              default: {type: string}
---
apiVersion: antdb.test/v1
kind: Widget
metadata: {name: one}
spec: {size: 3}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec: {schedule: "0 1 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "x:1"}]}}}}}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: antdb}
spec: {minAvailable: 1, selector: {matchLabels: {app: antdb}}}
---
apiVersion: scheduling.k8s.io/v1
kind: PriorityClass
metadata: {name: database}
value: 1000
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: site}
spec:
  ingressClassName: nginx
  defaultBackend: {service: {name: web, port: {name: http}}}
  rules: [{host: a.test, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
`

func TestTodaysManifestIsSaidInTheVersionsOfAnOldServer(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	old.Unready = 3
	c := old.Cluster(t)
	step := applying(t, c, todays)
	said := listen(step)
	step.Converge(module.Create)
	require.Contains(t, *said, "CronJob/nightly: the cluster serves no batch/v1; sent as batch/v1beta1")

	definition := read(t, c, "crd", "widgets.antdb.test").Object["spec"].(map[string]any)
	require.Equal(t, []any{map[string]any{"name": "v1", "served": true, "storage": true}}, definition["versions"])
	require.Equal(t, map[string]any{"status": map[string]any{}}, definition["subresources"])
	require.Equal(t, []any{map[string]any{"name": "Size", "type": "integer", "JSONPath": ".spec.size"}}, definition["additionalPrinterColumns"])
	fields := definition["validation"].(map[string]any)["openAPIV3Schema"].(map[string]any)["properties"].(map[string]any)["spec"].(map[string]any)["properties"]
	require.Equal(t, map[string]any{"size": map[string]any{"type": "integer"}, "default": map[string]any{"type": "string"}}, fields)
	require.NotContains(t, definition, "preserveUnknownFields")

	require.Equal(t, "policy/v1beta1", read(t, c, "pdb", "antdb").GetAPIVersion())
	require.Equal(t, "scheduling.k8s.io/v1beta1", read(t, c, "pc", "database").GetAPIVersion())
	ingress := read(t, c, "ing", "site")
	require.Equal(t, "extensions/v1beta1", ingress.GetAPIVersion())
	require.Equal(t, "nginx", ingress.GetAnnotations()["kubernetes.io/ingress.class"])
	require.Equal(t, map[string]any{
		"backend": map[string]any{"serviceName": "web", "servicePort": "http"},
		"rules": []any{map[string]any{"host": "a.test", "http": map[string]any{"paths": []any{
			map[string]any{"path": "/", "pathType": "Prefix", "backend": map[string]any{"serviceName": "web", "servicePort": int64(80)}}}}}},
	}, ingress.Object["spec"])
	require.NoError(t, applying(t, c, todays).Destroy())
}

// The definitions of PGO 4.2 were written for such servers.
const yesterdays = `
apiVersion: apiextensions.k8s.io/v1beta1
kind: CustomResourceDefinition
metadata: {name: gadgets.antdb.test}
spec:
  group: antdb.test
  version: v1
  scope: Namespaced
  names: {plural: gadgets, singular: gadget, kind: Gadget, listKind: GadgetList, shortNames: [gd]}
  additionalPrinterColumns: [{name: Size, type: integer, JSONPath: .spec.size}]
  validation:
    openAPIV3Schema:
      properties:
        spec: {properties: {size: {type: integer}, more: {}, list: {items: {type: string}}}}
---
apiVersion: antdb.test/v1
kind: Gadget
metadata: {name: one}
spec: {size: 3, unheardOf: kept, more: {of: the same}}
---
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: old}
spec: {replicas: 0, template: {metadata: {labels: {app: old}}, spec: {containers: [{name: c, image: "x:1"}]}}}
---
apiVersion: rbac.authorization.k8s.io/v1beta1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: nightly}
spec: {schedule: "0 1 * * *", jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: "x:1"}]}}}}}
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: site}
spec: {rules: [{host: a.test, http: {paths: [{path: /, backend: {serviceName: web, servicePort: 80}}]}}]}
`

func TestYesterdaysManifestIsSaidInTheVersionsOfToday(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	applying(t, c, yesterdays).Converge(module.Create)
	gadget, err := c.Dynamic().Resource(schema.GroupVersionResource{Group: "antdb.test", Version: "v1", Resource: "gadgets"}).
		Namespace(c.Namespace()).Get(t.Context(), "one", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]any{"size": int64(3), "unheardOf": "kept", "more": map[string]any{"of": "the same"}}, gadget.Object["spec"])
	d, err := c.Clientset().AppsV1().Deployments(c.Namespace()).Get(t.Context(), "old", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"app": "old"}, d.Spec.Selector.MatchLabels)
	require.NoError(t, applying(t, c, yesterdays).Destroy())
}

func TestWhatHasNoCounterpartOnAnOldServerIsRefusedInThePlan(t *testing.T) {
	c := kubetest.StartOld(t, "1.13").Cluster(t)
	cases := map[string]struct{ manifest, says string }{
		"an empty selector changes its meaning": {"apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: x}\nspec: {selector: {}}\n",
			"an empty spec.selector means all pods in policy/v1, and none in policy/v1beta1"},
		"versions with schemas of their own": {strings.Replace(todays[:strings.Index(todays, "---")], "  versions:\n",
			"  versions:\n  - {name: v2, served: true, storage: false}\n", 1), "its versions differ in their schema, and Kubernetes 1.13.12 takes one for all versions"},
		"a backend that is no service": {"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: x}\nspec: {defaultBackend: {resource: {kind: Bucket, name: b}}}\n",
			"its backend is no Service"},
		"a version that the server lacks, of a kind whose versions may differ": {"apiVersion: apps/v9\nkind: StatefulSet\nmetadata: {name: x}\n",
			"the cluster knows no kind StatefulSet (apps/v9); it has it as apps/v1, apps/v1beta2, apps/v1beta1"},
		"a kind that came later": {"apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {name: x}\n",
			"the cluster knows no kind Gateway (gateway.networking.k8s.io/v1)"},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			_, _, err := applying(t, c, test.manifest).Check()
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestAKindOfAnotherTimeIsSaidToBeOne(t *testing.T) {
	_, _, err := applying(t, kubetest.StartOld(t, "1.13").Cluster(t), "apiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {name: x}\n").Check()
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Equal(t, "it came later than Kubernetes 1.13.12, or has gone since (networking.k8s.io/v1, networking.k8s.io/v1beta1): leave it out of the manifest for this cluster", explained.Remedy)
}

func TestAFieldThatAnOldServerDropsIsWarnedOf(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	old.Drops = [][]string{{"spec", "template", "spec", "topologySpreadConstraints"}}
	manifest := strings.Replace(settings, "      containers:", "      topologySpreadConstraints: [{maxSkew: 1, topologyKey: zone}]\n      containers:", 1)
	step := applying(t, old.Cluster(t), manifest)
	said := listen(step)
	step.Converge(module.Create)
	require.Contains(t, *said, "Deployment/web: warning: Kubernetes 1.13.12 does not keep spec.template.spec.topologySpreadConstraints")
}

// front stands before a server: answer may take its place.
func front(t *testing.T, upstream string, answer func(http.ResponseWriter, *http.Request) bool) *rest.Config {
	to, err := url.Parse(upstream)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answer(w, r) {
			proxy.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL, QPS: 1000, Burst: 1000}
}

func TestAServerThatHidesItsVersionAndKnowsNoServerSideApplyIsSpokenToAsKubectlDid(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c, err := kube.New(t.Context(), "old", front(t, old.URL, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/version" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403}`))
		}
		return r.URL.Path == "/version"
	}), "default")
	require.NoError(t, err)
	require.True(t, c.AtLeast(1, 34))
	applying(t, c, settings).Converge(module.Create)
	change, _, err := applying(t, c, strings.Replace(settings, "500", "800", 1)).Apply()
	require.NoError(t, err)
	require.Equal(t, "update ConfigMap/settings", change.Summary)
	require.Contains(t, read(t, c, "cm", "settings").GetAnnotations(), lastApplied)
}

func TestAServerWithoutDryRunsIsRefusedBeforeItCreatesAnything(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c, err := kube.New(t.Context(), "old", front(t, old.URL, func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/version" {
			_, _ = w.Write([]byte(`{"major":"1","minor":"11+","gitVersion":"v1.11.0+d4cacc0"}`))
		}
		return r.URL.Path == "/version"
	}), "default")
	require.NoError(t, err)
	_, _, err = applying(t, c, settings).Check()
	require.ErrorContains(t, err, "Kubernetes 1.11.0 is too old for k8s.apply")
}

func TestAServerWithTooMuchToDoIsAskedAgainAfterTheTimeItNames(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	var refused atomic.Int32
	c, err := kube.New(t.Context(), "old", front(t, old.URL, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || refused.Add(1) > 1 {
			return false
		}
		w.Header().Set("Retry-After", "1")
		http.Error(w, "too many requests", http.StatusTooManyRequests)
		return true
	}), "default")
	require.NoError(t, err)
	change, _, err := applying(t, c, settings).Apply()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	require.Greater(t, refused.Load(), int32(1))
}

func TestAWaitOnAnOldServerSeesWhatComesLater(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	step := moduletest.New(t, module.Of[Wait](), c, "kind = \"pod\"\nname = \"late\"\nfor = \"exists\"\nwithin = \"60s\"", nil)
	go func() {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "late"}}
		_, _ = c.Clientset().CoreV1().Pods("default").Create(context.WithoutCancel(t.Context()), pod, metav1.CreateOptions{})
	}()
	_, _, err := step.Check()
	require.NoError(t, err)
}
