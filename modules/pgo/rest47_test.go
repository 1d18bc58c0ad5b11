package pgo

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/secret"
)

// recorded47 is what went between the pgo client and a running PGO 4.7.10.
func recorded47(t *testing.T, names ...string) []exchange {
	t.Helper()
	files := make([]string, len(names))
	for i, name := range names {
		files[i] = "pgo-4.7.10/rest-" + name + ".txt"
	}
	return recorded(t, files...)
}

func client47(t *testing.T, o *operator) *api {
	t.Helper()
	a, err := o.client(t, nil)
	require.NoError(t, err)
	minor, err := a.meet(t.Context())
	require.NoError(t, err)
	require.Equal(t, 7, minor)
	require.Equal(t, "4.7.10", a.speaks, "the server's own version, to the last number")
	return a
}

func TestCallsAreThoseOfThePgoClient47(t *testing.T) {
	o := newOperator(t, recorded47(t, "version", "create-cluster", "show-cluster", "scale", "delete-cluster"))
	a, ctx := client47(t, o), t.Context()

	hippo := &Cluster{Name: "hippo47", Image: "antdb-ha:lab1", Autofail: true}
	for _, workflow := range []string{"b3158fba-9578-4425-ad23-1846d07f4546", "", "e65cf935-ef54-4133-8fcb-44e6dfd6c059", "b07d9e93-0e4c-407f-a0e4-eb9e14880d8c"} {
		id, err := a.create47(ctx, hippo.request47("pguser47", a.speaks))
		if workflow == "" {
			requireAt(t, hippo.locate(err), "name", "pgcluster hippo47 was found so we will not create it")
			continue
		}
		require.NoError(t, err)
		require.Equal(t, workflow, id)
	}
	for _, namespace := range []string{"pgouser1", "nosuchns"} {
		request := (&Cluster{Name: "hippo48", Autofail: true}).request47(namespace, a.speaks)
		request.CCPImage, request.CCPImageTag = "", "" // as it was recorded: the operator's own image
		_, err := a.create47(ctx, request)
		requireAt(t, hippo.locate(err), "namespace", "namespace ["+namespace+"] is not part of the Operator installation")
	}

	for _, want := range []struct {
		state    string
		replicas []string
	}{{"pgcluster Processed", nil}, {"pgcluster Processed", []string{"hippo47-psvq"}}, {"pgcluster Processed", []string{"hippo47-psvq"}}, {"pgcluster Initialized", []string{"hippo47-gpte"}}} {
		found, err := a.show47(ctx, "pguser47", "hippo47")
		require.NoError(t, err)
		require.Equal(t, want.state, found.Cluster.Status.State)
		var replicas []string
		for _, r := range found.Replicas {
			replicas = append(replicas, r.Name)
		}
		require.Equal(t, want.replicas, replicas)
	}
	found, err := a.show47(ctx, "pguser47", "nosuch")
	require.NoError(t, err)
	require.Nil(t, found, "code ok, and nothing in it")

	require.NoError(t, a.scale47(ctx, "pguser47", "hippo47", 1))
	require.NoError(t, a.remove(ctx, "pguser47", "hippo47", true, true))
	require.NoError(t, a.remove(ctx, "pguser47", "nosuch", true, true), "what is not there is gone")
	require.Empty(t, o.unknown, "every request is a recorded one, to the byte")
}

func TestTheRunbooksWishesAreInTheRequest47(t *testing.T) {
	c := &Cluster{Name: "hippo", Image: "registry.local/lab/antdb-ha:lab1", Replicas: 2, Metrics: true, Badger: true, Policies: []string{"a", "b"},
		Labels: map[string]string{"team": "db"}, CustomConfig: "conf", StorageConfig: "nfs", ServiceType: "NodePort", NodeLabel: "disk=ssd",
		User: "app", Dbname: "appdb", Password: secret.New("Sesame123"), StorageSize: "10Gi",
		Resources: &Resources{CPU: "500m", Memory: "1Gi", CPULimit: "1", MemoryLimit: "2Gi"}}
	text, err := json.Marshal(c.request47("pguser47", "4.7.10"))
	require.NoError(t, err)
	for _, part := range []string{`"CCPImage":"antdb-ha","CCPImageTag":"lab1","CCPImagePrefix":"registry.local/lab"`, `"ReplicaCount":2`, `"MetricsFlag":true`,
		`"BadgerFlag":true,"AutofailFlag":false`, `"Policies":"a,b"`, `"UserLabels":{"team":"db"}`, `"CustomConfig":"conf","StorageConfig":"nfs"`,
		`"ServiceType":"NodePort"`, `"NodeLabel":"disk=ssd"`, `"Username":"app"`, `"Database":"appdb"`, `"PVCSize":"10Gi","BackrestPVCSize":"10Gi"`,
		`"PasswordSuperuser":"Sesame123","PasswordReplication":"Sesame123","Password":"Sesame123"`,
		`"CPULimit":"1","CPURequest":"500m","MemoryLimit":"2Gi","MemoryRequest":"1Gi"`} {
		require.Contains(t, string(text), part)
	}
}

