package pgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestExampleFitsTheModule(t *testing.T) { moduletest.Example(t, module.Of[Cluster]()) }

// hippo is a step on the recorded cluster.
func hippo(t *testing.T, o *operator, a *kubeAPI, args string) *moduletest.Step {
	t.Helper()
	entry := module.Of[Cluster]()
	entry.New = func() module.Module { return &Cluster{getenv: noVariables, pace: time.Millisecond} }
	step := moduletest.New(t, entry, a.cluster(t), fmt.Sprintf(`
		name  = "hippo"
		image = "crunchydata/antdb-ha:latest"
		api {
			url          = %q
			ca           = %q
			cert         = %[2]q
			key          = %q
			pgouser_file = %q
		}
		%s`, o.URL, o.file("ca.crt"), o.file("client.key"), o.file("pgouser"), args), nil)
	step.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: "pgouser1"}
	return step
}

// shown are the recorded answers to /showclusters: asked for too early, ready,
// and with a replica.
func shown(t *testing.T) (early, ready, replica string) {
	t.Helper()
	var all []string
	for _, e := range recorded(t, "rest-traffic.txt") {
		if e.request == "POST /showclusters" && e.body == showHippo {
			all = append(all, e.answer)
		}
	}
	require.Len(t, all, 3)
	return all[0], all[1], all[2]
}

// initialized is a recorded answer after the first backup, without replicas.
func initialized(t *testing.T) string {
	t.Helper()
	_, ready, _ := shown(t)
	return strings.Replace(ready, "pgcluster Processed", "pgcluster Initialized", 1)
}

const absent = `{"Results":[],"Code":"ok","Msg":""}`

func TestClusterThatServesIsInOrder(t *testing.T) {
	_, _, replica := shown(t)
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(replica)
	change, out, err := hippo(t, o, a, "replicas = 1").Check()
	require.NoError(t, err)
	require.Equal(t, module.NoChange, change)
	require.Empty(t, a.deleted)
	require.Len(t, o.asked, 1, "a look at the operator is one call")

	got := out.AsValueMap()
	require.Equal(t, "10.88.0.53", got["pod_ip"].AsString())
	require.Equal(t, "10.254.255.152", got["service_ip"].AsString())
	require.Equal(t, "postgres://10.88.0.53:5432/postgres", got["conn_url"].AsString())
	require.Equal(t, "docker://sha256:eb769f78312024d56e6e421e189166b4d58ed12624564f6322f54eb18f84dfe9", got["image_id"].AsString())
	require.Equal(t, cty.MapVal(map[string]cty.Value{
		"postgres":    cty.StringVal("hippo-postgres-secret"),
		"primaryuser": cty.StringVal("hippo-primaryuser-secret"),
		"testuser":    cty.StringVal("hippo-testuser-secret"),
	}), got["secrets"])
	primary, err := conn.TargetFrom(got["primary"])
	require.NoError(t, err)
	require.Equal(t, conn.Target{Kind: conn.Container, Name: "hippo-54bf68fbd4-qzkbd/database", Config: "lab", Namespace: "pgouser1",
		Pod: "hippo-54bf68fbd4-qzkbd", Container: "database", Labels: []string{}, Vars: map[string]string{}}, primary)
}

