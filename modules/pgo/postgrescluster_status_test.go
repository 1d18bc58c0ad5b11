package pgo

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// postgresPlace is the home of a recorded cluster behind the fake API server.
func postgresPlace(t *testing.T, a *postgresAPI, namespace, name string) (*place, *postgresDriver) {
	t.Helper()
	p := &place{kube: a.cluster(t, namespace), namespace: namespace, name: name, pace: time.Millisecond}
	d := newPostgresCluster(p).(*postgresDriver)
	p.driver, p.names = d, d.naming()
	return p, d
}

// said is what the wait says from some second on.
type said struct {
	at    float64
	phase string
}

// replay looks at every moment of a timeline as the wait does, and tells when
// what it says changes.
func replay(t *testing.T, file, cluster string, spec func(moment) object, replicas func(moment) int) []said {
	t.Helper()
	a := newPostgresAPI()
	p, _ := postgresPlace(t, a, "pguser6", cluster)
	var all []said
	var generation moment
	for _, m := range timeline(t, file) {
		if m.Kind == "PostgresCluster" && m.Change["generation"] != nil {
			generation = m
		}
		a.play(m, spec(generation))
		if m.Kind == "Pod" && strings.Contains(m.Name, "-db-") && a.find("statefulsets", strings.TrimSuffix(m.Name, "-0")) == nil {
			// one timeline was recorded without its StatefulSet
			a.play(moment{Event: "ADDED", Kind: "StatefulSet", Name: strings.TrimSuffix(m.Name, "-0"), Change: object{"spec.replicas": 1, "ready": 1}}, spec(generation))
		}
		v, err := p.look(t.Context(), true)
		require.NoError(t, err)
		phase := v.phase(true, replicas(generation))
		if v.leaving() {
			phase = phaseRemoval
		}
		if phase == "" {
			phase = "done"
		}
		if len(all) == 0 || all[len(all)-1].phase != phase {
			all = append(all, said{m.T, phase})
		}
	}
	return all
}

func generationOf(m moment) float64 {
	g, _ := m.Change["generation"].(float64)
	return g
}

// The recording: a cluster comes up, waits minutes for its first backup, gets a
// replica, and is deleted.
func TestPostgresClusterIsDoneWhenTheRecordingSaysSoAndNotBefore(t *testing.T) {
	one, two := postgresYAML(t, "pgo-6.0.3/postgrescluster-final.yaml"), postgresYAML(t, "pgo-6.0.3/postgrescluster-tworeplicas.yaml")
	got := replay(t, "pgo-6.0.3/timeline-hippo6.jsonl", "hippo6", func(m moment) object {
		if generationOf(m) > 1 {
			return two
		}
		return one
	}, func(m moment) int { return min(1, int(generationOf(m))-1) })
	require.Equal(t, []said{
		{0, phaseDeployment},
		{0.7, phasePull}, // the operator takes it up; its pod has a node by then
		{4.7, phaseBootstrap},
		{6.7, phaseReady},
		{11.4, phaseBackup}, // not at 6.9, when the StatefulSet is ready: no user can log in yet
		{178.6, phaseInitialized},
		{179.4, "done"},
		{479.8, phaseDeployment}, // the counts are still those of the old spec
		{483.6, phaseReplicas},
		{497.1, "done"}, // not at 495.8, when the pod is ready
		{1746.6, phaseRemoval},
		{1752.0, phaseResource},
	}, got)
}

// The operator of this recording died before the backup was done: the Job is
// complete, and the condition stays False for ever.
func TestPostgresClusterOfADeadOperatorIsNotDone(t *testing.T) {
	spec := postgresYAML(t, "pgo-5.8.9/postgrescluster-final.yaml")
	got := replay(t, "pgo-5.8.9/timeline-hippo58.jsonl", "hippo58", func(moment) object { return spec }, func(moment) int { return 0 })
	require.Equal(t, []said{
		{0, phaseDeployment}, {1.1, phasePull}, {6.7, phaseBootstrap}, {9.7, phaseReady}, {13.6, phaseBackup},
		{182.1, phaseInitialized}, {522, phaseRemoval}, {1225.5, phaseResource},
	}, got)
}

func TestPostgresClusterWithoutAFirstBackupIsNotDone(t *testing.T) {
	spec := postgresYAML(t, "pgo-6.0.3/postgrescluster-backupfailed.yaml")
	got := replay(t, "pgo-6.0.3/timeline-backup-job-failing.jsonl", "hippo6", func(moment) object { return spec }, func(moment) int { return 0 })
	phases := ""
	for _, s := range got {
		phases += fmt.Sprint(s.phase, " ")
	}
	require.NotContains(t, phases, "done")
	require.True(t, strings.HasSuffix(phases, phaseBackup+" "+phaseRemoval+" "+phaseResource+" "), phases)
}

// Seen live: the first status about a new spec has the counts from before the
// operator changed anything, and calls all members up to date.
func TestPostgresClusterThatIsCountedBeforeItIsChangedIsNotDone(t *testing.T) {
	a := newPostgresAPI()
	cr := postgresYAML(t, "pgo-6.0.3/postgrescluster-final.yaml")
	a.kinds["postgresclusters"] = []object{cr}
	labels := object{postgresLabel: "hippo6", postgresData: "postgres", postgresInstance: "hippo6-db-6246", postgresInstanceSet: "db"}
	running := func(image, cpu string) object {
		return object{"nodeName": "node1", "containers": []any{object{"name": "database", "image": image, "resources": object{"requests": object{"cpu": cpu}}}}}
	}
	of := func(image, cpu string) {
		a.kinds["statefulsets"] = []object{{"metadata": object{"name": "hippo6-db-6246", "labels": labels},
			"spec": object{"replicas": 1, "template": object{"spec": running(image, cpu)}}, "status": object{"readyReplicas": 1}}}
	}
	pod := func(image, cpu string) {
		led := object{postgresRole: "master"}
		for k, v := range labels {
			led[k] = v
		}
		a.kinds["pods"] = []object{{"metadata": object{"name": "hippo6-db-6246-0", "labels": led, "annotations": object{"status": `{"state":"running","role":"master"}`}},
			"spec": running(image, cpu), "status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": "True"}},
				"containerStatuses": []any{object{"name": "database", "imageID": "sha256:1", "state": object{"running": object{}}}}}}}
	}
	p, _ := postgresPlace(t, a, "pguser6", "hippo6")
	phase := func() string {
		v, err := p.look(t.Context(), true)
		require.NoError(t, err)
		return v.phase(true, 0)
	}
	const lab2, lab3 = "lab/crunchy-postgres:15.20-lab2", "lab/crunchy-postgres:15.20-lab3"
	of(lab2, "500m")
	pod(lab2, "500m")
	require.Empty(t, phase())

	set(cr, lab3, "spec", "image")
	require.Equal(t, phaseDeployment, phase())
	of(lab3, "500m")
	require.Equal(t, phaseReady, phase(), "the pod is still of the old image")
	pod(lab3, "500m")
	require.Empty(t, phase())

	sets := cr["spec"].(object)["instances"].([]any)
	sets[0].(object)["resources"] = object{"requests": object{"cpu": "1"}}
	require.Equal(t, phaseDeployment, phase())
	of(lab3, "1000m")
	pod(lab3, "1")
	require.Empty(t, phase())
}
