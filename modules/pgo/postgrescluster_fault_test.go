package pgo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// failing brings up one of the recorded starts that failed.
func failing(t *testing.T, file, pod string) (*postgresAPI, *place, *Cluster) {
	t.Helper()
	a := newPostgresAPI()
	cr := postgresYAML(t, "pgo-6.0.3/"+file)
	a.kinds["postgresclusters"] = []object{cr}
	text, err := os.ReadFile(filepath.Join("testdata/pgo-6.0.3/pods-failing.json"))
	require.NoError(t, err)
	var pods []object
	require.NoError(t, json.Unmarshal(text, &pods))
	for _, p := range pods {
		if p["name"] != pod {
			continue
		}
		a.kinds["pods"] = append(a.kinds["pods"], object{
			"metadata": object{"name": pod, "namespace": "pguser6", "uid": "1", "labels": p["labels"]},
			"spec":     object{"nodeName": "node1"},
			"status":   object{"phase": p["phase"], "conditions": p["conditions"], "initContainerStatuses": p["initContainerStatuses"]},
		})
	}
	name := nameOf(cr)
	p, d := postgresPlace(t, a, "pguser6", name)
	return a, p, &Cluster{Name: name, Image: "x", at: p, Deadlines: map[string]string{"pull": "1s", "start": "1s"}, pace: d.pace}
}

func hopelessNow(t *testing.T, p *place, c *Cluster) error {
	t.Helper()
	v, err := p.look(t.Context(), true)
	require.NoError(t, err)
	return c.hopeless(t.Context(), p, v, v.phase(true, 0))
}

func TestPostgresClusterWithoutImageIsHopeless(t *testing.T) {
	_, p, c := failing(t, "postgrescluster-imagepull.yaml", "hippo6pull-db-4rzx-0")
	err := hopelessNow(t, p, c)
	requireAt(t, err, "image", "pod hippo6pull-db-4rzx-0, container postgres-startup: ErrImagePull")
	require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), "container postgres-startup waits: ErrImagePull")
}

func TestPostgresClusterWithAnImageOfAnotherMajorIsHopelessAtItsFirstStart(t *testing.T) {
	a, p, c := failing(t, "postgrescluster-wrongmajor.yaml", "hippo6ver-db-7sbq-0")
	log, err := os.ReadFile("testdata/pgo-6.0.3/postgres-startup-wrongmajor.log")
	require.NoError(t, err)
	a.logs["hippo6ver-db-7sbq-0/postgres-startup"] = string(log)
	status := a.kinds["pods"][0]["status"].(object)["initContainerStatuses"].([]any)[0].(object)
	status["restartCount"] = 1

	err = hopelessNow(t, p, c)
	requireAt(t, err, "postgres_version", "the image holds postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1), and the cluster is made for PostgreSQL 16")
	require.Contains(t, evidenceOf(t, err), "postgres-startup | Expected PostgreSQL version 16")

	delete(a.logs, "hippo6ver-db-7sbq-0/postgres-startup")
	status["restartCount"] = 5
	require.ErrorContains(t, hopelessNow(t, p, c), "container postgres-startup: CrashLoopBackOff", "what the log does not tell, the pod does")
}

func TestPostgresClusterWhoseBackupCannotStartIsHopeless(t *testing.T) {
	a := newPostgresAPI()
	spec := postgresYAML(t, "pgo-6.0.3/postgrescluster-backupfailed.yaml")
	for _, m := range timeline(t, "pgo-6.0.3/timeline-backup-job-failing.jsonl") {
		if m.T > 14.9 {
			break
		}
		a.play(m, spec)
	}
	p, _ := postgresPlace(t, a, "pguser6", "hippo6")
	c := &Cluster{Name: "hippo6", Image: "x", at: p}
	require.NoError(t, hopelessNow(t, p, c), "one failure may pass")

	pod := a.find("pods", "hippo6-backup-c895-6khtr")
	set(pod, []any{object{"name": "pgbackrest", "state": object{"terminated": object{"exitCode": int64(127), "reason": "ContainerCannotRun",
		"message": "exec: \"/opt/crunchy/bin/pgbackrest\": no such file or directory"}}}}, "status", "containerStatuses")
	err := hopelessNow(t, p, c)
	requireAt(t, err, "backup_image", "the first backup cannot start (Job hippo6-backup-c895)")
	require.ErrorContains(t, err, "/opt/crunchy/bin/pgbackrest")
	require.Contains(t, evidenceOf(t, err), "the database itself serves; replicas come only after this backup")

	set(pod, []any{}, "status", "containerStatuses")
	set(a.find("jobs", "hippo6-backup-c895"), int64(3), "status", "failed")
	require.ErrorContains(t, hopelessNow(t, p, c), "the first backup has failed 3 times (Job hippo6-backup-c895)")
}

func TestPostgresClusterThatMustNotRunIsNotWaitedFor(t *testing.T) {
	a := newPostgresAPI()
	cr := postgresYAML(t, "pgo-6.0.3/postgrescluster-final.yaml")
	a.kinds["postgresclusters"] = []object{cr}
	p, _ := postgresPlace(t, a, "pguser6", "hippo6")
	c := &Cluster{Name: "hippo6", Image: "x", at: p}
	set(cr, true, "spec", "paused")
	require.NoError(t, hopelessNow(t, p, c), "what the operator has done stays done")
	set(cr, int64(7), "metadata", "generation")
	require.ErrorContains(t, hopelessNow(t, p, c), "told to leave cluster hippo6 alone")
	set(cr, true, "spec", "shutdown")
	require.ErrorContains(t, hopelessNow(t, p, c), "cluster hippo6 is shut down")
}

func TestPostgresClusterThatNobodyTakesAwayIsExplained(t *testing.T) {
	a := newPostgresAPI()
	cr := postgresYAML(t, "pgo-5.8.9/postgrescluster-final.yaml")
	set(cr, "2026-11-22T22:57:46Z", "metadata", "deletionTimestamp")
	a.kinds["postgresclusters"] = []object{cr}
	a.kinds["statefulsets"] = []object{{"metadata": object{"name": "hippo58-db-f84q", "labels": object{postgresLabel: "hippo58", postgresData: "postgres"}}, "spec": object{"replicas": 1}}}
	_, d := postgresPlace(t, a, "pguser58", "hippo58")
	d.stalled = 20 * time.Millisecond
	err := d.remove(t.Context(), moduletest.Env(t, nil), true, true)
	require.ErrorContains(t, err, "cluster hippo58 is not taken away: the operator has done nothing about it for 20ms")
	require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), "still has the finalizer postgres-operator.crunchydata.com/finalizer")
	require.Empty(t, a.sent, "it is on its way out already")
}
