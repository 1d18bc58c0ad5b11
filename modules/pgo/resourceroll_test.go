package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// member is a database Deployment with its pod.
func member(name, role string) []object {
	labels := object{"pg-cluster": "crd47", "pgo-pg-database": "true", "deployment-name": name, "role": role}
	patroni := map[string]string{"master": "master", "replica": "replica"}[role]
	container := func() object {
		return object{"name": "database", "image": "lab47/antdb-ha:lab1", "resources": object{"requests": object{"memory": "128Mi"}}}
	}
	return []object{
		{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": name, "namespace": "pguser47", "labels": labels, "generation": int64(1)},
			"spec": object{"template": object{"spec": object{"containers": []any{container()}}}}, "status": object{"availableReplicas": int64(1), "observedGeneration": int64(1)}},
		{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name + "-pod", "namespace": "pguser47", "labels": object{"pg-cluster": "crd47", "pgo-pg-database": "true", "deployment-name": name, "role": role},
			"annotations": object{"status": fmt.Sprintf(`{"state":"running","role":%q,"api_url":"http://10.1.1.1:8008/patroni"}`, patroni)}},
			"spec":   object{"containers": []any{container()}},
			"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": "True"}}}},
	}
}

// rolling47 is a cluster of a primary and a replica, under an operator and a
// Patroni that do what they are told.
type rolling47 struct {
	*store
	driver *resourceV4
	done   []string
}

func newRolling47(t *testing.T) (*rolling47, *watch) {
	t.Helper()
	r := &rolling47{store: site47(slices.Concat(member("crd47", "master"), member("crd47-abcd", "replica"), []object{recordedObject(t, "crd-only-pgcluster-later.yaml"),
		{"apiVersion": "crunchydata.com/v1", "kind": "Pgreplica", "metadata": object{"name": "crd47-abcd", "namespace": "pguser47", "labels": object{"pg-cluster": "crd47"}}}})...)}
	r.after = func(write string) {
		kind, name, _ := strings.Cut(strings.TrimPrefix(write, "PATCH "), "/")
		switch kind {
		case "deployments":
			r.done = append(r.done, name)
			r.follow(name)
		case "pgclusters":
			r.operator(t)
		}
	}
	p := r.place(t, "crd47")
	p.pace = time.Millisecond
	r.driver = newResourceV4(p).(*resourceV4)
	p.driver, p.names = r.driver, r.driver.naming()
	patroni := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.done = append(r.done, req.Method+" "+req.URL.Path+" "+string(body))
		r.lead("crd47", "replica")
		r.lead("crd47-abcd", "master")
	}))
	t.Cleanup(patroni.Close)
	env := moduletest.Env(t, &patroniHost{Host: local.New(), t: t, to: patroni.Listener.Addr().String()})
	return r, &watch{place: p, env: env}
}

type patroniHost struct {
	conn.Host
	t  *testing.T
	to string
}

func (h *patroniHost) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	require.Equal(h.t, "pod/crd47-abcd-pod.pguser47:8008", addr, "the candidate's own Patroni is asked")
	return h.Host.Dial(ctx, network, h.to)
}

// follow has the pod be what its Deployment says.
func (r *rolling47) follow(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, pod := r.objects["/apis/apps/v1/namespaces/pguser47/deployments/"+name], r.objects["/api/v1/namespaces/pguser47/pods/"+name+"-pod"]
	pod["spec"].(object)["containers"] = d["spec"].(object)["template"].(object)["spec"].(object)["containers"]
}

func (r *rolling47) lead(name, role string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fresh := member(name, role)[1]
	fresh["spec"] = r.objects[pathOf(fresh)]["spec"]
	r.objects[pathOf(fresh)] = fresh
}

// operator rolls resources out, and nothing else.
func (r *rolling47) operator(t *testing.T) {
	o := &pgclusterObject{}
	text, err := json.Marshal(r.find("pgclusters", "crd47"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, o))
	for _, name := range []string{"crd47-abcd", "crd47"} {
		d := r.find("deployments", name)
		container := d["spec"].(object)["template"].(object)["spec"].(object)["containers"].([]any)[0].(object)
		container["resources"] = object{"requests": unstructuredMap(o.Spec.Resources), "limits": unstructuredMap(o.Spec.Limits)}
		r.follow(name)
	}
}

func (r *rolling47) update(t *testing.T, w *watch, c *Cluster) {
	t.Helper()
	for range 2 {
		v, err := w.next(t.Context(), false)
		require.NoError(t, err)
		diff, err := r.driver.diff(t.Context(), c, v)
		require.NoError(t, err)
		if len(diff) == 0 {
			return
		}
		require.NoError(t, r.driver.update(t.Context(), w.env, c, v, diff))
	}
	v, err := w.next(t.Context(), false)
	require.NoError(t, err)
	diff, err := r.driver.diff(t.Context(), c, v)
	require.NoError(t, err)
	require.Empty(t, diff)
}

func TestImageGoesToTheReplicaFirstAndThenTheFormerPrimary(t *testing.T) {
	r, w := newRolling47(t)
	c := *crd47
	c.Image, c.Replicas = "lab47/antdb-ha:lab2", 1
	r.update(t, w, &c)
	require.Equal(t, []string{"crd47-abcd", `POST /failover {"candidate":"crd47-abcd-pod"}`, "crd47"}, r.done)
	require.Equal(t, "lab2", r.find("pgclusters", "crd47")["spec"].(object)["ccpimagetag"])
	for _, name := range []string{"crd47", "crd47-abcd"} {
		containers := r.find("deployments", name)["spec"].(object)["template"].(object)["spec"].(object)["containers"].([]any)
		require.Equal(t, "lab47/antdb-ha:lab2", containers[0].(object)["image"], name)
	}
}

func TestResourcesAreTheOperatorsToRollOut(t *testing.T) {
	r, w := newRolling47(t)
	c := *crd47
	c.Replicas, c.Resources = 1, &Resources{CPU: "500m", MemoryLimit: "1Gi"}
	r.update(t, w, &c)
	require.Empty(t, r.done, "no Deployment is touched here")
	spec := r.find("pgclusters", "crd47")["spec"].(object)
	require.Equal(t, object{"cpu": "500m"}, spec["resources"])
	require.Equal(t, object{"memory": "1Gi"}, spec["limits"])
}

func TestPatroniThatDoesNotTakeOverIsQuoted(t *testing.T) {
	patroni := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "candidate does not exist", http.StatusPreconditionFailed)
	}))
	t.Cleanup(patroni.Close)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p"}}
	require.Equal(t, "8009", patroniPort(pod))
	err := failoverTo(t.Context(), func(ctx context.Context, network, _ string) (net.Conn, error) {
		return local.New().Dial(ctx, network, patroni.Listener.Addr().String())
	}, pod)
	require.ErrorContains(t, err, "candidate does not exist (412 Precondition Failed)")
}
