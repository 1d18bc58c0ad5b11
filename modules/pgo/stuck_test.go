package pgo

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A cluster that stays in one phase ends the wait by that phase's own deadline,
// with what was seen last.
func TestEachPhaseHasItsDeadline(t *testing.T) {
	early, ready, _ := shown(t)
	for phase, c := range map[string]struct {
		show     string
		change   func(*kubeAPI)
		evidence string
	}{
		phaseResource:   {absent, func(a *kubeAPI) { a.kinds = map[string][]object{} }, ""},
		phaseDeployment: {early, func(a *kubeAPI) { a.kinds = map[string][]object{} }, `Pgcluster hippo: state "pgcluster Processed"`},
		phaseSchedule:   {ready, func(a *kubeAPI) { young(a); pod(a)["spec"] = object{} }, "pod hippo-54bf68fbd4-qzkbd is "},
		phasePull:       {ready, young, "pod hippo-54bf68fbd4-qzkbd is "},
		phaseBootstrap:  {ready, func(a *kubeAPI) { young(a); run(a) }, "pod hippo-54bf68fbd4-qzkbd is "},
		phaseReady: {ready, func(a *kubeAPI) {
			set(pod(a), []any{object{"type": "Ready", "status": "False"}}, "status", "conditions")
		}, "pod hippo-54bf68fbd4-qzkbd is "},
		phaseStanza:      {ready, func(a *kubeAPI) { a.drop("jobs", "hippo-stanza-create") }, "state \"pgcluster Processed\""},
		phaseBackup:      {ready, func(a *kubeAPI) { a.drop("jobs", "backrest-backup") }, "state \"pgcluster Processed\""},
		phaseInitialized: {ready, func(*kubeAPI) {}, "state \"pgcluster Processed\""},
	} {
		t.Run(phase, func(t *testing.T) {
			o, a := newOperator(t, nil), hippoObjects(t)
			for _, e := range recorded(t, "rest-traffic.txt") {
				if e.request == "POST /clusters" && strings.Contains(e.answer, "created Pgcluster") {
					o.script = append(o.script, e)
				}
			}
			o.answers(c.show)
			a.drop("pods", "hippo-rcan")
			c.change(a)
			step := hippo(t, o, a, "deadlines = { "+phase+" = \"20ms\" }")
			var last string
			step.Env().Phase = func(name string) { last = name }
			_, _, err := step.Apply()
			requireAt(t, err, "deadlines", "cluster hippo is not there after 20ms")
			require.Equal(t, phase, last)
			require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), c.evidence)
		})
	}
}

// A phase that is left and comes again has no new deadline: a pod that starts
// again and again would be waited for without end.
func TestAPhaseThatComesAgainKeepsItsDeadline(t *testing.T) {
	early, _, _ := shown(t)
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(early)
	young(a)
	a.onLook = func(a *kubeAPI) {
		if run(a); a.looks%2 == 0 {
			set(pod(a), []any{}, "status", "containerStatuses")
		}
	}
	_, _, err := hippo(t, o, a, `deadlines = { pull = "60ms", bootstrap = "60ms" }`).Apply()
	requireAt(t, err, "deadlines", "cluster hippo is not there after 60ms")
}

// Two pods that call themselves primary: a dead one's label is stale, and the
// lease decides; two that both serve are a split, and no primary at all.
func TestTwoPrimaries(t *testing.T) {
	const old, young = "hippo-54bf68fbd4-qzkbd", "hippo-rcan-5f5b7f4b97-vtvxp"
	_, _, replica := shown(t)
	for name, c := range map[string]struct {
		elected string
		oldDead bool
		want    string // the primary; "" when there is none
	}{
		"the old one is dead":                    {young, true, young},
		"the old one is dead, and has the lease": {old, true, ""},
		"both serve":                             {young, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			o, a := newOperator(t, nil), hippoObjects(t)
			o.answers(replica)
			lead(a, young, old)
			set(a.object("pods", old), "master", "metadata", "labels", "role")
			if c.oldDead {
				set(a.object("pods", old), []any{object{"type": "Ready", "status": "False"}}, "status", "conditions")
			}
			a.kinds["configmaps"] = []object{{"metadata": object{"name": "hippo-leader", "annotations": object{"leader": c.elected}}}}
			step := hippo(t, o, a, "replicas = 1")
			m := step.Module().(*Cluster)
			change, err := m.Check(t.Context(), step.Env())
			require.NoError(t, err)
			require.True(t, change.Wanted(), "one member is missing in any case")
			if primary := m.seen.primary(); c.want != "" {
				require.Equal(t, c.want, primary.Name)
				require.Contains(t, change.Summary, "0 of 1 replicas follow")
			} else {
				require.Nil(t, primary)
				require.Contains(t, change.Summary, "two pods call themselves primary ("+old+", "+young+`), and Patroni's leader is "`+c.elected+`"`)
			}
		})
	}
}

