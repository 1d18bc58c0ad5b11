package pgo

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

// afterwards is a namespace whose cluster was removed, and its data kept.
func afterwards(t *testing.T) (*operator, *kubeAPI) {
	t.Helper()
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(absent)
	a.kinds = map[string][]object{"persistentvolumeclaims": a.kinds["persistentvolumeclaims"]}
	a.kinds["secrets"] = []object{{"metadata": object{"name": "hippo-postgres-secret", "labels": object{"pg-cluster": "hippo"}}}}
	return o, a
}

func wroteBy(a *kubeAPI, engine, image, system string) {
	for _, claim := range a.kinds["persistentvolumeclaims"] {
		set(claim, engine, "metadata", "annotations", engineAnnotation)
		set(claim, image, "metadata", "annotations", imageAnnotation)
		set(claim, system, "metadata", "annotations", systemAnnotation)
	}
}

func patroniMap(name string, annotations object) object {
	return object{"metadata": object{"name": name, "labels": object{"crunchy-pgha-scope": "hippo", "vendor": "crunchydata"}, "annotations": annotations}}
}

func TestKeptVolumesAreShownAndTakenUp(t *testing.T) {
	o, a := afterwards(t)
	wroteBy(a, "antdb", "crunchydata/antdb-ha:4.1", "77")
	set(a.object("persistentvolumeclaims", "hippo"), "2026-11-01T10:00:00Z", "metadata", "creationTimestamp")
	change, _, err := hippo(t, o, a, "").Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	require.Contains(t, change.Diff, module.Diff{Path: "volume hippo", Before: "left over",
		After: "its data is taken up again (made 2026-11-01, AntDB by crunchydata/antdb-ha:4.1)"})
	require.Len(t, change.Diff, 3)
	require.Empty(t, a.deleted, "looking removes nothing")
}

func TestDataOfAnotherEngineIsRefused(t *testing.T) {
	for args, want := range map[string][2]string{
		`engine = "postgresql"`: {"engine", "volume hippo was written by AntDB (crunchydata/antdb-ha:4.1): PostgreSQL would start on it"},
		`image = "other:1"`:     {"image", "nothing says what other:1 holds"},
	} {
		o, a := afterwards(t)
		wroteBy(a, "antdb", "crunchydata/antdb-ha:4.1", "77")
		if args == `image = "other:1"` {
			step := hippo(t, o, a, "").Module().(*Cluster)
			step.Image = "other:1"
			_, err := step.Check(t.Context(), hippo(t, o, a, "").Env())
			requireAt(t, err, want[0], want[1])
			step.Engine, step.at = "antdb", nil
			_, err = step.Check(t.Context(), hippo(t, o, a, "").Env())
			require.NoError(t, err, "the runbook says that it is the same engine")
			continue
		}
		_, _, err := hippo(t, o, a, args).Check()
		requireAt(t, err, want[0], want[1])
	}
}

func TestKeptDataWithoutItsPasswordsIsRefused(t *testing.T) {
	o, a := afterwards(t)
	a.kinds["secrets"] = nil
	_, _, err := hippo(t, o, a, "").Check()
	requireAt(t, err, "name", "its Secret hippo-postgres-secret is gone")
}

// With the key of another system, or without any data, a new cluster would wait
// for a leader that never comes.
func TestStaleRecordsOfPatroniAreCleared(t *testing.T) {
	for name, c := range map[string]struct {
		change           func(*kubeAPI)
		deleted, patched []string
	}{
		"no data is kept":        {func(a *kubeAPI) { a.kinds["persistentvolumeclaims"] = nil }, []string{"configmaps/hippo-config", "configmaps/hippo-leader"}, nil},
		"of another system":      {func(a *kubeAPI) { wroteBy(a, "antdb", "crunchydata/antdb-ha:latest", "78") }, []string{"configmaps/hippo-config", "configmaps/hippo-leader"}, nil},
		"of the kept data":       {func(a *kubeAPI) { wroteBy(a, "antdb", "crunchydata/antdb-ha:latest", "77") }, []string{"configmaps/hippo-leader"}, nil},
		"of data that is silent": {func(*kubeAPI) {}, []string{"configmaps/hippo-leader"}, []string{"configmaps/hippo-config"}},
	} {
		t.Run(name, func(t *testing.T) {
			o, a := afterwards(t)
			a.kinds["configmaps"] = []object{patroniMap("hippo-config", object{"config": "{}", "initialize": "77"}), patroniMap("hippo-leader", object{"leader": "hippo-x"})}
			c.change(a)
			step := hippo(t, o, a, "")
			_, _, err := step.Check()
			require.NoError(t, err)
			require.Empty(t, append(a.deleted, a.patched...), "looking changes nothing")
			_, _, err = step.Apply()
			require.Error(t, err, "this operator makes no cluster")
			require.Equal(t, c.deleted, a.deleted)
			require.Equal(t, c.patched, a.patched)
			if c.patched != nil {
				require.NotContains(t, a.object("configmaps", "hippo-config")["metadata"].(object)["annotations"], "initialize")
			}
		})
	}
}

// The operator ignores a cluster whose Deployment is there already.
func TestADeploymentThatOutlivedItsClusterIsRefused(t *testing.T) {
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(absent)
	_, _, err := hippo(t, o, a, "").Check()
	requireAt(t, err, "name", "Deployment hippo of an earlier cluster hippo is still there")
}

