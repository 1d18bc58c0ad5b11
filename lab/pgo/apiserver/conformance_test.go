package apiserver_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/operator"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

// world is a fake cluster (client-go's in-memory objects; no controllers run in it) with the stand-in beside it.
type world struct {
	t        *testing.T
	server   *apiserver.Server
	operator *operator.Operator
	sql      *sqlLog
}

// sqlLog stands for the database of the user calls.
type sqlLog struct{ statements []string }

func (l *sqlLog) Exec(_ context.Context, _, _ string, statements ...string) error {
	l.statements = append(l.statements, statements...)
	return nil
}

func newWorld(t *testing.T) *world {
	t.Helper()
	kube := fake.NewSimpleClientset(
		secret("pgouser-pgoadmin", "username=pgoadmin", "password=examplepassword", "roles=pgoadmin", "namespaces="),
		secret("pgorole-pgoadmin", "permissions=*"),
		secret("pgouser-reader", "username=reader", "password=readonly", "roles=reader", "namespaces=pgouser2"),
		secret("pgorole-reader", "permissions=ShowCluster,Version"))
	for _, name := range []string{"default", "kube-node-lease", "kube-public", "kube-system", "pgo", "pgo6", "pgouser1", "pgouser2"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		if strings.HasPrefix(name, "pgouser") {
			ns.Labels = map[string]string{crv1.LabelVendor: crv1.Vendor, crv1.LabelInstallation: "lab"}
		}
		require.NoError(t, kube.Tracker().Add(ns))
	}
	dyn := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		crv1.Clusters: "PgclusterList", crv1.Replicas: "PgreplicaList", crv1.Tasks: "PgtaskList",
	})
	conf := settings.FromEnv(func(string) string { return "" })
	quiet := log.New(io.Discard, "", 0)
	statements := &sqlLog{}
	return &world{
		t: t,
		server: &apiserver.Server{
			Kube: kube, Dynamic: dyn, Settings: conf, SQL: statements, Now: time.Now, Log: quiet,
			HTTP: &http.Client{Transport: patroniSays(recordedMembers)}, Exec: pgBackRestSays(recordedInfo),
		},
		operator: &operator.Operator{Kube: kube, Dynamic: dyn, Settings: conf, Now: time.Now, Log: quiet},
		sql:      statements,
	}
}

func secret(name string, pairs ...string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "pgo"}, Data: map[string][]byte{}}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		s.Data[key] = []byte(value)
	}
	return s
}

// send replays a request as one that came with a client certificate.
func (w *world) send(e *exchange) *httptest.ResponseRecorder {
	r := httptest.NewRequest(e.method, e.path, strings.NewReader(e.body))
	r.Header = e.headers.Clone()
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	answer := httptest.NewRecorder()
	w.server.Handler().ServeHTTP(answer, r)
	return answer
}

func clusterStore(w *world) crv1.Store[crv1.Cluster] { return crv1.ClusterStore(w.server.Dynamic) }

func (w *world) reconcile() {
	w.t.Helper()
	require.NoError(w.t, w.operator.Reconcile(w.t.Context()))
}

// notModelled are the recorded calls that the stand-in does not have.
var notModelled = []string{"/status", "/df/"}

func modelled(e *exchange) bool {
	for _, path := range notModelled {
		if strings.HasPrefix(e.path, path) || strings.HasPrefix(e.method+" "+e.path, path) {
			return false
		}
	}
	return true
}

