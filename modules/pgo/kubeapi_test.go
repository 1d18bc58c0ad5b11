package pgo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// object is one Kubernetes object, as JSON has it.
type object = map[string]any

// kubeAPI is a fake API server for states that a real one cannot be brought
// into: it lists the objects it was given, by label, and serves logs. What a
// healthy cluster looks like comes from a recording; the lab's tests run
// against a real API server.
type kubeAPI struct {
	mu      sync.Mutex
	groups  []string            // of the API
	asked   []string            // "GET /api/v1/…", without looks at the version
	kinds   map[string][]object // by plural
	logs    string
	deleted []string
	looks   int // so far
	onLook  func(a *kubeAPI)
}

// hippoObjects are the objects of the recorded cluster: a primary, a replica,
// the first backup done.
func hippoObjects(t *testing.T) *kubeAPI {
	t.Helper()
	a := &kubeAPI{kinds: map[string][]object{}, groups: []string{groupV4}}
	read := func(file string) []object {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
		var all []object
		require.NoError(t, json.Unmarshal(text, &all))
		return all
	}
	a.kinds["pods"] = read("pods.json")
	plural := map[string]string{"Deployment": "deployments", "Job": "jobs", "Service": "services", "PersistentVolumeClaim": "persistentvolumeclaims"}
	for _, o := range read("objects.json") {
		if kind := plural[o["kind"].(string)]; kind != "" {
			a.kinds[kind] = append(a.kinds[kind], o)
		}
	}
	return a
}

// object finds one by name, to be changed in place.
func (a *kubeAPI) object(kind, name string) object {
	for _, o := range a.kinds[kind] {
		if nameOf(o) == name {
			return o
		}
	}
	return nil
}

// drop removes the objects of a kind whose name starts with a prefix.
func (a *kubeAPI) drop(kind, prefix string) {
	var kept []object
	for _, o := range a.kinds[kind] {
		if !strings.HasPrefix(nameOf(o), prefix) {
			kept = append(kept, o)
		}
	}
	a.kinds[kind] = kept
}

// set changes a field deep in an object.
func set(o object, value any, path ...string) {
	if err := unstructured.SetNestedField(o, value, path...); err != nil {
		panic(err)
	}
}

func nameOf(o object) string { return o["metadata"].(object)["name"].(string) }

// cluster starts the server and connects to it.
func (a *kubeAPI) cluster(t *testing.T) *kube.Cluster {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	c, err := kube.New(t.Context(), "lab", &rest.Config{Host: server.URL, QPS: 1000, Burst: 1000}, "pgouser1")
	require.NoError(t, err)
	return c
}

func (a *kubeAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.URL.Path == "/version" {
		reply(w, http.StatusOK, object{"major": "1", "minor": "34", "gitVersion": "v1.34.4"})
		return
	}
	a.asked = append(a.asked, r.Method+" "+r.URL.Path)
	if r.URL.Path == "/apis" {
		groups := []object{}
		for _, name := range a.groups {
			groups = append(groups, object{"name": name})
		}
		reply(w, http.StatusOK, object{"kind": "APIGroupList", "groups": groups})
		return
	}
	_, rest, ok := strings.Cut(r.URL.Path, "/namespaces/pgouser1/")
	kind, name, _ := strings.Cut(rest, "/")
	switch {
	case !ok:
		reply(w, http.StatusNotFound, object{"kind": "Status", "reason": "NotFound", "code": 404})
	case r.Method == http.MethodDelete:
		a.deleted = append(a.deleted, rest)
		reply(w, http.StatusNotFound, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
	case strings.HasSuffix(name, "/log"):
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(a.logs))
	case name != "":
		if o := a.object(kind, name); o != nil {
			reply(w, http.StatusOK, o)
			return
		}
		reply(w, http.StatusNotFound, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
	default:
		a.list(w, kind, r.URL.Query().Get("labelSelector"))
	}
}

func (a *kubeAPI) list(w http.ResponseWriter, kind, selector string) {
	if kind == "deployments" { // the first of a look
		if a.looks++; a.onLook != nil {
			a.onLook(a)
		}
	}
	wanted, err := labels.Parse(selector)
	if err != nil {
		reply(w, http.StatusBadRequest, object{"kind": "Status", "message": err.Error()})
		return
	}
	items := []object{}
	for _, o := range a.kinds[kind] {
		have, _, _ := unstructured.NestedStringMap(o, "metadata", "labels")
		if wanted.Matches(labels.Set(have)) {
			items = append(items, o)
		}
	}
	reply(w, http.StatusOK, object{"items": items})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