func TestWithoutTheRightToLookTheAnswerOfTheApiserverDecides(t *testing.T) {
	o, a := afterwards(t)
	a.forbid = "GET pg"
	change, _, err := hippo(t, o, a, "").Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	a.forbid = "GET deployments"
	_, _, err = hippo(t, o, a, "").Check()
	require.ErrorContains(t, err, "list the Deployments of cluster hippo in pgouser1: ")
}

// All that would keep the operator from making a cluster of that name, or be
// taken for the new one's.
func TestRecordsOfAnEarlierClusterAreCleared(t *testing.T) {
	o, a := afterwards(t)
	labels := func(more ...string) object {
		l := object{"pg-cluster": "hippo", "vendor": "crunchydata"}
		for _, key := range more {
			l[key] = "true"
		}
		return l
	}
	a.kinds["pgtasks"] = []object{
		{"metadata": object{"name": "hippo-createcluster", "labels": labels()}},
		{"metadata": object{"name": "hippo-stanza-create", "labels": labels()}},
		{"metadata": object{"name": "other-createcluster", "labels": object{"pg-cluster": "other"}}},
	}
	a.kinds["pgreplicas"] = []object{{"metadata": object{"name": "hippo-abcd", "labels": labels()}}}
	a.kinds["jobs"] = []object{{"metadata": object{"name": "hippo-stanza-create", "labels": labels()}, "status": object{"succeeded": int64(1)}}}
	a.kinds["configmaps"] = []object{
		{"metadata": object{"name": "hippo-pgha-default-config", "labels": labels("pgha-default-config")}},
		{"metadata": object{"name": "mine", "labels": labels()}},
	}
	_, _, err := hippo(t, o, a, "").Apply()
	require.Error(t, err, "this operator makes no cluster")
	require.Equal(t, []string{"configmaps/hippo-pgha-default-config", "jobs/hippo-stanza-create",
		"pgtasks/hippo-createcluster", "pgtasks/hippo-stanza-create", "pgreplicas/hippo-abcd"}, a.deleted)
}

func TestBackupsOfAnotherDatabaseAreRefused(t *testing.T) {
	o, a := afterwards(t)
	a.kinds["persistentvolumeclaims"] = []object{a.object("persistentvolumeclaims", "hippo-pgbr-repo")}
	_, _, err := hippo(t, o, a, "").Check()
	requireAt(t, err, "name", "volume hippo-pgbr-repo keeps the backups of an earlier cluster hippo, whose data is gone")
}

func TestSidecarsNeedTheirImageOnANode(t *testing.T) {
	node := func(images ...any) object {
		return object{"metadata": object{"name": "node1"}, "status": object{"images": []any{object{"names": images}}}}
	}
	full := object{"metadata": object{"name": "node2"}, "status": object{"images": []any{}}}
	for range kubeletLists {
		images, _ := full["status"].(object)["images"].([]any)
		full["status"].(object)["images"] = append(images, object{"names": []any{"x:1"}})
	}
	for name, c := range map[string]struct {
		nodes []object
		arg   string // that is refused
	}{
		"no node has it":               {[]object{node("docker.io/crunchydata/antdb-ha:latest")}, "metrics"},
		"one has both":                 {[]object{node("docker.io/crunchydata/crunchy-collect:latest", "docker.io/crunchydata/crunchy-pgbadger:latest")}, ""},
		"one has the first":            {[]object{node("docker.io/crunchydata/crunchy-collect:latest")}, "badger"},
		"another tag":                  {[]object{node("docker.io/crunchydata/crunchy-collect:4.2.1")}, "metrics"},
		"a node that tells not of all": {[]object{node("y:1"), full}, ""},
		"on a node that takes no pods": {[]object{{"metadata": object{"name": "n"}, "spec": object{"unschedulable": true}, "status": node("docker.io/crunchydata/crunchy-collect:latest")["status"]}}, "metrics"},
	} {
		t.Run(name, func(t *testing.T) {
			o, a := newOperator(t, nil), &kubeAPI{groups: []string{groupV4}, kinds: map[string][]object{"nodes": c.nodes}}
			o.answers(absent)
			_, _, err := hippo(t, o, a, "metrics = true\nbadger = true").Check()
			if c.arg == "" {
				require.NoError(t, err)
				return
			}
			requireAt(t, err, c.arg, "no node has that image")
		})
	}
}

func TestAServersVersionTellsItsEngine(t *testing.T) {
	for text, want := range map[string]identity{
		"PostgreSQL 11.5 ADB 4.1devel 461fafc on x86_64-pc-linux-gnu, compiled by gcc (GCC) 4.8.5, 64-bit|77\n":        {engineAntDB, "77"},
		"PostgreSQL 11.10 ADB 5.0.1 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit|78\n":                              {engineAntDB, "78"},
		"PostgreSQL 11.6 on x86_64-pc-linux-gnu, compiled by gcc (GCC) 4.8.5 20150623 (Red Hat 4.8.5-39), 64-bit|79\n": {enginePostgreSQL, "79"},
		"PostgreSQL 15.20 (Debian 15.20-0+deb12u1) on x86_64-pc-linux-gnu, compiled by gcc (ADB 5), 64-bit|80":         {enginePostgreSQL, "80"},
	} {
		require.Equal(t, want, readIdentity(text), text)
	}
}