func TestPlanSaysWhatIsMissing(t *testing.T) {
	early, ready, replica := shown(t)
	for name, c := range map[string]struct {
		show, args string
		change     func(*kubeAPI)
		action     module.Action
		summary    string
	}{
		"nothing there":   {absent, "", func(a *kubeAPI) { a.kinds = map[string][]object{} }, module.Create, "create hippo (antdb-ha:latest, 0 replicas)"},
		"asked too early": {early, "", func(a *kubeAPI) { a.kinds = map[string][]object{} }, module.Update, "wait for hippo: the operator has made no Deployment yet"},
		"on no node":      {ready, "", func(a *kubeAPI) { young(a); pod(a)["spec"] = object{} }, module.Update, "the database pod is on no node yet"},
		"no image":        {ready, "", func(a *kubeAPI) { young(a) }, module.Update, "the image is not on the node yet"},
		"no leader":       {ready, "", func(a *kubeAPI) { young(a); run(a) }, module.Update, "Patroni has no running primary yet"},
		"two leaders": {ready, "", func(a *kubeAPI) {
			set(a.object("pods", "hippo-rcan-5f5b7f4b97-vtvxp"), "master", "metadata", "labels", "role")
			nodeOf(a, "node1")
		}, module.Update, "two pods call themselves primary (hippo-54bf68fbd4-qzkbd, hippo-rcan-5f5b7f4b97-vtvxp)"},
		"no stanza":             {ready, "", func(a *kubeAPI) { a.drop("jobs", "hippo-stanza-create") }, module.Update, "the backup repository is not set up yet"},
		"no backup":             {ready, "", func(a *kubeAPI) { a.drop("jobs", "backrest-backup") }, module.Update, "the first backup is not done yet"},
		"not initialized":       {ready, "", func(*kubeAPI) {}, module.Update, "the operator does not call it initialized yet, but \"pgcluster Processed\""},
		"no backup wanted":      {ready, "wait_backup = false", func(a *kubeAPI) { a.drop("jobs", "backrest-backup"); a.drop("pods", "hippo-rcan") }, module.None, ""},
		"jobs tidied away":      {replica, "replicas = 1", func(a *kubeAPI) { a.kinds["jobs"] = nil }, module.None, ""},
		"more replicas wanted":  {replica, "replicas = 3", func(*kubeAPI) {}, module.Update, "hippo: add 2 replicas"},
		"fewer replicas wanted": {replica, "", func(*kubeAPI) {}, module.Update, "hippo: take away 1 replica"},
		"being removed": {ready, "", func(a *kubeAPI) {
			a.kinds["jobs"] = append(a.kinds["jobs"], object{"metadata": object{"name": "hippo-rmdata-abcd", "labels": object{"vendor": "crunchydata"}}})
		}, module.Update, "wait until the old hippo is gone, then create it"},
	} {
		t.Run(name, func(t *testing.T) {
			o, a := newOperator(t, nil), hippoObjects(t)
			c.change(a)
			o.answers(c.show)
			change, _, err := hippo(t, o, a, c.args).Check()
			require.NoError(t, err)
			require.Equal(t, c.action.String(), change.Action.String(), change.Summary)
			require.Contains(t, change.Summary, c.summary)
		})
	}
}

func pod(a *kubeAPI) object { return a.object("pods", "hippo-54bf68fbd4-qzkbd") }

// young makes the primary's pod one that was just put on a node, and the only one.
func young(a *kubeAPI) {
	a.drop("pods", "hippo-rcan")
	nodeOf(a, "node1")
	set(pod(a), []any{}, "status", "containerStatuses")
	set(pod(a), []any{}, "status", "conditions")
	delete(pod(a)["metadata"].(object), "annotations")
	delete(pod(a)["metadata"].(object)["labels"].(object), "role")
}

// run starts its container.
func run(a *kubeAPI) {
	set(pod(a), []any{object{"name": "database", "imageID": "x", "state": object{"running": object{}}}}, "status", "containerStatuses")
}

// nodeOf puts the recorded pods, which were recorded without, on a node.
func nodeOf(a *kubeAPI, node string) {
	for _, p := range a.kinds["pods"] {
		set(p, node, "spec", "nodeName")
	}
}

func TestApplyAsksOnceAndWaits(t *testing.T) {
	early, _, _ := shown(t)
	var create exchange
	for _, e := range recorded(t, "rest-traffic.txt") {
		if e.request == "POST /clusters" && strings.Contains(e.answer, "created Pgcluster") {
			create = e
		}
	}
	o, a := newOperator(t, []exchange{create}), hippoObjects(t)
	o.answers(absent, early, early, initialized(t))
	a.drop("pods", "hippo-rcan")
	all, looks := a.kinds, 0
	a.kinds = map[string][]object{"pgtasks": {{"apiVersion": "crunchydata.com/v1", "kind": "Pgtask", "metadata": object{"name": "hippo-createcluster", "labels": object{"pg-cluster": "hippo"}}}}}
	a.onLook = func(a *kubeAPI) {
		if looks++; looks == 3 {
			a.kinds = all
		}
	}
	var phases []string
	step := hippo(t, o, a, "")
	step.Env().Phase = func(name string) { phases = append(phases, name) }
	change, _, err := step.Apply()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	require.Equal(t, []string{phaseRequest, phaseDeployment, phaseInitialized}, phases)
	require.Equal(t, []string{"pgtasks/hippo-createcluster"}, a.deleted, "a left-over task would keep the operator from making the cluster")
	require.Equal(t, []module.Diff{{Path: "pgtask hippo-createcluster", Before: "left over", After: "removed: the operator would stumble over it"}}, change.Diff)
	creates := 0
	for _, asked := range o.asked {
		if strings.HasPrefix(asked, "POST /clusters ") {
			creates++
		}
	}
	require.Equal(t, 1, creates)
	require.Empty(t, o.unknown)
}

