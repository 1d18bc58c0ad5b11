package pgo

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

func TestLabClusterFromNothingToNothing(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("core-test") })
	image, _ := l.images(t)
	step := l.step(t, "name = \"core-test\"\nimage = %q\n"+labAPI, image)
	var seen []string
	step.Env().Phase = func(name string) { t.Log("phase", name); seen = append(seen, name) }

	out := step.Converge(module.Create).AsValueMap()
	require.Subset(t, seen, []string{phaseRequest, phaseBootstrap, phaseBackup})
	require.Equal(t, cty.StringVal("postgres://"+out["pod_ip"].AsString()+":5432/postgres"), out["conn_url"])
	require.NotEmpty(t, out["service_ip"].AsString())
	require.NotEmpty(t, out["node"].AsString())
	require.Contains(t, out["image_id"].AsString(), "sha256:")
	require.Equal(t, cty.StringVal("core-test-testuser-secret"), out["secrets"].Index(cty.StringVal("testuser")))

	primary, err := conn.TargetFrom(out["primary"])
	require.NoError(t, err)
	require.Equal(t, "f\n", l.sql(t, primary, "select pg_is_in_recovery()"))

	l.remembers(t, "core-test")

	t.Run("a replica is added", func(t *testing.T) {
		out := l.step(t, "name = \"core-test\"\nimage = %q\nreplicas = 1\n"+labAPI, image).Converge(module.Update).AsValueMap()
		require.Equal(t, 1, out["standbys"].LengthInt())
		require.Equal(t, 2, out["members"].LengthInt())
	})
	t.Run("another image goes to the replica first", func(t *testing.T) {
		newer := l.again(t, image)
		roll := l.step(t, "name = \"core-test\"\nimage = %q\nreplicas = 1\nresources {\n  memory = \"96Mi\"\n}\n"+labAPI, newer)
		var said []string
		roll.Env().Logf = func(format string, args ...any) {
			said = append(said, fmt.Sprintf(format, args...))
			t.Logf(format, args...)
		}
		out := roll.Converge(module.Update)
		require.Contains(t, strings.Join(said, "\n"), "the primary goes from core-test to core-test-")
		primary, err := conn.TargetFrom(out.AsValueMap()["primary"])
		require.NoError(t, err)
		require.NotRegexp(t, "^core-test-[0-9a-f]{8,10}-", primary.Pod, "it stays where it went")
	})
	t.Run("a replica is taken away, but never the primary", func(t *testing.T) {
		fewer := l.step(t, "name = \"core-test\"\nimage = %q\n"+labAPI, image+"b")
		_, _, err := fewer.Apply()
		requireAt(t, err, "replicas", "the primary of core-test runs in core-test-")
		l.leads(t, fewer, "core-test")
		fewer.Converge(module.Update)
		claims, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(labNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: "pg-cluster=core-test"})
		require.NoError(t, err)
		require.Len(t, claims.Items, 2, "the copy went with the replica")
	})
	require.NoError(t, step.Destroy())
	require.NoError(t, step.Destroy(), "destroying twice is no error")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
}

func TestLabImageWithoutPgauditIsHopeless(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("core-broken") })
	_, image := l.images(t)
	step := l.step(t, "name = \"core-broken\"\nimage = %q\n"+labAPI, image)
	_, _, err := step.Apply()
	require.ErrorContains(t, err, "Patroni gave up bootstrapping it")
	require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), `could not access file "pgaudit.so"`)

	// The operator's own removal breaks on it; by hand nothing is left.
	require.NoError(t, step.Destroy())
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	require.Empty(t, change.Diff, "nothing is left over")
}

// The operator never repeats a Job that failed; the next run has it repeated.
func TestLabAFailedStanzaIsAskedForAgain(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	image, _ := l.images(t)
	t.Cleanup(func() { l.sweep("core-stanza") })
	odd := l.odd(t, "stanza-fails", "core-stanza")
	step := l.step(t, "name = \"core-stanza\"\nimage = %q\n"+labAPI, image)
	_, _, err := step.Apply()
	require.ErrorContains(t, err, "Job core-stanza-stanza-create failed, and the operator never repeats it")
	require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), `container not found`)
	odd()
	step.Converge(module.Update)
	require.NoError(t, step.Destroy())
}

func TestLabMissingImageIsHopeless(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("core-noimage") })
	_, _, err := l.step(t, "name = \"core-noimage\"\nimage = \"crunchydata/antdb-ha:nosuch\"\n"+labAPI).Apply()
	require.ErrorContains(t, err, "ImagePull")
	require.Contains(t, strings.Join(evidenceOf(t, err), "\n"), "antdb-ha:nosuch")
}

func TestLabForeignNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	_, _, err := l.step(t, "name = \"core-far\"\nnamespace = \"default\"\nimage = \"crunchydata/antdb-ha:latest\"\n"+labAPI).Check()
	requireAt(t, err, "namespace", "namespace [default]")
}

// A run that was cut short leaves a cluster on its way; the next goes on.
func TestLabInterruptedRunIsResumed(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("core-resume") })
	image, _ := l.images(t)
	step := l.step(t, "name = \"core-resume\"\nimage = %q\n"+labAPI, image)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	step.Env().Phase = func(name string) {
		if name == phaseBootstrap {
			cancel()
		}
	}
	m := step.Module()
	_, err := m.Check(ctx, step.Env())
	require.NoError(t, err)
	err = m.Apply(ctx, step.Env())
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "stopped waiting for cluster core-resume at phase bootstrap")

	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Update, change.Action)
	require.Contains(t, change.Summary, "wait for core-resume")
	step.Env().Phase = func(string) {}
	step.Converge(module.Update)

	// Data that is kept is taken up again.
	kept := l.step(t, "name = \"core-resume\"\nimage = %q\n"+strings.ReplaceAll(labAPI, "= false", "= true"), image)
	require.NoError(t, kept.Destroy())
	claim, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(labNamespace).Get(t.Context(), "core-resume", metav1.GetOptions{})
	require.NoError(t, err, "the data stays")
	_, _, err = l.step(t, "name = \"core-resume\"\nimage = %q\nengine = \"antdb\"\n"+labAPI, image).Check()
	requireAt(t, err, "engine", "volume core-resume was written by PostgreSQL")
	kept.Converge(module.Create)
	again, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(labNamespace).Get(t.Context(), "core-resume", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, claim.UID, again.UID)
	require.NoError(t, step.Destroy())
}
