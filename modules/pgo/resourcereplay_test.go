package pgo

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// happening is one recorded event: only what changed.
type happening struct {
	T           float64
	Event, Kind string
	Name        string
	Change      object
}

func timeline47(t *testing.T, file string) []happening {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "pgo-4.7.10", file))
	require.NoError(t, err)
	defer f.Close()
	var all []happening
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var h happening
		require.NoError(t, json.Unmarshal(lines.Bytes(), &h))
		all = append(all, h)
	}
	require.NoError(t, lines.Err())
	return all
}

// stage is an API server on which the recorded events happen again.
type stage struct {
	*store
	cluster string
}

var apiVersions = map[string]string{"Pod": "v1", "Deployment": "apps/v1", "Job": "batch/v1"}

func (s *stage) happen(h happening) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := apiVersions[h.Kind]
	if version == "" {
		version = "crunchydata.com/v1"
	}
	o := object{"apiVersion": version, "kind": h.Kind, "metadata": object{"name": h.Name, "namespace": "pguser47"}}
	if plurals[h.Kind] == "" {
		return
	}
	path := pathOf(o)
	if h.Event == "DELETED" {
		delete(s.objects, path)
		return
	}
	if s.objects[path] == nil {
		s.objects[path] = o
		s.label(o)
	}
	o = s.objects[path]
	switch h.Kind {
	case "Pod":
		s.pod(o, h.Change)
	case "Deployment":
		set(o, int64(1), "metadata", "generation")
		set(o, int64(1), "status", "observedGeneration")
		if ready, ok := h.Change["ready"].(float64); ok {
			set(o, int64(ready), "status", "availableReplicas")
		}
	case "Job":
		if n, ok := h.Change["succeeded"].(float64); ok {
			set(o, int64(n), "status", "succeeded")
		}
	default:
		s.custom(o, h.Change)
	}
}

// label gives objects the labels that the recorded ones of that kind have: the
// events tell them of custom resources only.
func (s *stage) label(o object) {
	name := nameOf(o)
	labels := object{"pg-cluster": s.cluster, "vendor": "crunchydata"}
	if o["kind"] == "Pgcluster" || o["kind"] == "Pgtask" || o["kind"] == "Pgreplica" {
		delete(labels, "vendor")
	}
	switch {
	case strings.Contains(name, "-backrest-shared-repo"):
		labels["pgo-backrest-repo"] = "true"
	case strings.Contains(name, "-stanza-create"), strings.HasPrefix(name, "backrest-backup-"), strings.Contains(name, "-rmdata"):
	case o["kind"] == "Pod":
		labels["pgo-pg-database"] = "true"
		labels["deployment-name"] = s.cluster
		if parts := strings.Split(strings.TrimPrefix(name, s.cluster+"-"), "-"); len(parts) == 3 {
			labels["deployment-name"] = s.cluster + "-" + parts[0]
		}
	case o["kind"] == "Deployment":
		labels["pgo-pg-database"] = "true"
	}
	o["metadata"].(object)["labels"] = labels
}

func (s *stage) pod(o, change object) {
	if ready, ok := change["ready"].(object); ok && len(ready) > 0 {
		set(o, "node1", "spec", "nodeName")
	}
	status, _ := o["status"].(object)
	if status == nil {
		status = object{"containerStatuses": []any{object{"name": "database", "imageID": "", "state": object{"waiting": object{}}}}}
		o["status"] = status
	}
	if phase, ok := change["phase"].(string); ok {
		status["phase"] = phase
		if phase == "Running" {
			status["containerStatuses"] = []any{object{"name": "database", "imageID": "docker://sha256:e3de", "state": object{"running": object{}}}}
		}
	}
	if role, ok := change["role"].(string); ok {
		o["metadata"].(object)["labels"].(object)["role"] = role
	}
	if word, ok := change["patroni"].(string); ok {
		role, state, _ := strings.Cut(word, "/")
		text, _ := json.Marshal(map[string]string{"role": role, "state": state})
		o["metadata"].(object)["annotations"] = object{"status": string(text)}
	}
	if ready, ok := change["Ready"].(string); ok {
		status["conditions"] = []any{object{"type": "Ready", "status": ready}}
	}
}

func (s *stage) custom(o, change object) {
	for _, key := range []string{"labels", "annotations"} {
		if values, ok := change[key].(object); ok {
			o["metadata"].(object)[key] = values
		}
	}
	if status, ok := change["status"].(object); ok {
		o["status"] = status
	}
	if word, ok := change["spec.status"].(string); ok {
		set(o, word, "spec", "status")
	}
}

// phases plays a timeline and gives the phases that a wait for the cluster would
// have shown, with the moment at which each began.
func (s *stage) phases(t *testing.T, d driver, p *place, replicas int, events []happening) (names []string, at map[string]float64) {
	t.Helper()
	at = map[string]float64{}
	for _, h := range events {
		s.happen(h)
		v, err := p.look(t.Context(), false)
		require.NoError(t, err)
		if v.record != nil {
			require.NoError(t, v.record.problem, "at %v", h.T)
		}
		phase := v.phase(true, replicas)
		if len(names) == 0 || names[len(names)-1] != phase {
			names = append(names, phase)
			at[phase] = h.T
		}
	}
	return names, at
}

func TestRecordedStartsAreSeenPhaseByPhase(t *testing.T) {
	for file, cluster := range map[string]string{"timeline-hippo47.jsonl": "hippo47", "timeline-crd-only.jsonl": "crd47"} {
		t.Run(cluster, func(t *testing.T) {
			s := &stage{store: site47(), cluster: cluster}
			p := s.place(t, cluster)
			d := newResourceV4(p)
			p.driver, p.names = d, d.naming()
			var start, rest []happening
			for _, h := range timeline47(t, file) {
				if h.Kind == "Pgreplica" || len(rest) > 0 || h.Event == "DELETED" && h.Kind == "Pgcluster" {
					rest = append(rest, h)
				} else {
					start = append(start, h)
				}
			}
			names, at := s.phases(t, d, p, 0, start)
			if names[0] == phaseResource { // the task of the workflow comes first
				names = names[1:]
			}
			names = slices.DeleteFunc(names, func(name string) bool { return name == phasePull }) // too short to be in one of them
			require.Equal(t, []string{phaseDeployment, phaseSchedule, phaseBootstrap, phaseReady, phaseStanza, phaseBackup, ""}, names)
			require.Greater(t, at[""], 190.0, "the first backup waited for a checkpoint")
			require.Less(t, at[phaseStanza], 31.0, "and the database served long before: Processed and completed came in the first second")
			if cluster == "hippo47" {
				names, _ = s.phases(t, d, p, 1, rest[:len(rest)-replicaless(rest)])
				require.Equal(t, []string{phaseReplicas, ""}, names[:2])
			}
		})
	}
}

// replicaless counts the events from the cluster's own removal on.
func replicaless(events []happening) int {
	for i, h := range events {
		if strings.HasSuffix(h.Name, "-rmdata") {
			return len(events) - i
		}
	}
	return 0
}
