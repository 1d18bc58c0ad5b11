package kubetest

import (
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// recorded has what API servers of older versions say that they serve: by
// version, the answer to each path. Its README tells where it comes from.
//
//go:embed recorded/*.json
var recorded embed.FS

// Old is a stand-in for an API server of an older Kubernetes, which cannot be
// run here. It serves discovery as such a server does, keeps objects in memory,
// takes patches as kubectl of the time sent them and dry runs, and knows no
// server-side apply. It validates nothing and fills in nothing.
type Old struct {
	URL string
	// Close ends it before its test does.
	Close func()
	// Unready is how many questions about a new kind it leaves unanswered after
	// its definition is established, as old servers do for some moments.
	Unready int
	// Drops are the fields that it does not know, by their path in an object.
	Drops [][]string

	mu        sync.Mutex
	documents map[string]json.RawMessage // discovery, by path
	defined   string                     // the group that came by a definition
	objects   map[string]map[string]any
	serial    int
	requests  []string
}

// StartOld starts a stand-in for the version that a file of recorded names.
func StartOld(t testing.TB, version string) *Old {
	t.Helper()
	raw, err := recorded.ReadFile("recorded/" + version + ".json")
	require.NoError(t, err)
	o := &Old{objects: map[string]map[string]any{}}
	require.NoError(t, json.Unmarshal(raw, &o.documents))
	o.put("namespaces//default", map[string]any{"kind": "Namespace", "apiVersion": "v1",
		"metadata": map[string]any{"name": "default"}, "status": map[string]any{"phase": "Active"}})
	server := httptest.NewServer(o)
	o.URL = server.URL
	o.Close = func() {
		server.CloseClientConnections()
		server.Close()
	}
	t.Cleanup(o.Close)
	return o
}

// Cluster connects to it.
func (o *Old) Cluster(t testing.TB) *kube.Cluster {
	t.Helper()
	c, err := kube.New(t.Context(), "old", &rest.Config{Host: o.URL, QPS: 1000, Burst: 1000}, "default")
	require.NoError(t, err)
	return c
}

// Requests are those since the last call, without their queries, watches marked.
func (o *Old) Requests() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer func() { o.requests = nil }()
	return slices.Clone(o.requests)
}

// ServeHTTP answers as the old server would.
func (o *Old) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	verb := r.Method
	if r.URL.Query().Get("watch") != "" {
		verb = "WATCH"
	}
	o.mu.Lock()
	o.requests = append(o.requests, verb+" "+r.URL.Path)
	document, known := o.documents[r.URL.Path]
	if known && o.Unready > 0 && strings.HasPrefix(r.URL.Path, "/apis/"+o.defined+"/") && o.defined != "" {
		o.Unready--
		known = false
	}
	o.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case known && r.Method == http.MethodGet:
		_, _ = w.Write(document)
	case verb == "WATCH":
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	default:
		o.object(w, r)
	}
}

// place is what a path means.
type place struct{ version, namespace, resource, name, kind string }

func (p place) key() string { return p.resource + "/" + p.namespace + "/" + p.name }

// find parses a path, and looks up the kind that is served there.
func (o *Old) find(path string) (place, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var p place
	discovery := ""
	switch {
	case len(parts) > 2 && parts[0] == "api":
		p.version, discovery, parts = parts[1], "/api/"+parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		p.version, discovery, parts = parts[1]+"/"+parts[2], "/apis/"+parts[1]+"/"+parts[2], parts[3:]
	default:
		return p, false
	}
	if parts[0] == "namespaces" && len(parts) > 2 {
		p.namespace, parts = parts[1], parts[2:]
	}
	p.resource = parts[0]
	if len(parts) > 1 {
		p.name = parts[1]
	}
	var list struct {
		Resources []struct{ Name, Kind string }
	}
	if json.Unmarshal(o.documents[discovery], &list) != nil {
		return p, false
	}
	for _, r := range list.Resources {
		if r.Name == p.resource {
			p.kind = r.Kind
		}
	}
	return p, p.kind != ""
}

// define serves the kind of a CustomResourceDefinition.
func (o *Old) define(definition map[string]any) {
	spec := definition["spec"].(map[string]any)
	names := spec["names"].(map[string]any)
	group := spec["group"].(string)
	o.defined = group
	versions, _ := spec["versions"].([]any)
	if len(versions) == 0 {
		versions = []any{map[string]any{"name": spec["version"]}}
	}
	for _, v := range versions {
		version := v.(map[string]any)["name"].(string)
		o.documents["/apis/"+group+"/"+version] = json.RawMessage(fmt.Sprintf(
			`{"kind":"APIResourceList","apiVersion":"v1","groupVersion":"%s/%s","resources":[{"name":%q,"singularName":%q,"namespaced":%t,"kind":%q,"verbs":["get","list"]}]}`,
			group, version, names["plural"], names["singular"], spec["scope"] == "Namespaced", names["kind"]))
	}
	definition["status"] = map[string]any{"conditions": []any{
		map[string]any{"type": "NamesAccepted", "status": "True"}, map[string]any{"type": "Established", "status": "True"}}}
}