// The operator's pod may be replaced while the cluster comes up.
func TestWaitingOutlivesAnOutage(t *testing.T) {
	early, _, _ := shown(t)
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(early, early, initialized(t))
	host := &shutDoor{Cluster: a.cluster(t), to: o.Listener.Addr().String()}
	entry := module.Of[Cluster]()
	entry.New = func() module.Module { return &Cluster{getenv: noVariables, pace: time.Millisecond} }
	step := moduletest.New(t, entry, host, fmt.Sprintf(`
		name  = "hippo"
		image = "antdb-ha"
		api {
			ca           = %q
			cert         = %[1]q
			key          = %q
			pgouser_file = %q
		}`, o.file("ca.crt"), o.file("client.key"), o.file("pgouser")), nil)
	a.drop("pods", "hippo-rcan")
	all := a.kinds
	a.kinds = map[string][]object{}
	a.onLook = func(a *kubeAPI) {
		switch a.looks {
		case 2: // while it waits
			host.shut = 5
			o.CloseClientConnections()
		case 3:
			a.kinds = all
		}
	}
	_, _, err := step.Apply()
	require.NoError(t, err)
	require.Zero(t, host.shut)
}

// shutDoor is a cluster whose port-forwards fail some times.
type shutDoor struct {
	*kube.Cluster
	to   string
	shut int
}

func (d *shutDoor) Unwrap() conn.Host { return d.Cluster }

func (d *shutDoor) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	if d.shut > 0 {
		d.shut--
		return nil, errors.New("no pod behind service postgres-operator is ready")
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, network, d.to)
}

