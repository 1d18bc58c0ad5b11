package pgo

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

// recordedFailover is the one that was asked for over the recorded replica.
func recordedFailover(t *testing.T, then func()) exchange {
	t.Helper()
	for _, e := range recorded(t, "rest-traffic.txt") {
		if e.request == "POST /failover" {
			e.then = then
			return e
		}
	}
	t.Fatal("no failover was recorded")
	return exchange{}
}

// patchesReachPods makes the pods follow what is patched into their Deployments, and
// keeps what happened.
func patchesReachPods(a *kubeAPI, story *[]string) {
	podOf := map[string]string{"hippo": "hippo-54bf68fbd4-qzkbd", "hippo-rcan": "hippo-rcan-5f5b7f4b97-vtvxp"}
	a.onPatch = func(a *kubeAPI, kind, name string) {
		*story = append(*story, kind+"/"+name)
		if kind != "deployments" {
			return
		}
		containers := a.object(kind, name)["spec"].(object)["template"].(object)["spec"].(object)["containers"]
		set(a.object("pods", podOf[name]), containers, "spec", "containers")
	}
}

// lead gives the lead to one of the recorded pods.
func lead(a *kubeAPI, leader, replica string) {
	for name, role := range map[string]string{leader: "master", replica: "replica"} {
		p := a.object("pods", name)
		set(p, role, "metadata", "labels", "role")
		set(p, fmt.Sprintf(`{"state":"running","role":%q,"conn_url":"postgres://10.0.0.1:5432/postgres"}`, role), "metadata", "annotations", "status")
	}
}

func onRecord(a *kubeAPI) {
	a.kinds["pgclusters"] = []object{{"apiVersion": "crunchydata.com/v1", "kind": "Pgcluster", "metadata": object{"name": "hippo"}}}
}

// The replica gets the new image, then the lead, then the former primary the image.
func TestAnImageRollsReplicasFirst(t *testing.T) {
	_, _, replica := shown(t)
	a, story := hippoObjects(t), []string{}
	o := newOperator(t, []exchange{recordedFailover(t, func() {
		story = append(story, "failover")
		a.mu.Lock()
		defer a.mu.Unlock()
		lead(a, "hippo-rcan-5f5b7f4b97-vtvxp", "hippo-54bf68fbd4-qzkbd")
	})})
	old := strings.ReplaceAll(replica, `"ccpimagetag":"latest"`, `"ccpimagetag":"old"`)
	text, err := json.Marshal(a.kinds)
	require.NoError(t, err)
	a.kinds = map[string][]object{}
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(string(text), "crunchydata/antdb-ha:latest", "crunchydata/antdb-ha:old")), &a.kinds))
	onRecord(a)
	patchesReachPods(a, &story)
	step := hippo(t, o, a, "replicas = 1\nresources {\n cpu = \"200m\"\n memory_limit = \"1Gi\"\n}")
	o.answers(old)
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{
		{Path: "image", Before: "antdb-ha:old", After: "antdb-ha:latest"},
		{Path: "resources.cpu", After: "200m"},
		{Path: "resources.memory_limit", After: "1Gi"},
	}, change.Diff)

	o.answers(old, replica)
	_, _, err = step.Apply()
	require.NoError(t, err)
	require.Equal(t, []string{"pgclusters/hippo", "deployments/hippo-rcan", "failover", "deployments/hippo"}, story)
	require.Empty(t, o.unknown)
	for _, name := range []string{"hippo", "hippo-rcan"} {
		spec := a.object("deployments", name)["spec"].(object)
		require.Equal(t, object{"type": "Recreate"}, spec["strategy"], "two pods must not open one data directory")
	}
	require.Equal(t, "latest", a.object("pgclusters", "hippo")["spec"].(object)["ccpimagetag"])
}

