package pgo

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// maxBackups is how many pods of the first backup may fail. Kubernetes tries
// seven times, and then the operator makes the Job anew, for ever.
const maxBackups = 3

// startup is the first container of a member. It looks at the image.
const startup = "postgres-startup"

// fault recognises what waiting will not mend, where the conditions of a
// PostgresCluster say nothing.
func (d *postgresDriver) fault(ctx context.Context, v *view) error {
	if err := d.wrongMajor(ctx, v); err != nil {
		return err
	}
	if h := v.hopeless; h != nil && strings.Contains(h.Reason, "Image") {
		arg := "backup_image"
		if slices.ContainsFunc(v.databases(), func(pod *corev1.Pod) bool { return pod.Name == h.Pod }) {
			arg = "image"
		}
		return module.At(arg, module.Explain(h, h.Remedy, h.Evidence...))
	}
	return d.brokenBackup(ctx, v)
}

// What the startup container says when the image is of another major version
// than the cluster, and what it found.
var (
	wantedMajor = regexp.MustCompile(`(?m)^Expected PostgreSQL version (\d+)`)
	foundMajor  = regexp.MustCompile(`(?m)^::postgres-operator: postgres version::(.*)$`)
)

// wrongMajor recognises an image of another major version at its first start.
func (d *postgresDriver) wrongMajor(ctx context.Context, v *view) error {
	for _, pod := range v.databases() {
		at := slices.IndexFunc(pod.Status.InitContainerStatuses, func(s corev1.ContainerStatus) bool { return s.Name == startup })
		if at < 0 {
			continue
		}
		s := pod.Status.InitContainerStatuses[at]
		now, before := s.State.Terminated, s.LastTerminationState.Terminated
		if s.Ready || now == nil && before == nil || now != nil && now.ExitCode == 0 {
			continue
		}
		raw, err := d.kube.Clientset().CoreV1().Pods(d.namespace).GetLogs(pod.Name, &corev1.PodLogOptions{Container: startup, Previous: now == nil}).DoRaw(ctx)
		if err != nil {
			continue // the verdict on the pod says what Kubernetes knows of it
		}
		want, have := wantedMajor.FindStringSubmatch(string(raw)), "another version"
		if want == nil {
			continue
		}
		if m := foundMajor.FindStringSubmatch(string(raw)); m != nil {
			have = m[1]
		}
		var evidence []string
		for line := range strings.Lines(strings.TrimSpace(string(raw))) {
			evidence = append(evidence, startup+" | "+strings.TrimRight(line, "\r\n"))
		}
		return module.At("postgres_version", module.Explain(
			fmt.Errorf("the image holds %s, and the cluster is made for PostgreSQL %s", have, want[1]),
			"say the image's major version in postgres_version, or take an image of that version. The cluster holds no data yet: destroy it, and apply again",
			append([]string{fmt.Sprintf("pod %s, image %s", pod.Name, s.Image)}, evidence...)...))
	}
	return nil
}

// brokenBackup recognises a first backup that will not come to be. The database
// serves all the same, but replicas are made from that backup.
func (d *postgresDriver) brokenBackup(ctx context.Context, v *view) error {
	job := v.job(v.names.backup)
	if job == nil || v.backedUp() {
		return nil
	}
	var evidence []string
	word := ""
	for i := range v.pods {
		pod := &v.pods[i]
		if pod.Labels["job-name"] != job.Name || pod.Status.Phase != corev1.PodFailed {
			continue
		}
		word = notStarted(pod)
		if len(evidence) == 0 { // one pod tells as much as all
			evidence = d.kube.Evidence(ctx, pod)
		}
	}
	evidence = append(evidence, "the database itself serves; replicas come only after this backup")
	switch {
	case word != "":
		return module.At("backup_image", module.Explain(fmt.Errorf("the first backup cannot start (Job %s): %s", job.Name, word),
			"the image of the backups must have /opt/crunchy/bin/pgbackrest: name one that has, and apply again", evidence...))
	case job.Status.Failed >= maxBackups:
		return module.Explain(fmt.Errorf("the first backup has failed %d times (Job %s)", job.Status.Failed, job.Name),
			"remove the cause that the log names; the operator goes on trying, and applying again goes on waiting", evidence...)
	}
	return nil
}

// notStarted is the runtime's word on a container whose program it could not
// run.
func notStarted(pod *corev1.Pod) string {
	for _, s := range pod.Status.ContainerStatuses {
		if t := s.State.Terminated; t != nil && (t.Reason == "ContainerCannotRun" || t.Reason == "StartError") {
			return strings.TrimRight(fmt.Sprintf("container %s: %s: %s", s.Name, t.Reason, strings.TrimSpace(t.Message)), ": ")
		}
	}
	return ""
}

// postgresLate are what to do where a phase has met nothing hopeless in its
// time, where that is another thing than with PGO 4.
var postgresLate = map[string]string{
	phaseDeployment: postgresIdle,
	phaseStanza: "look at the events of the PostgresCluster (UnableToCreateStanzas) and at the log of the pod of " +
		"the repository; a stanza of an earlier cluster of that name in a repository that was kept does not fit new data",
	phaseInitialized: "the backup's Job is done, and the operator has not noticed: " + postgresIdle,
}

const postgresIdle = "see that the operator runs and works for this namespace, look at its log, and see that all resource definitions of its very " +
	"version are installed: without one of them it stops working, and its process stays"
