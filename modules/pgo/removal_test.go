package pgo

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// removing is the recorded cluster with a Job that takes it away.
func removing(a *kubeAPI, status object) {
	a.kinds["jobs"] = append(a.kinds["jobs"], object{"metadata": object{"name": "hippo-rmdata-abcd",
		"labels": object{"vendor": "crunchydata", "pgrmdata": "true"}}, "status": status})
}

// began gives it the settings that Patroni writes when it makes a cluster.
func began(a *kubeAPI) {
	a.kinds["configmaps"] = []object{{"metadata": object{"name": "hippo-config", "labels": object{"crunchy-pgha-scope": "hippo"},
		"annotations": object{"config": "{}", "initialize": "7711121326432919651"}}}}
}

func recordedRemoval(t *testing.T) []exchange {
	t.Helper()
	for _, e := range recorded(t, "rest-traffic.txt") {
		if e.request == "POST /clustersdelete" && strings.Contains(e.body, "hippo") {
			return []exchange{e}
		}
	}
	t.Fatal("no removal was recorded")
	return nil
}

// The answer comes at once, the record goes soon, and the volumes last.
func TestDestroyWaitsUntilAllIsGone(t *testing.T) {
	_, ready, _ := shown(t)
	o, a := newOperator(t, recordedRemoval(t)), hippoObjects(t)
	o.answers(ready, ready, absent)
	a.onLook = func(a *kubeAPI) {
		switch a.looks {
		case 3:
			a.kinds = map[string][]object{"persistentvolumeclaims": a.kinds["persistentvolumeclaims"]}
		case 5:
			a.kinds = map[string][]object{}
		}
	}
	require.NoError(t, hippo(t, o, a, "keep_data = false\nkeep_backups = false").Destroy())
	require.Equal(t, 5, a.looks, "as long as there are volumes")
	require.Empty(t, o.unknown)
}

func TestDestroyLeavesWhatIsKept(t *testing.T) {
	for args, body := range map[string]string{
		"":                     `"DeleteBackups":false,"DeleteData":false`,
		"keep_data = false":    `"DeleteBackups":false,"DeleteData":true`,
		"keep_backups = false": `"DeleteBackups":true,"DeleteData":false`,
	} {
		e := recordedRemoval(t)[0]
		e.body = strings.Replace(e.body, `"DeleteBackups":true,"DeleteData":true`, body, 1)
		o, a := newOperator(t, []exchange{e}), hippoObjects(t)
		o.answers(initialized(t), absent)
		a.onLook = func(a *kubeAPI) {
			if a.looks > 1 {
				kept := a.kinds["persistentvolumeclaims"]
				a.kinds = map[string][]object{"persistentvolumeclaims": kept}
				if strings.Contains(body, `"DeleteData":true`) {
					a.drop("persistentvolumeclaims", "hippo-rcan")
					a.kinds["persistentvolumeclaims"] = []object{a.object("persistentvolumeclaims", "hippo-pgbr-repo")}
				} else if strings.Contains(body, `"DeleteBackups":true`) {
					a.drop("persistentvolumeclaims", "hippo-pgbr-repo")
				}
			}
		}
		require.NoError(t, hippo(t, o, a, args).Destroy(), args)
		require.Empty(t, o.unknown)
	}
}

func TestRemovalThatFailsShowsWhatIsLeft(t *testing.T) {
	_, ready, _ := shown(t)
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(ready)
	began(a)
	removing(a, object{"failed": int64(1)})
	err := hippo(t, o, a, "").Destroy()
	require.ErrorContains(t, err, "the operator's removal of cluster hippo failed")
	require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), "left: Pgcluster hippo, Job hippo-rmdata-abcd, Deployment hippo")
	require.Empty(t, a.deleted)
}

// A removal whose own image is missing would wait for ever.
func TestRemovalThatCannotStartIsTold(t *testing.T) {
	_, ready, _ := shown(t)
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(ready)
	began(a)
	removing(a, object{"active": int64(1)})
	a.kinds["pods"] = append(a.kinds["pods"], object{
		"metadata": object{"name": "hippo-rmdata-abcd-x1x1x", "labels": object{"pg-cluster": "hippo", "job-name": "hippo-rmdata-abcd"}},
		"status": object{"phase": "Pending", "containerStatuses": []any{object{"name": "rmdata", "image": "crunchydata/pgo-rmdata:centos7-4.2.1",
			"state": object{"waiting": object{"reason": "ImagePullBackOff"}}}}}})
	err := hippo(t, o, a, "").Destroy()
	require.ErrorContains(t, err, "the operator's removal of cluster hippo cannot run: pod hippo-rmdata-abcd-x1x1x, container rmdata: ImagePullBackOff")
}