func TestWithoutAReplicaThePrimaryRestarts(t *testing.T) {
	a, story := hippoObjects(t), []string{}
	a.drop("pods", "hippo-rcan")
	a.drop("deployments", "hippo-rcan")
	onRecord(a)
	patchesReachPods(a, &story)
	o := newOperator(t, nil)
	o.answers(initialized(t))
	_, _, err := hippo(t, o, a, "resources {\n memory = \"1Gi\"\n}").Apply()
	require.NoError(t, err)
	require.Equal(t, []string{"pgclusters/hippo", "deployments/hippo"}, story)
}

// A wrong image that no node has is corrected in place; a pod that makes its
// first data directory is left to it.
func TestWhileNobodyLeadsOnlyPodsThatDoNotRunAreChanged(t *testing.T) {
	early, _, _ := shown(t)
	for name, c := range map[string]struct {
		change func(*kubeAPI)
		story  []string
	}{
		"not on the node": {young, []string{"pgclusters/hippo", "deployments/hippo"}},
		"bootstrapping":   {func(a *kubeAPI) { young(a); run(a) }, []string{"pgclusters/hippo"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, story := hippoObjects(t), []string{}
			a.drop("deployments", "hippo-rcan")
			c.change(a)
			onRecord(a)
			patchesReachPods(a, &story)
			o := newOperator(t, nil)
			o.answers(early)
			_, _, err := hippo(t, o, a, "deadlines = { pull = \"50ms\", bootstrap = \"50ms\" }\nresources {\n memory = \"1Gi\"\n}").Apply()
			requireAt(t, err, "deadlines", "cluster hippo is not there after 50ms")
			require.Equal(t, c.story, story)
		})
	}
}

func TestAnotherImageNeedsAWordOnItsEngine(t *testing.T) {
	for args, want := range map[string]string{
		"":                          "nothing says that crunchydata/antdb-ha:latest holds the same engine",
		`engine = "antdb"`:          "",
		`metrics = true`:            "was made with metrics = false",
		`service_type = "NodePort"`: `was made with service_type = "ClusterIP"`,
		`custom_config = "mine"`:    `was made with custom_config = ""`,
		`user = "somebody"`:         "has testuser, not somebody",
		`dbname = "elsewhere"`:      "has userdb, not elsewhere",
	} {
		a := hippoObjects(t)
		a.drop("pods", "hippo-rcan")
		a.drop("deployments", "hippo-rcan")
		o := newOperator(t, nil)
		o.answers(strings.ReplaceAll(initialized(t), `"ccpimage":"antdb-ha"`, `"ccpimage":"crunchy-postgres-ha"`))
		for _, d := range a.kinds["deployments"] {
			if nameOf(d) == "hippo" {
				set(d, []any{object{"name": "database", "image": "crunchydata/crunchy-postgres-ha:latest"}}, "spec", "template", "spec", "containers")
			}
		}
		change, _, err := hippo(t, o, a, args).Check()
		if want == "" {
			require.NoError(t, err)
			require.Equal(t, "hippo: change image", change.Summary)
			continue
		}
		require.ErrorContains(t, err, want)
		require.ErrorAs(t, err, new(*module.Refusal), "a destroy goes on")
	}
}

const scaledown = "GET /scaledown/hippo?version=4.2.1&replica-name=hippo-rcan&delete-data=true&namespace=pgouser1"

func TestAReplicaIsTakenAwayAndWaitedFor(t *testing.T) {
	_, _, replica := shown(t)
	a := hippoObjects(t)
	o := newOperator(t, nil)
	gone := false
	o.script = []exchange{{request: scaledown, status: http.StatusOK, answer: `{"Results":["deleted Pgreplica hippo-rcan"],"Code":"ok","Msg":""}`, then: func() { gone = true }}}
	o.answers(replica, replica, initialized(t))
	a.onLook = func(a *kubeAPI) {
		if gone && a.looks > 3 {
			a.drop("pods", "hippo-rcan")
			a.drop("deployments", "hippo-rcan")
		}
	}
	change, _, err := hippo(t, o, a, "").Apply()
	require.NoError(t, err)
	require.Equal(t, "hippo: take away 1 replica", change.Summary)
	require.Empty(t, o.unknown)
}