func TestWaitingEndsWhereItIsHopeless(t *testing.T) {
	_, ready, _ := shown(t)
	for name, c := range map[string]struct {
		change         func(*kubeAPI)
		text, evidence string
	}{
		"bootstrap failed": {func(a *kubeAPI) {
			nodeOf(a, "node1")
			delete(pod(a)["metadata"].(object), "annotations")
			status := pod(a)["status"].(object)["containerStatuses"].([]any)[0].(object)
			status["ready"], status["restartCount"] = false, int64(1)
			status["lastState"] = object{"terminated": object{"exitCode": int64(0), "reason": "Completed"}}
			a.logs = "x LOG: fine\n2020-02-28 05:52:03 FATAL:  could not access file \"pgaudit.so\": No such file or directory\n" +
				"INFO: removing initialize key after failed attempt to bootstrap the cluster\n"
		}, "Patroni gave up bootstrapping it", `FATAL:  could not access file "pgaudit.so"`},
		"stanza failed": {func(a *kubeAPI) {
			set(a.object("jobs", "hippo-stanza-create"), object{"failed": int64(1)}, "status")
		}, "Job hippo-stanza-create failed", "(the repository) is Running"},
		"prefix of the operator": {func(a *kubeAPI) {
			set(a.object("deployments", "hippo"), object{"containers": []any{object{"name": "database", "image": "registry.local/pg/antdb-ha:latest"}}}, "spec", "template", "spec")
			a.drop("jobs", "backrest-backup")
		}, "the operator runs registry.local/pg/antdb-ha:latest, not crunchydata/antdb-ha:latest", ""},
		"no pod allowed": {func(a *kubeAPI) {
			a.kinds["pods"] = nil
			set(a.object("deployments", "hippo"), []any{object{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": `serviceaccount "pgo-pg" not found`}}, "status", "conditions")
		}, "Deployment hippo can make no pod", `serviceaccount "pgo-pg" not found`},
		"no time left": {func(a *kubeAPI) { a.drop("jobs", "backrest-backup") }, "cluster hippo is not there after 30ms: the first backup is not done yet", "Pgcluster hippo: state"},
	} {
		t.Run(name, func(t *testing.T) {
			o, a := newOperator(t, nil), hippoObjects(t)
			o.answers(ready)
			c.change(a)
			_, _, err := hippo(t, o, a, `deadlines = { backup = "30ms" }`).Apply()
			require.ErrorContains(t, err, c.text)
			require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), c.evidence)
		})
	}
}

// An image that was missing may be there by now, and its pod would wait for
// minutes before it looks again.
func TestPodsThatFailedBeforeTheRunStartAnew(t *testing.T) {
	early, _, _ := shown(t)
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(early, early, initialized(t))
	a.drop("pods", "hippo-rcan")
	good := a.kinds["pods"]
	text, err := json.Marshal(good)
	require.NoError(t, err)
	var failed []object
	require.NoError(t, json.Unmarshal(text, &failed))
	a.kinds["pods"] = failed
	name := nameOf(pod(a))
	young(a)
	set(pod(a), "Pending", "status", "phase")
	set(pod(a), []any{object{"name": "database", "image": "antdb-ha:latest", "imageID": "", "ready": false, "restartCount": int64(0),
		"state": object{"waiting": object{"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}}, "status", "containerStatuses")
	a.onLook = func(a *kubeAPI) {
		if len(a.deleted) > 0 {
			a.kinds["pods"] = good
		}
	}
	_, _, err = hippo(t, o, a, "").Apply()
	require.NoError(t, err)
	require.Equal(t, []string{"pods/" + name}, a.deleted)
}

func TestValidateKnowsTheRules(t *testing.T) {
	for args, want := range map[string][2]string{
		`name = "Bad_Name"`:                 {"name", "no name for a cluster"},
		`name = "all"`:                      {"name", "every cluster"},
		`image = "antdb-ha@sha256:12"`:      {"image", "by tag, not by digest"},
		`image = "antdb-ha:"`:               {"image", "no image of the form"},
		`replicas = -1`:                     {"replicas", "cannot have -1"},
		"replicas = 1\nwait_backup = false": {"wait_backup", "only after the first backup"},
		`password = "o'er"`:                 {"password", "letters and digits"},
		`node_label = "fast"`:               {"node_label", "KEY=VALUE"},
		`labels = { "a b" = "c" }`:          {"labels", "label a b=c"},
		`policies = ["a,b"]`:                {"policies", "no name of a policy"},

		`deadlines = { nap = "1m" }`:                 {"deadlines", `no phase "nap"`},
		`deadlines = { pull = "soon" }`:              {"deadlines", `"soon" is no length of time`},
		"resources {\n cpu = \"much\"\n}":            {"resources", `cpu "much" is no quantity`},
		`storage_size = "10 Gi"`:                     {"storage_size", "no quantity"},
		`backup_schedule = { hourly = "0 * * * *" }`: {"backup_schedule", `"hourly" is no kind of backup`},
		`backup_schedule = { full = "every day" }`:   {"backup_schedule", "cron's five fields"},
	} {
		if !strings.Contains(args, "name =") {
			args += "\nname = \"hippo\""
		}
		if !strings.Contains(args, "image =") {
			args += "\nimage = \"antdb-ha\""
		}
		requireAt(t, moduletest.New(t, module.Of[Cluster](), nil, args, nil).Validate(), want[0], want[1])
	}
}

func TestReferencesAreSplitAsTheOperatorWantsThem(t *testing.T) {
	for image, want := range map[string]imageRef{
		"antdb-ha":                        {"", "antdb-ha", "latest"},
		"crunchydata/antdb-ha:1a2b":       {"crunchydata", "antdb-ha", "1a2b"},
		"reg:5000/crunchydata/antdb-ha":   {"reg:5000/crunchydata", "antdb-ha", "latest"},
		"reg:5000/crunchydata/antdb-ha:5": {"reg:5000/crunchydata", "antdb-ha", "5"},
	} {
		require.Equal(t, want, (&Cluster{Image: image}).ref())
	}
}

func requireAt(t *testing.T, err error, arg, text string) {
	t.Helper()
	require.ErrorContains(t, err, text)
	at := (*module.ArgError)(nil)
	require.True(t, errors.As(err, &at), "%v names no argument", err)
	require.Equal(t, arg, at.Arg)
}

func evidenceOf(t *testing.T, err error) []string {
	t.Helper()
	e := (*module.Explained)(nil)
	require.ErrorAs(t, err, &e)
	return e.Evidence
}