// moments are what happened in the recorded cluster between the requests, told by the number of the request (from 0,
// counting only what is modelled) before which it had happened.
var moments = map[int]func(*world){
	4: func(w *world) { // the operator has seen the cluster and made nothing yet
		require.NoError(w.t, crv1.ClusterStore(w.server.Dynamic).SetState(w.t.Context(), "pgouser1", "hippo",
			crv1.ClusterProcessed, "Successfully processed Pgcluster by controller"))
	},
	8: func(w *world) { // the pod has come up
		w.reconcile()
		w.addPod("hippo-54bf68fbd4-qzkbd", "master")
		w.address("hippo", "10.254.255.152")
		w.reconcile()
	},
	16: func(w *world) { // the repository runs, the first backup is on its way
		w.addPod(recordedRepo, "")
	},
	18: func(w *world) { // the replica that was recorded had a name of its own
		w.renameReplica("hippo-rcan")
	},
	22: func(w *world) { // both Jobs are done, the replica runs; after the failover the old primary has no role
		for _, job := range []string{"hippo-stanza-create", "backrest-backup-hippo"} {
			w.reconcile()
			w.finish(job)
		}
		w.reconcile()
		w.reconcile()
		w.address("hippo-replica", "10.254.29.225")
		w.addPod("hippo-rcan-5f5b7f4b97-vtvxp", "replica")
	},
	24: func(w *world) {
		w.setRole("hippo-54bf68fbd4-qzkbd", "")
		w.setRole("hippo-rcan-5f5b7f4b97-vtvxp", "master")
		w.operator.HTTP = &http.Client{Transport: patroniSays(`{"role":"master"}`)}
		w.reconcile()
	},
}

const recordedRepo = "hippo-backrest-shared-repo-65b4dd855f-gnwrq"

const recordedWorkflow = "6dceec0b-3fbf-4685-a21b-3bcc85d9d172"

// workflow is the id that the fake cluster's hippo got in place of the recorded one.
func (w *world) workflow() string {
	task, err := crv1.TaskStore(w.server.Dynamic).Get(w.t.Context(), "pgouser1", "hippo-createcluster")
	if err != nil {
		return recordedWorkflow
	}
	return task.Labels[crv1.LabelWorkflow]
}

// recordedMembers is what Patroni said of the cluster with one replica.
const recordedMembers = `{"members": [
	{"name": "hippo-54bf68fbd4-qzkbd", "role": "leader", "state": "running", "host": "10.88.0.53", "port": 5432, "timeline": 1},
	{"name": "hippo-rcan-5f5b7f4b97-vtvxp", "role": "replica", "state": "running", "host": "10.88.0.56", "port": 5432, "timeline": 1, "lag": 0}]}`

// recordedInfo is what pgBackRest said during the first backup.
const recordedInfo = `stanza: db
    status: error (no valid backups, backup/expire running - 92.44% complete)
    cipher: none

    db (current)
        wal archive min/max (11): 000000010000000000000001/000000010000000000000001
`

func pgBackRestSays(text string) apiserver.Exec {
	return func(_ context.Context, _, pod string, command []string, out io.Writer) error {
		if pod != recordedRepo || strings.Join(command, " ") != "pgbackrest info" {
			return fmt.Errorf("%v in pod %s", command, pod)
		}
		_, err := io.WriteString(out, text)
		return err
	}
}

type patroniSays string

func (p patroniSays) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(strings.NewReader(string(p)))}, nil
}

func TestAnswersAreHeldToTheRecordedTraffic(t *testing.T) {
	w := newWorld(t)
	number := 0
	for _, e := range readExchanges(t, "rest-traffic.txt") {
		if !modelled(e) {
			continue
		}
		if happen := moments[number]; happen != nil {
			happen(w)
		}
		e.path = strings.Replace(e.path, recordedWorkflow, w.workflow(), 1)
		requireSame(t, number, e, w.send(e))
		number++
	}
	require.Equal(t, 27, number)
	require.Contains(t, strings.Join(w.sql.statements, "\n"), `ALTER USER "testuser" PASSWORD 'md5`)
}

func TestErrorsAreHeldToTheRecordedTraffic(t *testing.T) {
	w := newWorld(t)
	compared := 0
	for _, e := range readExchanges(t, "rest-traffic-errors.txt") {
		text := e.path + e.body
		// what concerns the cluster antdb repeats the other recording, or was recorded without event service
		if !modelled(e) || strings.Contains(text, "antdb") && !strings.Contains(text, `"Name":"antdb"`) {
			continue
		}
		if strings.Contains(text, `"Name":"antdb"`) {
			created := w.send(e)
			require.Contains(t, created.Body.String(), "created Pgcluster antdb")
		}
		requireSame(t, compared, e, w.send(e))
		compared++
	}
	require.Equal(t, 7, compared)
}

