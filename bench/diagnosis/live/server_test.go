package live_test

import (
	"context"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/conn"
)

// serverBreaks are about a cluster that served.
var serverBreaks = []breakage{
	{"password-by-hand", "G-69", func(l *lab, cluster string) {
		l.serve(cluster)
		l.sql(cluster, "alter user testuser password 'changed by hand'")
	}},
	{"password-expired", "G-69", func(l *lab, cluster string) {
		l.serve(cluster)
		l.sql(cluster, "alter user testuser valid until '2026-01-01'")
	}},
	{"user-dropped", "G-108", func(l *lab, cluster string) {
		l.serve(cluster)
		l.inside(cluster, "psql -XAtqc 'reassign owned by testuser to postgres; drop owned by testuser' userdb && psql -XAtqc 'drop owned by testuser; drop user testuser'")
	}},
	{"archive-command", "G-84", func(l *lab, cluster string) {
		l.serve(cluster)
		l.sql(cluster, "alter system set archive_command = '/bin/false'")
		l.sql(cluster, "select pg_reload_conf()")
		l.sql(cluster, "select pg_switch_wal()")
		l.until("archiving fails for a while", func() bool {
			return l.sql(cluster, "select failed_count > 2 and last_archived_time < now() - interval '200 seconds' from pg_stat_archiver") == "t"
		})
	}},
	{"no-connection-left", "G-71", func(l *lab, cluster string) {
		l.serve(cluster)
		l.inside(cluster, "for i in $(seq 100); do (psql -XAtqc 'select pg_sleep(240)' userdb >/dev/null 2>&1 &) ; done; sleep 1")
		l.until("they are all taken", func() bool {
			return strings.Contains(l.try(cluster, "psql -h 127.0.0.1 -U testuser -w -XAtc 'select 1' userdb 2>&1; psql -XAtc 'select 1' 2>&1"), "too many clients") ||
				strings.Contains(l.log(l.pods(cluster)[0]), "too many clients")
		})
	}},
	{"disk-full", "A-16", func(l *lab, cluster string) {
		path := "/data/" + cluster
		l.node("node2", "umount "+path+" 2>/dev/null; mkdir -p "+path+" && mount -t tmpfs -o size=220m tmpfs "+path+" && chown 26:26 "+path)
		l.t.Cleanup(func() { l.node("node2", "umount -l "+path+"; rmdir "+path) })
		l.volume(cluster, "node2", path, cluster)
		l.serve(cluster)
		l.node("node2", "dd if=/dev/zero of="+path+"/dump.sql bs=1M count=400 2>/dev/null; true")
		_ = l.try(cluster, "psql -XAtc 'create table t as select generate_series(1, 3000000) as n' 2>&1; psql -XAtc 'checkpoint' 2>&1")
		l.until("the server has ended", func() bool {
			pods := l.pods(cluster)
			return len(pods) > 0 && strings.Contains(l.log(pods[0]), "No space left on device")
		})
	}},
	{"repository-gone", "G-78", func(l *lab, cluster string) {
		l.serve(cluster)
		_, err := l.kube.Clientset().AppsV1().Deployments(namespace).Patch(l.t.Context(), cluster+"-backrest-shared-repo", types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
		require.NoError(l.t, err)
		l.sql(cluster, "select pg_switch_wal()")
		l.until("archiving fails", func() bool { return l.sql(cluster, "select failed_count > 2 from pg_stat_archiver") == "t" })
	}},
}

// serve makes a cluster and waits until it has its first backup.
func (l *lab) serve(cluster string) {
	l.t.Helper()
	l.create(cluster, nil)
	l.until("the first backup", func() bool {
		job, err := l.kube.Clientset().BatchV1().Jobs(namespace).Get(l.t.Context(), "backrest-backup-"+cluster, metav1.GetOptions{})
		return err == nil && job.Status.Succeeded > 0
	})
}

// primary is the pod that leads.
func (l *lab) primary(cluster string) corev1.Pod {
	l.t.Helper()
	for _, p := range l.pods(cluster) {
		if role := p.Labels["role"]; role == "master" || role == "primary" {
			return p
		}
	}
	require.Fail(l.t, "nobody leads "+cluster)
	return corev1.Pod{}
}

func (l *lab) sql(cluster, query string) string {
	l.t.Helper()
	return l.ask(l.primary(cluster), query)
}

func (l *lab) ask(pod corev1.Pod, query string) string {
	l.t.Helper()
	out, err := l.exec(pod, "psql", "-XAtqc", query)
	require.NoError(l.t, err)
	return strings.TrimSpace(out)
}

// inside runs a script in the primary's container.
func (l *lab) inside(cluster, script string) string {
	l.t.Helper()
	out, err := l.exec(l.primary(cluster), "sh", "-c", script)
	require.NoError(l.t, err)
	return out
}

// try is inside for what may well fail.
func (l *lab) try(cluster, script string) string {
	l.t.Helper()
	out, err := l.exec(l.primary(cluster), "sh", "-c", script)
	if err != nil {
		return err.Error()
	}
	return out
}

func (l *lab) exec(pod corev1.Pod, argv ...string) (string, error) {
	ctx, cancel := context.WithCancel(l.t.Context())
	defer cancel()
	container, err := l.kube.Container(ctx, namespace, pod.Name, "database")
	if err != nil {
		return "", err
	}
	res, err := container.Run(ctx, conn.Command(argv...))
	return res.Stdout, err
}
