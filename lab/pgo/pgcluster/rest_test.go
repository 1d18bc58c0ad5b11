package pgcluster_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/pgcluster"
)

// ask is a recorded request that is sent with another id of the workflow.
func (w *world) workflow(e exchange) exchange {
	w.t.Helper()
	list, err := crv1.StoreOf[pgcluster.Task](w.dyn, crv1.Tasks, "Pgtask").List(w.t.Context(), namespace, crv1.LabelWorkflow)
	require.NoError(w.t, err)
	require.Len(w.t, list, 1)
	before, rest, _ := strings.Cut(e.path, "/workflow/")
	_, query, _ := strings.Cut(rest, "?")
	e.path = before + "/workflow/" + list[0].Labels[crv1.LabelWorkflow] + "?" + query
	return e
}

// TestAnswersAreHeldToTheRecordedTraffic goes the recorded way: the operator's Secret is missing at first, so nothing comes
// of the cluster; then the primary comes up, and a replica.
func TestAnswersAreHeldToTheRecordedTraffic(t *testing.T) {
	w := newWorld(t)
	for _, e := range recording(t, "rest-version.txt") {
		w.same(e)
	}
	w.same(recording(t, "rest-namespaces.txt")[0])
	for _, e := range recording(t, "rest-create-cluster.txt")[:4] {
		w.same(e)
	}
	show, test := recording(t, "rest-show-cluster.txt"), recording(t, "rest-test.txt")
	users, created := recording(t, "rest-show-user.txt"), recording(t, "rest-create-user.txt")
	workflow, removed := recording(t, "rest-workflow.txt"), recording(t, "rest-delete-cluster.txt")

	require.ErrorContains(t, w.operator.Reconcile(t.Context()), `secrets "pgo-backrest-repo-config" not found`)
	require.Equal(t, crv1.ClusterProcessed, w.state("hippo47").State)
	w.address("hippo47", "10.254.248.132")
	w.same(show[0])
	w.same(test[0])
	w.same(w.workflow(workflow[0]))
	w.same(created[0])
	w.same(users[0])

	w.primary()
	w.address("hippo47", "10.254.192.94")
	w.same(w.workflow(workflow[4]))
	w.same(workflow[5])
	w.same(test[3])
	w.same(test[4])
	w.says = "postgres|\nprimaryuser|\ntestuser|\n"
	w.same(users[1])
	w.says = ""
	w.same(created[1])
	w.says, w.fails = "ERROR:  role \"appuser\" already exists\n", true
	w.same(created[3])
	w.says, w.fails = "appuser|infinity\npostgres|\nprimaryuser|\ntestuser|\n", false
	w.same(users[2])

	w.finish("hippo47-stanza-create")
	w.finish("backrest-backup-hippo47")
	w.same(recording(t, "rest-scale.txt")[1])
	w.replica("hippo47-gpte")
	w.address("hippo47-replica", "10.254.236.47")
	w.same(test[5])
	w.same(show[len(show)-1])
	w.same(removed[0])
	w.same(removed[3])
}

// primary lets the operator do its work and the pods come up as they were recorded.
func (w *world) primary() {
	w.t.Helper()
	w.operatorSecret()
	w.reconcile()
	w.ready("hippo47-backrest-shared-repo", "hippo47-backrest-shared-repo-567b7fb85d-t6kc2", "")
	w.reconcile()
	w.ready("hippo47", "hippo47-6f8b5446f-99c8k", "master")
	w.reconcile()
}

// replica gives the one Pgreplica the recorded name and lets it run.
func (w *world) replica(name string) {
	w.t.Helper()
	store := crv1.StoreOf[pgcluster.Replica](w.dyn, crv1.Replicas, "Pgreplica")
	list, err := store.List(w.t.Context(), namespace, "")
	require.NoError(w.t, err)
	require.Len(w.t, list, 1)
	require.NoError(w.t, store.Delete(w.t.Context(), namespace, list[0].Name))
	list[0].Name, list[0].Spec.Name, list[0].Labels[crv1.LabelName], list[0].ResourceVersion = name, name, name, ""
	require.NoError(w.t, store.Create(w.t.Context(), namespace, list[0]))
	w.reconcile()
	w.ready(name, name+"-d764d5d87-gtqmx", "replica")
}

func TestBackupInfoIsPgBackRestsOwn(t *testing.T) {
	w := newWorld(t)
	w.send(recording(t, "rest-create-cluster.txt")[0])
	w.primary()
	e := recording(t, "rest-show-backup.txt")[0]
	_, rest, _ := strings.Cut(e.answer, `"Info":`)
	w.says, _, _ = strings.Cut(rest, `,"StorageType"`)
	w.same(e)
}

func TestUpdatedPasswordReachesDatabaseAndSecret(t *testing.T) {
	w := newWorld(t)
	w.send(recording(t, "rest-create-cluster.txt")[0])
	w.primary()
	admin := recording(t, "rest-version.txt")[0].authorization
	update := func(fields string) string {
		return w.send(exchange{method: "POST", path: "/userupdate", authorization: admin,
			body: `{"Clusters":["hippo47"],"ClientVersion":"4.7.10","Namespace":"pguser47",` + fields + `}`}).Body.String()
	}
	require.Contains(t, update(`"Username":"testuser","Password":"datalake","PasswordType":"scram-sha-256","PasswordValidAlways":true`),
		`{"Results":[{"ClusterName":"hippo47","Error":false,"ErrorMessage":"","Password":"datalake","Username":"testuser","ValidUntil":"infinity"}],"Code":"ok","Msg":""}`)
	require.Regexp(t, `psql -XAtq -v ON_ERROR_STOP=1 postgres\nALTER ROLE "testuser" WITH LOGIN PASSWORD 'SCRAM-SHA-256\$4096:[^']+' VALID UNTIL 'infinity';`, w.ran[len(w.ran)-1])
	secret, err := w.kube.CoreV1().Secrets(namespace).Get(t.Context(), "hippo47-testuser-secret", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "datalake", string(secret.Data["password"]))
	require.Contains(t, update(`"Username":"postgres","Password":"x"`), `"Code":"error","Msg":"Cannot update system account"`)
	require.Contains(t, update(`"Username":"postgres","Password":"x","SetSystemAccountPassword":true`), `"Error":false`)
}

func TestWrongVersionIsRefusedBeforeTheNamespace(t *testing.T) {
	w := newWorld(t)
	e := recording(t, "rest-create-cluster.txt")[3]
	e.body = strings.Replace(e.body, "4.7.10", "4.2.1", 1)
	require.Contains(t, w.send(e).Body.String(), "pgo client and server version mismatch")
}