// The operator never repeats a Job. The next run asks for it anew, on the
// repository's pod of today.
func TestAFailedJobIsAskedForAgainByTheNextRun(t *testing.T) {
	_, ready, _ := shown(t)
	for _, job := range []string{"hippo-stanza-create", "backrest-backup-hippo"} {
		o, a := newOperator(t, nil), hippoObjects(t)
		o.answers(ready, ready, initialized(t))
		a.drop("pods", "hippo-rcan")
		set(a.object("jobs", job), object{"failed": int64(1)}, "status")
		a.kinds["pgtasks"] = []object{{"apiVersion": "crunchydata.com/v1", "kind": "Pgtask",
			"metadata": object{"name": job, "labels": object{"pg-cluster": "hippo"}, "uid": "x", "resourceVersion": "7"},
			"spec":     object{"name": job, "tasktype": "backrest", "status": "job completed", "parameters": object{"job-name": job, "podname": "of-yesterday"}},
			"status":   object{"state": "pgtask Processed"}}}
		a.onPatch = func(a *kubeAPI, kind, name string) {
			require.Equal(t, "pgtasks/"+job, kind+"/"+name)
			a.kinds["jobs"] = append(a.kinds["jobs"], object{"metadata": object{"name": job, "labels": object{"vendor": "crunchydata"}}, "status": object{"succeeded": int64(1)}})
		}
		_, _, err := hippo(t, o, a, "").Apply()
		require.NoError(t, err)
		require.Equal(t, []string{"jobs/" + job, "pgtasks/" + job}, a.deleted)
		task := a.object("pgtasks", job)
		require.Equal(t, object{"state": "pgtask Created", "message": ""}, task["status"])
		require.Equal(t, object{"job-name": job, "podname": "hippo-backrest-shared-repo-65b4dd855f-gnwrq"}, task["spec"].(object)["parameters"])
		require.NotContains(t, task["metadata"], "resourceVersion")
	}
}

// A server that never starts, in a container that runs.
func TestADatabaseThatNeverStartsIsHopeless(t *testing.T) {
	early, _, _ := shown(t)
	for line, want := range map[string][2]string{
		`FATAL:  database files are incompatible with server`:                                                     {"image", "database files are incompatible with server"},
		`FATAL:  incompatible library "/usr/pgsql-11/lib/pgaudit.so": version mismatch`:                           {"image", "incompatible library"},
		`FATAL:  could not access file "pgaudit.so": No such file or directory`:                                   {"image", "could not access file"},
		`FATAL:  data directory "/pgdata/hippo" has wrong ownership`:                                              {"", "has wrong ownership"},
		`PANIC:  could not write to file "pg_wal/xlogtemp.12": No space left on device`:                           {"", "No space left on device"},
		`2026-11-22 22:10:00,1 CRITICAL: system ID mismatch, node hippo belongs to a different cluster: 77 != 78`: {"name", "system ID mismatch"},
		`ERROR:  could not access file "mine.so": No such file or directory`:                                      {"deadlines", "cluster hippo is not there after 200ms"},
	} {
		o, a := newOperator(t, nil), hippoObjects(t)
		o.answers(early)
		young(a)
		run(a)
		set(pod(a), []any{object{"name": "database", "imageID": "x", "state": object{"running": object{"startedAt": "2026-11-22T22:00:00Z"}}}}, "status", "containerStatuses")
		a.logs = "LOG:  starting\n" + line + "\nDETAIL:  more\n"
		_, _, err := hippo(t, o, a, `deadlines = { bootstrap = "200ms" }`).Apply()
		require.ErrorContains(t, err, want[1])
		if want[0] != "" {
			requireAt(t, err, want[0], want[1])
		}
		if want[0] != "deadlines" {
			require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), line)
			require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), "DETAIL:  more")
		}
	}
}
