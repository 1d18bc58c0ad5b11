package postgrescluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
)

// work does what needs a running database, and notes in s what came of it. Users, stanza and backup only need a primary;
// the rest waits until its pod is ready.
func (r *Reconciler) work(ctx context.Context, c *Cluster, s *sight) error {
	primary := s.primary()
	if primary == nil || !running(primary, "database") {
		return nil
	}
	if err := r.applyUsers(ctx, c, s, primary); err != nil {
		return err
	}
	if err := r.backUp(ctx, c, s); err != nil {
		return err
	}
	if !(instance{pod: primary}).ready() {
		return nil
	}
	if s.system == "" {
		config, err := r.Kube.CoreV1().Endpoints(c.Namespace).Get(ctx, scope(c)+"-config", metav1.GetOptions{})
		if err != nil {
			return ignoreMissing(err)
		}
		s.system = config.Annotations["initialize"]
		return nil
	}
	if err := r.applyDynamic(ctx, c, s, primary); err != nil {
		return err
	}
	return r.roll(ctx, c, s.instances)
}

func running(pod *corev1.Pod, container string) bool {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == container {
			return s.State.Running != nil
		}
	}
	return false
}

// run runs a command in a pod; what it says is in the error if it fails.
func (r *Reconciler) run(ctx context.Context, pod *corev1.Pod, container string, stdin io.Reader, command ...string) error {
	var out bytes.Buffer
	if err := r.Exec(ctx, pod.Namespace, pod.Name, container, stdin, &out, command...); err != nil {
		return fmt.Errorf("%s in pod %s: %w: %s", command[0], pod.Name, err, strings.TrimSpace(out.String()))
	}
	return nil
}

// applyUsers makes databases and roles what the specification and the users' Secrets say.
func (r *Reconciler) applyUsers(ctx context.Context, c *Cluster, s *sight, primary *corev1.Pod) error {
	verifiers, err := r.verifiers(ctx, c)
	if err != nil {
		return err
	}
	wanted := revision("users", users(c), verifiers)
	if wanted == s.users {
		return nil
	}
	err = r.run(ctx, primary, "database", strings.NewReader(userSQL(users(c), verifiers)), "psql", "-Xqw", "--file=-", "--set=ON_ERROR_STOP=1", "postgres")
	if err != nil {
		return err
	}
	s.users = wanted
	return nil
}

// userSQL may be run again and again. It reads from standard input, so no verifier stands on a command line.
func userSQL(users []User, verifiers map[string]string) string {
	var sql strings.Builder
	for _, u := range users {
		fmt.Fprintf(&sql, "SELECT 'CREATE ROLE %s' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = %s)\n\\gexec\n",
			double(identifier(u.Name)), literal(u.Name))
		fmt.Fprintf(&sql, "ALTER ROLE %s WITH LOGIN %s PASSWORD %s;\n", identifier(u.Name), u.Options, literal(verifiers[u.Name]))
	}
	for _, u := range users {
		for _, db := range u.Databases {
			fmt.Fprintf(&sql, "SELECT 'CREATE DATABASE %s' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = %s)\n\\gexec\n",
				double(identifier(db)), literal(db))
			fmt.Fprintf(&sql, "GRANT ALL PRIVILEGES ON DATABASE %s TO %s;\n", identifier(db), identifier(u.Name))
		}
	}
	return sql.String()
}

func identifier(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }
func double(text string) string     { return strings.ReplaceAll(text, "'", "''") }
func literal(text string) string    { return "'" + double(text) + "'" }

// applyDynamic hands Patroni its configuration when it has changed, and asks for the restarts that this takes.
func (r *Reconciler) applyDynamic(ctx context.Context, c *Cluster, s *sight, primary *corev1.Pod) error {
	config := dynamicConfiguration(c)
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	if wanted := revision(config); r.settled[string(c.UID)] != wanted {
		err := r.run(ctx, primary, "database", bytes.NewReader(text), "patronictl", "edit-config", "--replace", "-", "--force", scope(c))
		if err != nil {
			return err
		}
		r.settled[string(c.UID)] = wanted
	}
	for _, i := range s.instances {
		if i.pod == nil || !pendingRestart(i.pod) || r.Now().Before(r.paused[string(c.UID)]) {
			continue
		}
		r.paused[string(c.UID)] = r.Now().Add(20 * time.Second)
		r.Log.Printf("postgrescluster %s/%s: restarting what waits for it", c.Namespace, c.Name)
		return r.run(ctx, primary, "database", nil, "patronictl", "restart", "--pending", "--force", scope(c))
	}
	return nil
}

// backUp goes from the stanza to the first backup, after which replicas are possible.
func (r *Reconciler) backUp(ctx context.Context, c *Cluster, s *sight) error {
	if s.backup || s.repoPod == nil {
		return nil
	}
	if !s.stanza {
		if err := r.run(ctx, s.repoPod, "pgbackrest", nil, "pgbackrest", "stanza-create", "--stanza=db"); err != nil {
			return err
		}
		s.stanza = true
	}
	jobs := r.Kube.BatchV1().Jobs(c.Namespace)
	list, err := jobs.List(ctx, byLabels(LabelCluster, c.Name, LabelBackRestBackup, "replica-create"))
	if err != nil {
		return err
	}
	for i := range list.Items {
		switch {
		case succeeded(&list.Items[i]):
			s.backup = true
			return nil
		case list.Items[i].Status.Failed <= *list.Items[i].Spec.BackoffLimit:
			return nil // goes on
		}
	}
	job, err := r.backupJob(c, s.repo.Name, c.Name+"-backup-"+rand.String(4), revision(c.Name, s.repo))
	if err != nil {
		return err
	}
	if len(list.Items) > 0 { // one that failed for good stays for the one who looks for the cause
		return nil
	}
	_, err = jobs.Create(ctx, job, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func succeeded(job *batchv1.Job) bool {
	for _, c := range job.Status.Conditions {
		if c.Type == batchv1.JobComplete && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	return false
}
