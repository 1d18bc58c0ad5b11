package pgo

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

func TestLabClusterFromNothingToNothing(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("modtest") })
	image, _ := l.images(t)
	step := l.step(t, "name = \"modtest\"\nimage = %q\n"+labAPI, image)
	var seen []string
	step.Env().Phase = func(name string) { t.Log("phase", name); seen = append(seen, name) }

	out := step.Converge(module.Create).AsValueMap()
	require.Subset(t, seen, []string{phaseRequest, phaseBootstrap, phaseBackup})
	require.Equal(t, cty.StringVal("postgres://"+out["pod_ip"].AsString()+":5432/postgres"), out["conn_url"])
	require.NotEmpty(t, out["service_ip"].AsString())
	require.NotEmpty(t, out["node"].AsString())
	require.Contains(t, out["image_id"].AsString(), "sha256:")
	require.Equal(t, cty.StringVal("modtest-testuser-secret"), out["secrets"].Index(cty.StringVal("testuser")))

	primary, err := conn.TargetFrom(out["primary"])
	require.NoError(t, err)
	container, err := l.cluster.Container(t.Context(), primary.Namespace, primary.Pod, primary.Container)
	require.NoError(t, err)
	res, err := container.Run(t.Context(), conn.Command("psql", "-XAtc", "select pg_is_in_recovery()"))
	require.NoError(t, err)
	require.Equal(t, "f\n", res.Stdout)

	t.Run("a replica is added", func(t *testing.T) {
		l.step(t, "name = \"modtest\"\nimage = %q\nreplicas = 1\n"+labAPI, image).Converge(module.Update)
		_, _, err := step.Apply()
		requireAt(t, err, "replicas", "has 1 replica, not 0")
	})
	t.Run("another image is refused", func(t *testing.T) {
		_, _, err := l.step(t, "name = \"modtest\"\nimage = \"crunchydata/antdb-ha:other\"\n"+labAPI).Apply()
		requireAt(t, err, "image", "cannot be changed to antdb-ha:other in place yet")
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
	t.Cleanup(func() { l.sweep("modbroken") })
	_, image := l.images(t)
	started := time.Now()
	_, _, err := l.step(t, "name = \"modbroken\"\nimage = %q\n"+labAPI, image).Apply()
	require.ErrorContains(t, err, "Patroni gave up bootstrapping it")
	require.Contains(t, strings.Join(evidence(t, err), "\n"), `could not access file "pgaudit.so"`)
	require.Less(t, time.Since(started), 3*time.Minute)
}

func TestLabMissingImageIsHopeless(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("modnoimage") })
	_, _, err := l.step(t, "name = \"modnoimage\"\nimage = \"crunchydata/antdb-ha:nosuch\"\n"+labAPI).Apply()
	require.ErrorContains(t, err, "ImagePull")
	require.Contains(t, strings.Join(evidence(t, err), "\n"), "antdb-ha:nosuch")
}

func TestLabForeignNamespaceIsRefused(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	_, _, err := l.step(t, "name = \"modfar\"\nnamespace = \"default\"\nimage = \"crunchydata/antdb-ha:latest\"\n"+labAPI).Check()
	requireAt(t, err, "namespace", "namespace [default]")
}

// A run that was cut short leaves a cluster on its way; the next goes on.
func TestLabInterruptedRunIsResumed(t *testing.T) {
	t.Parallel()
	l := openLab(t)
	t.Cleanup(func() { l.sweep("modresume") })
	image, _ := l.images(t)
	step := l.step(t, "name = \"modresume\"\nimage = %q\n"+labAPI, image)
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
	require.ErrorContains(t, err, "stopped waiting for cluster modresume at phase bootstrap")

	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Update, change.Action)
	require.Contains(t, change.Summary, "wait for modresume")
	step.Env().Phase = func(string) {}
	step.Converge(module.Update)

	// Data that is kept is taken up again.
	kept := l.step(t, "name = \"modresume\"\nimage = %q\n"+strings.ReplaceAll(labAPI, "= false", "= true"), image)
	require.NoError(t, kept.Destroy())
	claim, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(labNamespace).Get(t.Context(), "modresume", metav1.GetOptions{})
	require.NoError(t, err, "the data stays")
	kept.Converge(module.Create)
	again, err := l.cluster.Clientset().CoreV1().PersistentVolumeClaims(labNamespace).Get(t.Context(), "modresume", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, claim.UID, again.UID)
	require.NoError(t, step.Destroy())
}
