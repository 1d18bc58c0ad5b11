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
// into: it lists, patches and deletes the objects it was given, and serves logs. What a
// healthy cluster looks like comes from a recording; the lab's tests run
// against a real API server.
type kubeAPI struct {
	mu      sync.Mutex
	groups  []string            // of the API
	asked   []string            // "GET /api/v1/…", without looks at the version
	kinds   map[string][]object // by plural
	logs    string
	deleted []string
	patched []string // "deployments/hippo"
	forbid  string   // beginning of a path that may not be touched
	looks   int      // so far
	onLook  func(a *kubeAPI)
	onPatch func(a *kubeAPI, kind, name string)
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
	for _, d := range a.kinds["deployments"] { // recorded without their templates
		for _, p := range a.kinds["pods"] {
			if strings.HasPrefix(nameOf(p), nameOf(d)+"-") && p["metadata"].(object)["labels"].(object)["deployment-name"] == nameOf(d) {
				containers, _, _ := unstructured.NestedSlice(p, "spec", "containers")
				set(d, containers, "spec", "template", "spec", "containers")
			}
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
	if r.URL.Path == "/apis/"+groupV5 {
		reply(w, http.StatusOK, object{"kind": "APIGroup", "apiVersion": "v1", "name": groupV5,
			"versions": []object{{"groupVersion": groupV5 + "/v1beta1", "version": "v1beta1"}}})
		return
	}
	a.namespaced(w, r)
}

// namespaced serves what lives in the namespace, and nodes.
func (a *kubeAPI) namespaced(w http.ResponseWriter, r *http.Request) {
	_, rest, ok := strings.Cut(r.URL.Path, "/namespaces/pgouser1/")
	if strings.HasSuffix(r.URL.Path, "/nodes") {
		rest, ok = "nodes", true
	}
	kind, name, _ := strings.Cut(rest, "/")
	switch {
	case !ok:
		refuse(w, http.StatusNotFound, "NotFound")
	case a.forbid != "" && strings.HasPrefix(r.Method+" "+rest, a.forbid):
		refuse(w, http.StatusForbidden, "Forbidden")
	case r.Method == http.MethodDelete:
		a.remove(w, kind, name, r.URL.Query().Get("labelSelector"))
	case strings.HasSuffix(name, "/log"):
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(a.logs))
	case name != "" && a.object(kind, name) == nil:
		refuse(w, http.StatusNotFound, "NotFound")
	case r.Method == http.MethodPatch:
		var patch object
		if err := json.NewDecoder(r.Body).Decode(&patch); err != nil {
			refuse(w, http.StatusBadRequest, "BadRequest")
			return
		}
		a.patched = append(a.patched, rest)
		merge(a.object(kind, name), patch)
		if a.onPatch != nil {
			a.onPatch(a, kind, name)
		}
		reply(w, http.StatusOK, a.object(kind, name))
	case r.Method == http.MethodPost:
		var made object
		if err := json.NewDecoder(r.Body).Decode(&made); err != nil {
			refuse(w, http.StatusBadRequest, "BadRequest")
			return
		}
		a.kinds[kind] = append(a.kinds[kind], made)
		if a.onPatch != nil {
			a.onPatch(a, kind, nameOf(made))
		}
		reply(w, http.StatusCreated, made)
	case name != "":
		reply(w, http.StatusOK, a.object(kind, name))
	default:
		a.list(w, kind, r.URL.Query().Get("labelSelector"))
	}
}

func refuse(w http.ResponseWriter, code int, reason string) {
	reply(w, code, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code, "message": strings.ToLower(reason)})
}

// remove takes away one object, or those of a selector.
func (a *kubeAPI) remove(w http.ResponseWriter, kind, name, selector string) {
	wanted, err := labels.Parse(selector)
	if err != nil {
		refuse(w, http.StatusBadRequest, "BadRequest")
		return
	}
	var kept []object
	found := name == ""
	for _, o := range a.kinds[kind] {
		have, _, _ := unstructured.NestedStringMap(o, "metadata", "labels")
		if nameOf(o) == name || name == "" && wanted.Matches(labels.Set(have)) {
			a.deleted, found = append(a.deleted, kind+"/"+nameOf(o)), true
			continue
		}
		kept = append(kept, o)
	}
	a.kinds[kind] = kept
	if !found {
		refuse(w, http.StatusNotFound, "NotFound")
		return
	}
	reply(w, http.StatusOK, object{"kind": "Status", "apiVersion": "v1", "status": "Success"})
}

// merge applies a patch: null removes, and containers are known by name.
func merge(to, patch object) {
	for key, value := range patch {
		have, inside := to[key].(object)
		switch value := value.(type) {
		case nil:
			delete(to, key)
		case object:
			if !inside {
				have = object{}
				to[key] = have
			}
			merge(have, value)
		case []any:
			if list, ok := to[key].([]any); ok && key == "containers" {
				for _, want := range value {
					for _, c := range list {
						if c.(object)["name"] == want.(object)["name"] {
							merge(c.(object), want.(object))
						}
					}
				}
				continue
			}
			to[key] = value
		default:
			to[key] = value
		}
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
	list := object{"items": items}
	if strings.HasPrefix(kind, "pg") || strings.HasPrefix(kind, "postgres") { // what has no type of its own says its kind
		list["kind"], list["apiVersion"] = "List", "v1"
	}
	reply(w, http.StatusOK, list)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
