package k8s

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

const (
	maxLogs  = 200
	logTime  = 30 * time.Second
	deafTime = 4 * time.Second // where the node does not answer its own cluster
	// pastLast is how old the end of a run may be for its log to say something
	// about a container that is well now.
	pastLast = 24 * time.Hour
)

// logWish is a log to be read.
type logWish struct {
	pod       *corev1.Pod
	container container
	previous  bool
	kind      string
	ill       bool
}

// logs reads the logs that may tell something, those of what is not well first.
func (g *gatherer) logs(crew *crew, s *survey) {
	var wishes []logWish
	for i := range s.pods {
		wishes = append(wishes, g.wishes(s, &s.pods[i])...)
	}
	slices.SortStableFunc(wishes, func(a, b logWish) int { return rank(b.ill) - rank(a.ill) })
	if len(wishes) > maxLogs {
		g.rec.Gap("logs", evidence.Place{}, fmt.Errorf("%d of %d are left out", len(wishes)-maxLogs, len(wishes)))
		wishes = wishes[:maxLogs]
	}
	deaf := map[string]bool{}
	for i := range s.nodes {
		for _, c := range s.nodes[i].Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionUnknown {
				deaf[s.nodes[i].Name] = true
			}
		}
	}
	for _, w := range wishes {
		place := placeOf(w.pod)
		place.Container = w.container.spec.Name
		within := logTime
		if deaf[w.pod.Spec.NodeName] {
			within = deafTime
		}
		crew.last("the log", place, within, func(ctx context.Context) error { return g.log(ctx, w, place) })
	}
}

// wishes are the logs of a pod that may tell something.
func (g *gatherer) wishes(s *survey, pod *corev1.Pod) []logWish {
	role, kind := s.roleOf(pod), evidence.ContainerLog
	switch role {
	case operatorRole:
		kind = evidence.OperatorLog
	case jobRole:
		kind = evidence.JobLog
	}
	concerns := role == databaseRole || role == repositoryRole || role == operatorRole || role == jobRole && pod.Status.Phase != corev1.PodSucceeded
	var wishes []logWish
	for _, c := range containersOf(pod) {
		ill := c.ill() && pod.Status.Phase != corev1.PodSucceeded
		if !concerns && !ill {
			continue
		}
		state, last := c.status.State, c.status.LastTerminationState.Terminated
		if c.init && state.Terminated != nil && !ill {
			continue // it has done its work
		}
		if state.Running != nil || state.Terminated != nil {
			wishes = append(wishes, logWish{pod, c, false, kind, ill})
		}
		if last != nil && (ill || g.now().Sub(last.FinishedAt.Time) < pastLast) {
			wishes = append(wishes, logWish{pod, c, true, kind, ill})
		}
	}
	return wishes
}

// log reads the end of a log. The server can count lines from the end, bytes
// only from the beginning, so the bytes are counted here.
func (g *gatherer) log(ctx context.Context, w logWish, place evidence.Place) error {
	lines, size := int64(g.LogLines), int64(g.LogBytes)
	options := &corev1.PodLogOptions{Container: w.container.spec.Name, Previous: w.previous, Timestamps: true}
	if lines > 0 {
		options.TailLines = &lines
	}
	if g.Since > 0 {
		options.SinceSeconds = new(int64)
		*options.SinceSeconds = max(1, int64(g.Since/time.Second))
	}
	stream, err := g.Clientset().CoreV1().Pods(w.pod.Namespace).GetLogs(w.pod.Name, options).Stream(ctx)
	if err != nil {
		return err
	}
	defer stream.Close()
	var text io.Reader = stream
	if size > 0 {
		kept, failed := evidence.Tail(stream, size)
		if len(kept) == 0 {
			return failed // nil for a log that is empty
		}
		text = io.MultiReader(bytes.NewReader(kept), broken{failed})
	}
	name := "container " + w.container.spec.Name
	if w.previous {
		name += ", the run before"
	}
	return g.rec.Log(evidence.Log{Kind: w.kind, Name: name, Place: place, Previous: w.previous}, text)
}

// broken ends a text as the stream ended that it came from.
type broken struct{ err error }

func (b broken) Read([]byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	return 0, io.EOF
}
