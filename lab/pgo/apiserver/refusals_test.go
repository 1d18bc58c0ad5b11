package apiserver_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func as(user string) http.Header {
	if user == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user))}}
}

const admin = "pgoadmin:examplepassword"

func create(body string) *exchange {
	return &exchange{method: "POST", path: "/clusters", headers: as(admin), body: body}
}

func TestRefusals(t *testing.T) {
	noCredentials := "Not Authorized. Basic Authentication credentials must be provided according to RFC 7617, Section 2.\n"
	show := `{"clustername":"x","clientversion":"4.2.1","namespace":"%"}`
	in := func(namespace string) string { return show[:len(show)-3] + namespace + `"}` }
	tests := []struct {
		name, path, user, body string
		status                 int
		answer                 string
	}{
		{"no credentials", "/showclusters", "", "", 401, noCredentials},
		{"unknown user", "/showclusters", "nobody:x", "", 401, "Not authenticated in apiserver\n"},
		{"empty password", "/showclusters", "pgoadmin:", "", 401, "Not authenticated in apiserver\n"},
		{"role without the permission", "/clustersdelete", "reader:readonly", "", 403, "Not authorized for this apiserver action\n"},
		{"user without the namespace", "/showclusters", "reader:readonly", in("pgouser1"), 200,
			`{"Results":[],"Code":"error","Msg":"user [reader] is not allowed access to namespace [pgouser1]"}` + "\n"},
		{"namespace that does not exist", "/showclusters", admin, in("nosuch"), 200,
			`{"Results":[],"Code":"error","Msg":"user [pgoadmin] is not allowed access to namespace [nosuch]"}` + "\n"},
		{"no namespace", "/showclusters", admin, in(""), 200,
			`{"Results":[],"Code":"error","Msg":"empty namespace is not valid from pgo clients"}` + "\n"},
		{"unknown cluster is no error", "/showclusters", admin, in("pgouser1"), 200,
			`{"Results":[],"Code":"ok","Msg":""}` + "\n"},
		{"unknown path", "/nosuch", admin, "", 404, "404 page not found\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := newWorld(t).send(&exchange{method: "POST", path: tt.path, headers: as(tt.user), body: tt.body})
			require.Equal(t, tt.status, got.Code)
			require.Equal(t, tt.answer, got.Body.String())
		})
	}
}

func TestCreateRefusesBadRequestsAndMakesNothing(t *testing.T) {
	tests := []struct{ name, fields, message string }{
		{"reserved name", `"Name":"all"`, "invalid cluster name 'all' is not allowed as a cluster name"},
		{"negative replicas", `"Name":"a","ReplicaCount":-1`, "invalid replica-count , should be greater than or equal to 0"},
		{"capital letters", `"Name":"Bad_Name"`, "invalid cluster name format a DNS-1035 label must consist of lower case " +
			"alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character " +
			"(e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"},
		{"labels", `"Name":"a","UserLabels":"x"`, "invalid labels format"},
		{"service type", `"Name":"a","ServiceType":"None"`, "error ServiceType should be either ClusterIP or LoadBalancer "},
		{"custom config", `"Name":"a","CustomConfig":"nosuch"`, "nosuch configmap was not found "},
		{"what the stand-in does not have", `"Name":"a","PgbouncerFlag":true`, "the lab's stand-in of PGO does not model PgbouncerFlag"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			got := w.send(create(`{` + tt.fields + `,"Series":1,"Namespace":"pgouser1","ClientVersion":"4.2.1"}`))
			require.Equal(t, 200, got.Code)
			require.JSONEq(t, `{"results":[],"status":{"Code":"error","Msg":"`+tt.message+`"}}`, got.Body.String())
			secrets, err := w.server.Kube.CoreV1().Secrets("pgouser1").List(t.Context(), metav1.ListOptions{})
			require.NoError(t, err)
			require.Empty(t, secrets.Items)
		})
	}
}

// A workflow task that an interrupted deletion left behind: the answer says ok, and there is no cluster.
func TestStaleWorkflowTaskIsAnOKWithoutCluster(t *testing.T) {
	w := newWorld(t)
	request := create(`{"Name":"a","Series":1,"Namespace":"pgouser1","ClientVersion":"4.2.1"}`)
	require.Contains(t, w.send(request).Body.String(), "created Pgcluster a")
	require.NoError(t, clusterStore(w).Delete(t.Context(), "pgouser1", "a"))

	require.JSONEq(t, `{"results":["pgtasks.crunchydata.com \"a-createcluster\" already exists"],"status":{"Code":"ok","Msg":""}}`,
		w.send(request).Body.String())
	_, err := clusterStore(w).Get(t.Context(), "pgouser1", "a")
	require.Error(t, err)
}

func TestExistingRootSecretKeepsAllPasswords(t *testing.T) {
	w := newWorld(t)
	kept := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "a-postgres-secret", Namespace: "pgouser1"}}
	_, err := w.server.Kube.CoreV1().Secrets("pgouser1").Create(t.Context(), kept, metav1.CreateOptions{})
	require.NoError(t, err)
	w.send(create(`{"Name":"a","Series":1,"Namespace":"pgouser1","ClientVersion":"4.2.1"}`))
	_, err = w.server.Kube.CoreV1().Secrets("pgouser1").Get(t.Context(), "a-testuser-secret", metav1.GetOptions{})
	require.Error(t, err)
}

func TestSeriesAboveOneNumbersTheNames(t *testing.T) {
	got := newWorld(t).send(create(`{"Name":"a","Series":2,"Namespace":"pgouser1","ClientVersion":"4.2.1"}`))
	require.Contains(t, got.Body.String(), "created Pgcluster a0")
	require.Contains(t, got.Body.String(), "created Pgcluster a1")
}