// Every field of the recorded request is written, also those that are empty: an
// apiserver tells an empty list from none.
func TestRequest47HasTheRecordedFields(t *testing.T) {
	fields := func(text string) []string {
		var names []string
		d := json.NewDecoder(strings.NewReader(text))
		for depth, key := 0, true; ; {
			token, err := d.Token()
			if err != nil {
				return names
			}
			switch token := token.(type) {
			case json.Delim:
				depth += map[json.Delim]int{'{': 1, '[': 1, '}': -1, ']': -1}[token]
				key = true
			case string:
				if depth == 1 && key {
					names = append(names, token)
				}
				key = !key
			default:
				key = true
			}
		}
	}
	text, err := json.Marshal((&Cluster{Name: "x", Image: "y"}).request47("n", "4.7.10"))
	require.NoError(t, err)
	require.Equal(t, fields(recorded47(t, "create-cluster")[0].body), fields(string(text)))
}

// Answers with Code "ok" that made nothing.
func TestOkIsNotEnough47(t *testing.T) {
	for _, answer := range []string{
		`{"result":{"Database":"","Name":"","Users":null,"WorkflowID":""},"status":{"Code":"ok","Msg":""}}`,
		`{"result":{"Database":"d","Name":"other","Users":null,"WorkflowID":"1"},"status":{"Code":"ok","Msg":""}}`,
		`{"results":["created Pgcluster hippo","workflow id 1"],"status":{"Code":"ok","Msg":""}}`,
	} {
		_, err := oneAnswer(t, http.StatusOK, answer).create47(t.Context(), (&Cluster{Name: "hippo", Image: "x"}).request47("n", "4.7.10"))
		require.ErrorContains(t, err, "it created no cluster hippo, though it says ok")
	}
	err := oneAnswer(t, http.StatusOK, `{"Results":["created Pgreplica hippo-abcd"],"Code":"ok","Msg":""}`).scale47(t.Context(), "n", "hippo", 2)
	require.ErrorContains(t, err, "asked for 2 more of hippo, it made 1")
}

func TestPasswordOfTheAnswerIsNotKept(t *testing.T) {
	o := newOperator(t, recorded47(t, "version", "create-cluster"))
	a := client47(t, o)
	id, err := a.create47(t.Context(), (&Cluster{Name: "hippo47", Image: "antdb-ha:lab1", Autofail: true}).request47("pguser47", a.speaks))
	require.NoError(t, err)
	require.NotContains(t, id, "Ms/Y")
}

func TestMeetTakesEveryVersionOfPGO4AndNoOther(t *testing.T) {
	for version, good := range map[string]bool{"4.2.1": true, "4.2.4": true, "4.3.0": true, "4.6.10": true, "4.7.0": true, "4.8.0": false, "5.0.0": false, "": false, "4.x": false} {
		a := oneAnswer(t, http.StatusOK, `{"Version":"`+version+`","Code":"ok","Msg":"apiserver version"}`)
		_, err := a.meet(t.Context())
		require.Equal(t, good, err == nil, "%s: %v", version, err)
		if good {
			require.Equal(t, version, a.speaks)
		} else {
			requireAt(t, err, "api", "none of 4.2 to 4.7")
		}
	}
}

func TestWrongPasswordIsTurnedAway47(t *testing.T) {
	o := newOperator(t, recorded47(t, "version"))
	a, err := o.client(t, func(a *API) { a.User, a.Password = pgoUser, secret.New("wrong") })
	require.NoError(t, err)
	_, err = a.meet(context.Background())
	requireAt(t, err, "api", "401 Unauthorized: Not authenticated in apiserver")
}

func TestRefusalsNameTheirArgument47(t *testing.T) {
	for msg, arg := range map[string]string{
		`"nosuch" storage config was not found`:                                              "storage_config",
		`could not parse PVC size "x": quantities must match (hint: try a value like "1Gi")`: "storage_size",
		`invalid service type "x"`:                                                           "service_type",
		`limit "1" is lower than the request "2"`:                                            "resources",
		`hippo has not yet been upgraded. Please up`:                                         "name",
	} {
		requireAt(t, locate47(&Refusal{msg}), arg, msg)
	}
	other := &Refusal{"something else"}
	require.Equal(t, error(other), locate47(other))
}
