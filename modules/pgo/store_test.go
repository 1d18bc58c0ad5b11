package pgo

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// store is a fake API server that keeps whatever is written to it, for the parts
// of modules that write: which objects, and in which order.
type store struct {
	mu      sync.Mutex
	objects map[string]object // by path
	writes  []string          // "PATCH secrets/hippo-testuser-secret"
	hide    string            // what contains this may not be read
	refuse  func(write string) int
	after   func(write string) // when it is done, with the store unlocked
}

func newStore(objects ...object) *store {
	s := &store{objects: map[string]object{}}
	for _, o := range objects {
		s.put(o)
	}
	return s
}

var plurals = map[string]string{"Secret": "secrets", "Pod": "pods", "Pgcluster": "pgclusters", "Pgreplica": "pgreplicas", "Pgtask": "pgtasks",
	"PostgresCluster": "postgresclusters", "Deployment": "deployments", "Namespace": "namespaces", "Node": "nodes", "PersistentVolumeClaim": "persistentvolumeclaims", "ConfigMap": "configmaps", "Job": "jobs", "Service": "services"}

func pathOf(o object) string {
	version, kind := o["apiVersion"].(string), o["kind"].(string)
	path := "/apis/" + version
	if !strings.Contains(version, "/") {
		path = "/api/" + version
	}
	if namespace, _, _ := unstructured.NestedString(o, "metadata", "namespace"); namespace != "" {
		path += "/namespaces/" + namespace
	}
	return path + "/" + plurals[kind] + "/" + nameOf(o)
}

func (s *store) put(o object) { s.objects[pathOf(o)] = o }

// find gives an object by kind and name; nil when it is not there.
func (s *store) find(plural, name string) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	for path, o := range s.objects {
		if strings.HasSuffix(path, "/"+plural+"/"+name) {
			return o
		}
	}
	return nil
}

func (s *store) cluster(t *testing.T, namespace string) *kube.Cluster {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	c, err := kube.New(t.Context(), "lab", &rest.Config{Host: server.URL, QPS: 1000, Burst: 1000,
		ContentConfig: rest.ContentConfig{ContentType: "application/json", AcceptContentTypes: "application/json"}}, namespace)
	require.NoError(t, err)
	return c
}

func (s *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	status, answer, write := s.answer(r, body)
	s.mu.Unlock()
	if write != "" && status < 300 && s.after != nil {
		s.after(write)
	}
	reply(w, status, answer)
}

func (s *store) answer(r *http.Request, body []byte) (status int, answer any, write string) {
	path := r.URL.Path
	if path == "/version" {
		return http.StatusOK, object{"major": "1", "minor": "34", "gitVersion": "v1.34.4"}, ""
	}
	parts := strings.Split(path, "/")
	if r.Method == http.MethodGet && s.hide != "" && strings.Contains(path, s.hide) {
		return http.StatusForbidden, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403, "message": "forbidden"}, ""
	}
	if r.Method == http.MethodGet {
		if o := s.objects[path]; o != nil {
			return http.StatusOK, o, ""
		}
		for kind, plural := range plurals {
			if plural == parts[len(parts)-1] {
				version := parts[2]
				if parts[1] == "apis" {
					version += "/" + parts[3]
				}
				return http.StatusOK, object{"kind": kind + "List", "apiVersion": version, "metadata": object{}, "items": s.list(path, r)}, ""
			}
		}
		return notThere()
	}
	write = r.Method + " " + strings.Join(parts[len(parts)-2:], "/")
	var sent object
	if r.Method == http.MethodPost {
		if err := json.Unmarshal(body, &sent); err != nil {
			return http.StatusBadRequest, object{"kind": "Status", "message": err.Error()}, ""
		}
		write = "POST " + parts[len(parts)-1] + "/" + nameOf(sent)
		path += "/" + nameOf(sent)
	}
	if s.refuse != nil {
		if code := s.refuse(write); code != 0 {
			return code, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reasons[code], "code": code, "message": "refused"}, ""
		}
	}
	s.writes = append(s.writes, write)
	switch have := s.objects[path]; {
	case r.Method == http.MethodPost && have != nil:
		return http.StatusConflict, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "AlreadyExists", "code": 409}, ""
	case r.Method == http.MethodPost:
		s.objects[path] = sent
		return http.StatusCreated, sent, write
	case have == nil:
		return notThere()
	case r.Method == http.MethodDelete:
		delete(s.objects, path)
		return http.StatusOK, object{"kind": "Status", "status": "Success"}, write
	}
	var patch object
	if err := json.Unmarshal(body, &patch); err != nil {
		return http.StatusBadRequest, object{"kind": "Status", "message": err.Error()}, ""
	}
	mergePatch(s.objects[path], patch)
	return http.StatusOK, s.objects[path], write
}

var reasons = map[int]string{403: "Forbidden", 500: "InternalError", 503: "ServiceUnavailable"}

func notThere() (int, any, string) {
	return http.StatusNotFound, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}, ""
}

func (s *store) list(path string, r *http.Request) []object {
	by, _ := labels.Parse(r.URL.Query().Get("labelSelector"))
	named, _ := fields.ParseSelector(r.URL.Query().Get("fieldSelector"))
	parts := strings.Split(path, "/")
	prefix, plural := strings.Join(parts[:len(parts)-1], "/"), parts[len(parts)-1]
	items := []object{}
	for _, at := range slices.Sorted(maps.Keys(s.objects)) {
		o := s.objects[at]
		have, _, _ := unstructured.NestedStringMap(o, "metadata", "labels")
		if strings.HasPrefix(at, prefix) && strings.Contains(at, "/"+plural+"/") && by.Matches(labels.Set(have)) && named.Matches(fields.Set{"metadata.name": nameOf(o)}) {
			items = append(items, o)
		}
	}
	return items
}

// mergePatch is a JSON merge patch (RFC 7396).
func mergePatch(into, patch object) {
	for key, value := range patch {
		inner, isObject := value.(object)
		have, hasObject := into[key].(object)
		switch {
		case value == nil:
			delete(into, key)
		case isObject && hasObject:
			mergePatch(have, inner)
		case isObject:
			fresh := object{}
			mergePatch(fresh, inner)
			into[key] = fresh
		default:
			into[key] = value
		}
	}
}

// objectFrom reads one object as YAML has it.
func objectFrom(t *testing.T, text []byte) object {
	t.Helper()
	var o object
	require.NoError(t, yaml.Unmarshal(text, &o))
	return o
}
