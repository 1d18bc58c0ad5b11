package pgo

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// otherVersion47 is how the apiserver of 4.7 answers a client of 4.2. It was
// read in its source, not recorded: what was recorded spoke the right version.
func otherVersion47(name string) exchange {
	return exchange{request: "POST /showclusters", status: http.StatusOK, answer: `{"Results":null,"Code":"error","Msg":"pgo client and server version mismatch"}`,
		body: fmt.Sprintf(`{"clustername":%q,"selector":"","ccpimagetag":"","clientversion":"4.2.1","namespace":"pguser47","allflag":false}`, name)}
}

// started is the stage after the recorded start, with its replica, and what the
// events do not tell.
func started(t *testing.T) *stage {
	t.Helper()
	s := &stage{store: site47(), cluster: "hippo47"}
	for _, h := range timeline47(t, "timeline-hippo47.jsonl") {
		if h.Name == "hippo47-rmdata" {
			break
		}
		s.happen(h)
	}
	for _, name := range []string{"hippo47", "hippo47-gpte"} {
		d := s.find("deployments", name)
		require.NotNil(t, d, name)
		d["spec"] = object{"template": object{"spec": object{"containers": []any{object{"name": "database", "image": "lab47/antdb-ha:lab1"}}}}}
	}
	set(s.find("pods", "hippo47-6f8b5446f-99c8k"), "10.88.0.82", "status", "podIP")
	s.put(object{"apiVersion": "v1", "kind": "Service", "metadata": object{"name": "hippo47", "namespace": "pguser47"}, "spec": object{"clusterIP": "10.254.192.94"}})
	return s
}

func hippo47(t *testing.T, o *operator, s *stage, args string) *moduletest.Step {
	t.Helper()
	entry := module.Of[Cluster]()
	entry.New = func() module.Module { return &Cluster{getenv: noVariables, pace: time.Millisecond} }
	step := moduletest.New(t, entry, s.store.cluster(t, "pguser47"), fmt.Sprintf(`
		name  = "hippo47"
		image = "lab47/antdb-ha:lab1"
		api {
			url          = %q
			ca           = %q
			cert         = %[2]q
			key          = %q
			pgouser_file = %q
		}
		%s`, o.URL, o.file("ca.crt"), o.file("client.key"), o.file("pgouser"), args), nil)
	step.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: "pguser47"}
	return step
}

func TestTheApiserverOf47IsFoundOutAndItsClusterIsInOrder(t *testing.T) {
	script := []exchange{otherVersion47("hippo47")}
	for _, e := range recorded47(t, "version", "show-cluster") {
		if e.request != "POST /showclusters" || len(e.answer) > 100 {
			script = append(script, e)
		}
	}
	script = append(script[:len(script)-4], script[len(script)-1]) // the last answer alone: initialized, with a replica
	o := newOperator(t, script)
	step := hippo47(t, o, started(t), "replicas = 1")
	change, out, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.NoChange, change, "%s", change.Summary)
	require.Empty(t, o.unknown)
	got := out.AsValueMap()
	require.Equal(t, cty.StringVal("PGO 4.7 (REST)"), got["operator"])
	require.Equal(t, cty.StringVal("hippo47"), got["database"])
	require.Equal(t, cty.StringVal("10.88.0.82"), got["pod_ip"])
	require.Equal(t, cty.StringVal("10.254.192.94"), got["service_ip"])
	require.Equal(t, cty.StringVal("hippo47-testuser-secret"), got["secrets"].Index(cty.StringVal("testuser")))
	primary, err := conn.TargetFrom(got["primary"])
	require.NoError(t, err)
	require.Equal(t, "hippo47-6f8b5446f-99c8k/database", primary.Name)

	change, _, err = hippo47(t, o, started(t), "replicas = 2\nbackup_schedule = { full = \"0 1 * * 0\" }").Check()
	require.NoError(t, err)
	require.Equal(t, "hippo47: change backup_schedule.full, add 1 replica", change.Summary)
}

func TestWhat47LacksFailsThePlan(t *testing.T) {
	script := []exchange{otherVersion47("hippo47")}
	all := recorded47(t, "version", "show-cluster")
	o := newOperator(t, append(append(script, all[0]), all[len(all)-1]))
	_, _, err := hippo47(t, o, started(t), `replicas = 1
		resources_config = "small"`).Check()
	requireAt(t, err, "resources_config", "PGO 4.7 takes no resources_config")
	_, _, err = hippo47(t, o, started(t), `replicas = 1
		user = "other"`).Check()
	requireAt(t, err, "user", "cluster hippo47 has testuser, not other")
}
