package pgo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// gaveUp is what Patroni logs when the first start of a cluster failed. The
// container then ends with exit code 0, and starts again to fail again.
const gaveUp = "removing initialize key after failed attempt to bootstrap the cluster"

// crashed reports a database that failed to bootstrap, at its first failure:
// trying again does not help, and each try leaves a copy of the data directory.
func (p *place) crashed(ctx context.Context, v *view) error {
	for _, pod := range v.databases() {
		s := v.names.status(pod)
		ended := s.LastTerminationState.Terminated
		if s.State.Terminated != nil {
			ended = s.State.Terminated
		}
		if ended == nil || s.Ready {
			continue
		}
		tail := int64(400)
		raw, err := p.kube.Clientset().CoreV1().Pods(p.namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: v.names.container, Previous: s.State.Terminated == nil, TailLines: &tail}).DoRaw(ctx)
		if err != nil || !strings.Contains(string(raw), gaveUp) {
			continue // another end: the verdict on the pod deals with it
		}
		evidence := append([]string{
			fmt.Sprintf("pod %s on %s, image %s (%s)", pod.Name, pod.Spec.NodeName, s.Image, s.ImageID),
			fmt.Sprintf("container %s ended %d times, last with exit code %d (%s)", s.Name, max(s.RestartCount, 1), ended.ExitCode, ended.Reason),
		}, telling(string(raw))...)
		return module.Explain(fmt.Errorf("the database of %s does not start: Patroni gave up bootstrapping it", p.name),
			"correct what the first FATAL line says, in the image or in the settings; then remove the cluster and apply again", evidence...)
	}
	return nil
}

// dooms are what a server says that will never start, while Patroni starts it
// again and again: the container runs, and nothing in Kubernetes tells.
var dooms = []struct{ text, arg, remedy string }{
	{"database files are incompatible with server", "image", "the volume's data was made by another version (DETAIL says which): run that version's image, or move the data by dump and restore"},
	{"incompatible library", "image", "a library of the image was built for another version of PostgreSQL: build it with this server's pg_config"},
	{"could not access file", "image", "the settings preload a library that the image lacks: add it, built with this server's pg_config, or take it out of the settings"},
	{"database locale is incompatible with operating system", "image", "the image lacks the locale that the data was made with: add it (localedef)"},
	{"has wrong ownership", "", "chown the volume's folder to user 26 on its node"},
	{"has invalid permissions", "", "chmod the data directory to 0700 on its node; a volume's fsGroup may have changed it"},
	{"has group or world access", "", "chmod the data directory to 0700 on its node; a volume's fsGroup may have changed it"},
	{"system ID mismatch", "name", "Patroni's ConfigMap has another system in its key initialize than the data: one of them is of another cluster"},
	{"No space left on device", "", "make room on the volume: copies of failed starts lie beside the data directory, and WAL stays where archiving fails"},
}

// lingers is how long a container may run before its log is asked why it is not ready.
const lingers = 20 * time.Second

// doomed reports a database whose container runs, and whose server never will.
func (p *place) doomed(ctx context.Context, v *view) error {
	for _, pod := range v.databases() {
		s := v.names.status(pod)
		if s.Ready || s.State.Running == nil || time.Since(s.State.Running.StartedAt.Time) < lingers {
			continue
		}
		tail := int64(60)
		raw, err := p.kube.Clientset().CoreV1().Pods(p.namespace).GetLogs(pod.Name, &corev1.PodLogOptions{
			Container: v.names.container, TailLines: &tail}).DoRaw(ctx)
		if err != nil {
			continue // the deadline deals with it
		}
		for _, d := range dooms {
			if !fatal(string(raw), d.text) {
				continue
			}
			err := module.Explain(fmt.Errorf("the database in pod %s will not start: %s", pod.Name, d.text), d.remedy, telling(string(raw))...)
			if d.arg != "" {
				err = module.At(d.arg, err)
			}
			return err
		}
	}
	return nil
}

// fatal finds the text in a line by which a server or Patroni ends: a statement
// may fail with the same words and do no harm.
func fatal(log, text string) bool {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) && (strings.Contains(line, "FATAL:") || strings.Contains(line, "PANIC:") || strings.Contains(line, "CRITICAL:")) {
			return true
		}
	}
	return false
}

// telling picks the lines of a log that carry the cause.
func telling(log string) []string {
	var lines []string
	for line := range strings.Lines(log) {
		line = strings.TrimSpace(line)
		for _, mark := range []string{"FATAL:", "PANIC:", "CRITICAL:", "ERROR:", "DETAIL:", "HINT:", "initdb: error", "Permission denied", "No space left", "No such file", gaveUp} {
			if strings.Contains(line, mark) && !slices.Contains(lines, line) {
				lines = append(lines, line)
				break
			}
		}
	}
	return lines[:min(len(lines), 12)]
}

func (p *place) jobEvidence(ctx context.Context, v *view, job string) []string {
	var evidence []string
	for i := range v.pods {
		if v.pods[i].Labels["job-name"] == job {
			evidence = append(evidence, p.kube.Evidence(ctx, &v.pods[i])...)
		}
		if v.names.repository.on(v.pods[i].Labels) {
			evidence = append(evidence, fmt.Sprintf("pod %s (the repository) is %s", v.pods[i].Name, v.pods[i].Status.Phase))
		}
	}
	return append(evidence, p.claims(ctx)...)
}

// claims tells about volumes that are not there.
func (p *place) claims(ctx context.Context) []string {
	list, err := p.kube.Clientset().CoreV1().PersistentVolumeClaims(p.namespace).List(ctx, p.selector())
	if err != nil {
		return nil // evidence goes with another error and must not hide it
	}
	var lines []string
	for _, claim := range list.Items {
		if claim.Status.Phase != corev1.ClaimPending {
			continue
		}
		lines = append(lines, fmt.Sprintf("claim %s is Pending", claim.Name))
		if events, err := p.kube.Events(ctx, p.namespace, claim.UID); err == nil && len(events) > 0 {
			lines[len(lines)-1] += ": " + strings.TrimSpace(events[len(events)-1].Message)
		}
	}
	return lines
}