// The operator would do it, and the cluster would have no primary.
func TestAReplicaThatLeadsIsNotTakenAway(t *testing.T) {
	_, _, replica := shown(t)
	a := hippoObjects(t)
	lead(a, "hippo-rcan-5f5b7f4b97-vtvxp", "hippo-54bf68fbd4-qzkbd")
	o := newOperator(t, nil)
	o.answers(replica)
	_, _, err := hippo(t, o, a, "").Apply()
	requireAt(t, err, "replicas", "the primary of hippo runs in hippo-rcan")
	require.Empty(t, o.unknown, "nothing was asked of the operator")
}

// A GET that changes the world must not be sent again when a kept connection breaks.
func TestScalingIsNeverSentTwice(t *testing.T) {
	o := newOperator(t, recorded(t, "rest-traffic.txt"))
	c, err := o.client(t, nil)
	require.NoError(t, err)
	_, err = c.version(t.Context()) // leaves a connection behind
	require.NoError(t, err)
	calls := 0
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		hijacked, _, err := w.(http.Hijacker).Hijack()
		require.NoError(t, err)
		require.NoError(t, hijacked.Close())
	})
	require.Error(t, c.scaleDown(t.Context(), "pgouser1", "hippo", "hippo-rcan"))
	require.Equal(t, 1, calls)
	require.Error(t, c.scale(t.Context(), "pgouser1", "hippo", 1))
	require.Equal(t, 2, calls)
}

func TestAutofailFollowsTheRunbook(t *testing.T) {
	a := hippoObjects(t)
	a.drop("pods", "hippo-rcan")
	o := newOperator(t, []exchange{{request: "POST /clustersupdate", status: http.StatusOK,
		body:   `{"Clustername":["hippo"],"Selector":"","ClientVersion":"4.2.1","Namespace":"pgouser1","AllFlag":false,"Autofail":false}`,
		answer: `{"Results":["updated pgcluster hippo"],"Code":"ok","Msg":""}`}})
	off := strings.ReplaceAll(initialized(t), `"autofail":"true"`, `"autofail":"false"`)
	o.answers(initialized(t), off)
	change, _, err := hippo(t, o, a, "autofail = false").Apply()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "autofail", Before: "true", After: "false"}}, change.Diff)
	require.Empty(t, o.unknown)
}

func TestSchedulesAreMadeAnewWhereTheyDiffer(t *testing.T) {
	a := hippoObjects(t)
	a.drop("pods", "hippo-rcan")
	entry := func(kind, cron string) object {
		name := "hippo-pgbackrest-" + kind
		return object{"metadata": object{"name": name, "labels": object{"pg-cluster": "hippo", "crunchy-scheduler": "true"}},
			"data": object{name: fmt.Sprintf(`{"version":"v1","name":%q,"cluster":"hippo","schedule":%q,"type":"pgbackrest"}`, name, cron)}}
	}
	a.kinds["configmaps"] = []object{entry("full", "0 3 * * 0"), entry("diff", "0 3 * * 1-6")}
	ask := func(kind, cron string) exchange {
		return exchange{request: "POST /schedule", status: http.StatusOK, answer: `{"Results":["created schedule hippo-pgbackrest-` + kind + ` for cluster hippo"],"Code":"ok","Msg":""}`,
			body: fmt.Sprintf(`{"ClusterName":"hippo","Name":"","Namespace":"pgouser1","Schedule":%q,"ScheduleType":"pgbackrest","Selector":"","PGBackRestType":%q,"BackrestStorageType":"","PVCName":"","ScheduleOptions":"","StorageConfig":"","PolicyName":"","Database":"","Secret":""}`, cron, kind),
			then: func() {
				a.mu.Lock()
				defer a.mu.Unlock()
				a.drop("configmaps", "hippo-pgbackrest-"+kind)
				a.kinds["configmaps"] = append(a.kinds["configmaps"], entry(kind, cron))
			}}
	}
	o := newOperator(t, []exchange{ask("full", "0 1 * * 0"), ask("incr", "0 * * * *"),
		{request: "POST /scheduledelete", body: `{"Namespace":"pgouser1","ScheduleName":"hippo-pgbackrest-full","ClusterName":"","Selector":""}`,
			status: http.StatusOK, answer: `{"Results":["deleted schedule hippo-pgbackrest-full"],"Code":"ok","Msg":""}`}})
	o.answers(initialized(t))
	change, _, err := hippo(t, o, a, `backup_schedule = { full = "0 1 * * 0", diff = "0 3 * * 1-6", incr = "0 * * * *" }`).Apply()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{
		{Path: "backup_schedule.full", Before: "0 3 * * 0", After: "0 1 * * 0"},
		{Path: "backup_schedule.incr", After: "0 * * * *"},
	}, change.Diff)
	require.Empty(t, o.unknown)
}

