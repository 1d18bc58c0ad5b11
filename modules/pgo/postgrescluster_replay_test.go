package pgo

import (
	"bufio"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// postgresAPI is a fake API server that serves objects as PGO v5 and v6 were
// recorded to make them, moment by moment. It keeps what it was sent, and
// answers as if all were well.
type postgresAPI struct {
	mu       sync.Mutex
	versions []string            // of PostgresCluster
	kinds    map[string][]object // by plural
	logs     map[string]string   // by pod/container
	sent     []string            // "POST postgresclusters BODY"
}

func newPostgresAPI() *postgresAPI {
	return &postgresAPI{versions: []string{"v1", "v1beta1"}, kinds: map[string][]object{}, logs: map[string]string{}}
}

func (a *postgresAPI) cluster(t *testing.T, namespace string) *kube.Cluster {
	t.Helper()
	server := httptest.NewServer(a)
	t.Cleanup(server.Close)
	c, err := kube.New(t.Context(), "lab", &rest.Config{Host: server.URL, QPS: 1000, Burst: 1000, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, namespace)
	require.NoError(t, err)
	return c
}

func (a *postgresAPI) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	group := object{"name": groupV5}
	for _, v := range a.versions {
		served, _ := group["versions"].([]object)
		group["versions"] = append(served, object{"groupVersion": groupV5 + "/" + v, "version": v})
	}
	switch r.URL.Path {
	case "/version":
		reply(w, http.StatusOK, object{"major": "1", "minor": "34", "gitVersion": "v1.34.4"})
		return
	case "/apis":
		reply(w, http.StatusOK, object{"groups": []object{group}})
		return
	case "/apis/" + groupV5:
		reply(w, http.StatusOK, group)
		return
	}
	_, rest, ok := strings.Cut(r.URL.Path, "/namespaces/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) < 2 {
		notFound(w)
		return
	}
	if r.Method != http.MethodGet {
		a.change(w, r, strings.Join(parts[1:], "/"))
		return
	}
	switch len(parts) {
	case 2:
		a.list(w, parts[1], r.URL.Query().Get("labelSelector"))
	case 3:
		if o := a.find(parts[1], parts[2]); o != nil {
			reply(w, http.StatusOK, o)
			return
		}
		notFound(w)
	default:
		w.Header().Set("Content-Type", "text/plain")
		_, _ = w.Write([]byte(a.logs[parts[2]+"/"+r.URL.Query().Get("container")]))
	}
}

func (a *postgresAPI) change(w http.ResponseWriter, r *http.Request, what string) {
	var body any
	raw := json.RawMessage{}
	if err := json.NewDecoder(r.Body).Decode(&raw); err == nil {
		_ = json.Unmarshal(raw, &body)
	}
	a.sent = append(a.sent, strings.TrimSpace(r.Method+" "+what+" "+string(raw)))
	o, _ := body.(object)
	if o == nil || r.Method == http.MethodDelete {
		o = object{"kind": "Status", "apiVersion": "v1", "status": "Success"}
	}
	if r.Method == http.MethodPatch {
		kind, name, _ := strings.Cut(what, "/")
		if o = a.find(kind, name); o == nil {
			notFound(w)
			return
		}
	}
	reply(w, http.StatusOK, o)
}

func notFound(w http.ResponseWriter) {
	reply(w, http.StatusNotFound, object{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404})
}

func (a *postgresAPI) find(kind, name string) object {
	for _, o := range a.kinds[kind] {
		if nameOf(o) == name {
			return o
		}
	}
	return nil
}

func (a *postgresAPI) list(w http.ResponseWriter, kind, selector string) {
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

// moment is one line of a recorded timeline: what has changed since the one before.
type moment struct {
	T      float64        `json:"t"`
	Event  string         `json:"event"`
	Kind   string         `json:"kind"`
	Name   string         `json:"name"`
	Change map[string]any `json:"change"`
}

func timeline(t *testing.T, file string) []moment {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", file))
	require.NoError(t, err)
	defer f.Close()
	var all []moment
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m moment
		require.NoError(t, json.Unmarshal(lines.Bytes(), &m))
		all = append(all, m)
	}
	require.NoError(t, lines.Err())
	return all
}

// postgresYAML reads a recorded PostgresCluster.
func postgresYAML(t *testing.T, file string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", file))
	require.NoError(t, err)
	var o object
	require.NoError(t, yaml.Unmarshal(text, &o))
	return o
}

// play brings the API server to the next moment. spec is what the cluster was
// made of; the timelines do not tell it. Where they are silent about a pod (its
// node, its image) it has what its phase takes.
func (a *postgresAPI) play(m moment, spec object) {
	a.mu.Lock()
	defer a.mu.Unlock()
	plural := map[string]string{"PostgresCluster": "postgresclusters", "StatefulSet": "statefulsets", "Pod": "pods", "Job": "jobs"}[m.Kind]
	if m.Event == "DELETED" {
		a.kinds[plural] = slices.DeleteFunc(a.kinds[plural], func(o object) bool { return nameOf(o) == m.Name })
		return
	}
	o := a.find(plural, m.Name)
	if o == nil {
		cluster, _ := spec["metadata"].(object)["name"].(string)
		o = object{"metadata": object{"name": m.Name, "uid": m.Name, "resourceVersion": "1", "labels": recordedLabels(m, cluster),
			"ownerReferences": []any{object{"kind": "StatefulSet", "name": "of-a-controller", "controller": true}}}, "spec": object{}, "status": object{}}
		a.kinds[plural] = append(a.kinds[plural], o)
	}
	switch m.Kind {
	case "PostgresCluster":
		playCluster(o, m.Change, spec)
	case "StatefulSet":
		playSet(o, m.Change)
	case "Pod":
		playPod(o, m.Change)
	case "Job":
		playJob(o, m.Change)
	}
}

// recordedLabels are those of the recorded objects of that kind.
func recordedLabels(m moment, cluster string) object {
	own := object{postgresLabel: cluster}
	switch instance := strings.TrimSuffix(m.Name, "-0"); {
	case strings.Contains(m.Name, "-repo-host"):
		own[postgresData] = "pgbackrest"
	case strings.Contains(m.Name, "-backup-"):
		own[postgresBackup] = firstBackup
		own["job-name"] = strings.Join(strings.Split(m.Name, "-")[:3], "-")
	case m.Kind != "PostgresCluster":
		own[postgresData], own[postgresInstance] = "postgres", instance
	}
	return own
}

func playCluster(o, change, spec object) {
	meta := o["metadata"].(object)
	if g, ok := change["generation"]; ok {
		meta["generation"] = g
	}
	if change["deleting"] == true {
		meta["deletionTimestamp"] = "2026-11-22T23:09:29Z"
		meta["finalizers"] = []any{postgresFinalizer}
	}
	if s, ok := change["status"]; ok {
		o["status"] = s
	}
	o["spec"], o["kind"], o["apiVersion"] = spec["spec"], "PostgresCluster", groupV5+"/v1beta1"
}

func playSet(o, change object) {
	if n, ok := change["spec.replicas"]; ok {
		o["spec"] = object{"replicas": n}
	}
	if n, ok := change["ready"]; ok {
		o["status"] = object{"replicas": 1, "readyReplicas": n, "availableReplicas": n}
	}
}

func playPod(o, change object) {
	status, meta := o["status"].(object), o["metadata"].(object)
	if phase, ok := change["phase"]; ok {
		status["phase"] = phase
	}
	if role, ok := change["role"].(string); ok {
		meta["labels"].(object)[postgresRole] = role
	} else if _, gone := change["role"]; gone {
		delete(meta["labels"].(object), postgresRole)
	}
	if words, ok := change["patroni"].(string); ok {
		role, state, _ := strings.Cut(words, "/")
		text, _ := json.Marshal(map[string]string{"role": role, "state": state, "conn_url": "postgres://" + nameOf(o) + ":5432/postgres"})
		meta["annotations"] = object{"status": string(text)}
	}
	if ready, ok := change["Ready"].(string); ok {
		status["conditions"] = []any{object{"type": "Ready", "status": ready}}
	}
	containers, ok := change["ready"].(map[string]any)
	if !ok || len(containers) == 0 {
		return
	}
	o["spec"] = object{"nodeName": "node1"} // the kubelet has it
	var all []any
	for name, ready := range containers {
		s := object{"name": name, "ready": ready, "state": object{"waiting": object{"reason": "PodInitializing"}}}
		if status["phase"] == "Running" {
			s["state"], s["imageID"] = object{"running": object{}}, "docker://sha256:1"
		}
		all = append(all, s)
	}
	status["containerStatuses"] = all
}

func playJob(o, change object) {
	o["spec"] = object{"backoffLimit": 6} // as the recorded Jobs have it
	status := o["status"].(object)
	for _, count := range []string{"active", "succeeded", "failed"} {
		if n, ok := change[count]; ok {
			status[count] = n
		}
	}
	if list, ok := change["conditions"].([]any); ok {
		var all []any
		for _, kind := range list {
			all = append(all, object{"type": kind, "status": "True", "lastTransitionTime": time.Unix(0, 0).UTC().Format(time.RFC3339)})
		}
		status["conditions"] = all
	}
}