// The operator's removal panics on a cluster that Patroni never made, and its
// record would stay for ever.
func TestRemovalOfWhatNeverBeganIsFinishedByHand(t *testing.T) {
	_, ready, _ := shown(t)
	for args, kept := range map[string][]string{
		"": {"hippo", "hippo-pgbr-repo", "hippo-rcan"},
		"keep_data = false\nkeep_backups = false": nil,
	} {
		o, a := newOperator(t, nil), hippoObjects(t)
		o.answers(ready, ready, absent)
		a.kinds["pgclusters"] = []object{{"metadata": object{"name": "hippo"}}}
		a.kinds["pgtasks"] = []object{{"metadata": object{"name": "hippo-createcluster", "labels": object{"pg-cluster": "hippo"}}}}
		a.kinds["configmaps"] = []object{{"metadata": object{"name": "hippo-config", "labels": object{"crunchy-pgha-scope": "hippo"}}}}
		removing(a, object{"failed": int64(1)})
		require.NoError(t, hippo(t, o, a, args).Destroy())
		for _, gone := range []string{"deployments/hippo", "pgclusters/hippo", "services/hippo", "pgtasks/hippo-createcluster", "configmaps/hippo-config", "jobs/hippo-rmdata-abcd"} {
			require.Contains(t, a.deleted, gone)
		}
		var left []string
		for _, claim := range a.kinds["persistentvolumeclaims"] {
			left = append(left, nameOf(claim))
		}
		require.Equal(t, kept, left)
	}
}

// A Job that takes away one replica has a name like one that takes away all.
func TestAReplicaOnItsWayOutIsNotTheCluster(t *testing.T) {
	o, a := newOperator(t, nil), hippoObjects(t)
	o.answers(initialized(t))
	a.drop("pods", "hippo-rcan")
	removing(a, object{"active": int64(1)})
	set(a.object("jobs", "hippo-rmdata-abcd"), []any{object{"name": "rmdata", "env": []any{
		object{"name": "REPLICA_NAME", "value": "hippo-rcan"}, object{"name": "IS_REPLICA", "value": "true"}}}}, "spec", "template", "spec", "containers")
	change, _, err := hippo(t, o, a, "").Check()
	require.NoError(t, err)
	require.False(t, change.Wanted(), change.Summary)
}

// What the plan refuses is there all the same, and may go.
func TestWhatIsRefusedCanStillBeDestroyed(t *testing.T) {
	for _, args := range []string{`parameters = { work_mem = "8MB" }`, `user = "somebody"`} {
		o, a := newOperator(t, nil), hippoObjects(t)
		for _, e := range recordedRemoval(t) {
			e.body = strings.Replace(e.body, `"DeleteBackups":true,"DeleteData":true`, `"DeleteBackups":false,"DeleteData":false`, 1)
			o.script = append(o.script, e)
		}
		o.answers(initialized(t), absent)
		a.onLook = func(a *kubeAPI) {
			if a.looks > 1 {
				a.kinds = map[string][]object{}
			}
		}
		require.NoError(t, hippo(t, o, a, args).Destroy())
		require.Empty(t, o.unknown)
	}
}

func TestDataAndBackupsAreLossesOfTheirOwn(t *testing.T) {
	for args, want := range map[string][]string{
		"":                     nil,
		"keep_data = false":    {"the data of cluster hippo"},
		"keep_backups = false": {"the backups of cluster hippo"},
		"keep_data = false\nkeep_backups = false": {"the data of cluster hippo", "the backups of cluster hippo"},
	} {
		o, a := newOperator(t, nil), hippoObjects(t)
		o.answers(initialized(t))
		step := hippo(t, o, a, args)
		c := step.Module().(*Cluster)
		require.Empty(t, c.Losses(), "before it was looked at")
		_, err := c.Check(t.Context(), step.Env())
		require.NoError(t, err)
		require.Equal(t, want, c.Losses())
	}
}