// Code "ok" with empty results is what is said where nothing was done.
func TestOkWithoutTheLineIsNoDone(t *testing.T) {
	a := oneAnswer(t, http.StatusOK, `{"Results":[],"Code":"ok","Msg":""}`)
	for name, err := range map[string]error{
		"failover":  a.failover(t.Context(), "pgouser1", "hippo", "hippo-rcan"),
		"autofail":  a.autofail(t.Context(), "pgouser1", "hippo", true),
		"schedule":  a.schedule(t.Context(), "pgouser1", "hippo", "full", "0 1 * * 0"),
		"scaledown": a.scaleDown(t.Context(), "pgouser1", "hippo", "hippo-rcan"),
	} {
		require.ErrorAs(t, err, new(*Refusal), name)
	}
}

func TestWhatARequestOf42LacksIsRefusedAtItsArgument(t *testing.T) {
	for arg, value := range map[string]string{
		"storage_class": `"fast"`, "storage_size": `"10Gi"`, "backup_size": `"10Gi"`, "backup_image": `"x:1"`, "parameters": `{ work_mem = "8MB" }`,
	} {
		o, a := newOperator(t, nil), hippoObjects(t)
		o.answers(initialized(t))
		_, _, err := hippo(t, o, a, arg+" = "+value).Check()
		requireAt(t, err, arg, "PGO 4.2 takes no "+arg)
	}
}

// What the apiserver shows of pgo.yaml tells in the plan what would fail later.
func TestThePlanKnowsPgoYaml(t *testing.T) {
	const config = `{"Result":{"Cluster":{"CCPImagePrefix":"%s","User":"testuser","Database":"userdb","PgmonitorPassword":"s3cret"},"Storage":{"hostpathstorage":{},"nfs":{}},"ContainerResources":{"small":{}}},"Code":"ok","Msg":""}`
	for name, c := range map[string]struct{ prefix, args, arg, text string }{
		"all fits":          {"crunchydata", "storage_config = \"nfs\"\nresources_config = \"small\"\nuser = \"testuser\"", "", ""},
		"another prefix":    {"registry.local/pg", "", "image", "the operator runs registry.local/pg/antdb-ha:latest, not crunchydata/antdb-ha:latest"},
		"another user":      {"crunchydata", `user = "app"`, "user", "PGO 4.2 makes testuser"},
		"another database":  {"crunchydata", `dbname = "app"`, "dbname", "PGO 4.2 makes userdb"},
		"unknown storage":   {"crunchydata", `storage_config = "fast"`, "storage_config", `pgo.yaml has no "fast": it has hostpathstorage, nfs`},
		"unknown resources": {"crunchydata", `resources_config = "huge"`, "resources_config", `pgo.yaml has no "huge": it has small`},
	} {
		t.Run(name, func(t *testing.T) {
			o, a := newOperator(t, nil), &kubeAPI{groups: []string{groupV4}, kinds: map[string][]object{}}
			o.config = fmt.Sprintf(config, c.prefix)
			o.answers(absent)
			change, _, err := hippo(t, o, a, c.args).Check()
			if c.arg == "" {
				require.NoError(t, err)
				require.Equal(t, module.Create, change.Action)
				return
			}
			requireAt(t, err, c.arg, c.text)
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}