func requireSame(t *testing.T, number int, e *exchange, got *httptest.ResponseRecorder) {
	t.Helper()
	require.Equal(t, e.status, got.Code, "request %d: %s %s", number, e.method, e.path)
	require.Equal(t, normal(e.answer), normal(got.Body.String()), "request %d: %s %s", number, e.method, e.path)
	// a handler that sets no type leaves it to net/http, which looks at the body only in a real server
	kind := got.Header().Get("Content-Type")
	if kind == "" {
		kind = http.DetectContentType(got.Body.Bytes())
	}
	require.Equal(t, e.answerHeaders.Get("Content-Type"), kind, "request %d: %s %s", number, e.method, e.path)
	for _, name := range []string{"WWW-Authenticate", "X-Content-Type-Options"} {
		require.Equal(t, e.answerHeaders.Get(name), got.Header().Get(name), "request %d: %s", number, name)
	}
}

// addPod puts a recorded pod into the fake cluster, with the role given.
func (w *world) addPod(name, role string) {
	w.t.Helper()
	text, err := os.ReadFile("testdata/pods.json")
	require.NoError(w.t, err)
	var pods []corev1.Pod
	require.NoError(w.t, json.Unmarshal(text, &pods))
	for i := range pods {
		pod := &pods[i]
		if pod.Name != name {
			continue
		}
		pod.Labels[crv1.LabelRole] = role
		claim := pod.Labels[crv1.LabelDeployment]
		pod.Spec.Volumes = []corev1.Volume{{Name: "pgdata", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: claim},
		}}}
		_, err := w.server.Kube.CoreV1().Pods("pgouser1").Create(w.t.Context(), pod, metav1.CreateOptions{})
		require.NoError(w.t, err)
		return
	}
	require.Fail(w.t, "pod "+name+" is not recorded")
}

func (w *world) setRole(pod, role string) {
	w.t.Helper()
	pods := w.server.Kube.CoreV1().Pods("pgouser1")
	p, err := pods.Get(w.t.Context(), pod, metav1.GetOptions{})
	require.NoError(w.t, err)
	p.Labels[crv1.LabelRole] = role
	_, err = pods.Update(w.t.Context(), p, metav1.UpdateOptions{})
	require.NoError(w.t, err)
}

// address gives a Service the address that the API server would, and its Endpoints object.
func (w *world) address(service, ip string) {
	w.t.Helper()
	services := w.server.Kube.CoreV1().Services("pgouser1")
	s, err := services.Get(w.t.Context(), service, metav1.GetOptions{})
	require.NoError(w.t, err)
	s.Spec.ClusterIP = ip
	_, err = services.Update(w.t.Context(), s, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	_, err = w.server.Kube.CoreV1().Endpoints("pgouser1").Create(w.t.Context(),
		&corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: service}}, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

func (w *world) renameReplica(name string) {
	w.t.Helper()
	store := crv1.ReplicaStore(w.server.Dynamic)
	list, err := store.List(w.t.Context(), "pgouser1", "")
	require.NoError(w.t, err)
	require.Len(w.t, list, 1)
	require.NoError(w.t, store.Delete(w.t.Context(), "pgouser1", list[0].Name))
	list[0].Name, list[0].Spec.Name, list[0].Labels[crv1.LabelName] = name, name, name
	require.NoError(w.t, store.Create(w.t.Context(), "pgouser1", list[0]))
}

// finish lets a Job succeed.
func (w *world) finish(job string) {
	w.t.Helper()
	jobs := w.server.Kube.BatchV1().Jobs("pgouser1")
	j, err := jobs.Get(w.t.Context(), job, metav1.GetOptions{})
	require.NoError(w.t, err)
	j.Status.Succeeded = 1
	_, err = jobs.Update(w.t.Context(), j, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	w.reconcile()
}
