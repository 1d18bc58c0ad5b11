package jobs_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/jobs"
)

func named(name string, labels ...string) metav1.ObjectMeta {
	m := metav1.ObjectMeta{Name: name, Namespace: "pgouser1", Labels: map[string]string{crv1.LabelCluster: "a"}}
	for _, pair := range labels {
		key, value, _ := strings.Cut(pair, "=")
		m.Labels[key] = value
	}
	return m
}

// removal returns the Job of cluster "a" with everything a running cluster has, in a fake API.
func removal(t *testing.T, patroni map[string]string) (jobs.Remove, *[]string) {
	t.Helper()
	config := &corev1.ConfigMap{ObjectMeta: named("a-config", crv1.LabelScope+"=a")}
	config.Annotations = patroni
	objects := []runtime.Object{config,
		&corev1.Pod{ObjectMeta: named("a-1", "pgo-pg-database=true", crv1.LabelDeployment+"=a")},
		&appsv1.Deployment{ObjectMeta: named("a", "pgo-pg-database=true")},
		&appsv1.Deployment{ObjectMeta: named("a-backrest-shared-repo", crv1.LabelRepo+"=true")},
		&corev1.Service{ObjectMeta: named("a")},
		&corev1.Service{ObjectMeta: named("a-backrest-shared-repo", crv1.LabelRepo+"=true")},
		&corev1.Secret{ObjectMeta: named("a-postgres-secret")},
		&corev1.Secret{ObjectMeta: named("a-backrest-repo-config", crv1.LabelRepo+"=true")},
		&corev1.PersistentVolumeClaim{ObjectMeta: named("a", "pgremove=true")},
		&corev1.PersistentVolumeClaim{ObjectMeta: named("a-pgbr-repo", "pgremove=true")},
		&batchv1.Job{ObjectMeta: named("a-stanza-create", crv1.LabelBackrestJob+"=true")},
	}
	dyn := dynamicfake.NewSimpleDynamicClientWithCustomListKinds(scheme.Scheme, map[schema.GroupVersionResource]string{
		crv1.Clusters: "PgclusterList", crv1.Replicas: "PgreplicaList", crv1.Tasks: "PgtaskList",
	}, objects...)
	require.NoError(t, crv1.ClusterStore(dyn).Create(t.Context(), "pgouser1", &crv1.Cluster{ObjectMeta: named("a")}))
	require.NoError(t, crv1.TaskStore(dyn).Create(t.Context(), "pgouser1", &crv1.Task{ObjectMeta: named("a-createcluster")}))
	var ran []string
	return jobs.Remove{
		Dynamic: dyn, Namespace: "pgouser1", Cluster: "a", Data: true, Backups: true, Out: io.Discard,
		Exec: func(_ context.Context, _, pod string, command []string, _ io.Writer) error {
			ran = append(ran, pod+": "+strings.Join(command, " "))
			return nil
		},
	}, &ran
}

// left lists what is there of the cluster but its pods, which no controller takes away here.
func left(t *testing.T, r jobs.Remove) []string {
	t.Helper()
	var names []string
	for _, kind := range []schema.GroupVersionResource{
		crv1.Clusters, crv1.Tasks,
		{Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "services"}, {Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "persistentvolumeclaims"},
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "batch", Version: "v1", Resource: "jobs"},
	} {
		list, err := r.Dynamic.Resource(kind).Namespace("pgouser1").List(t.Context(), metav1.ListOptions{})
		require.NoError(t, err)
		for _, o := range list.Items {
			names = append(names, kind.Resource+"/"+o.GetName())
		}
	}
	return names
}

func TestRemoveTakesEverythingAway(t *testing.T) {
	r, ran := removal(t, map[string]string{"config": "{}"})
	require.NoError(t, r.Run(t.Context()))
	require.Empty(t, left(t, r))
	require.Equal(t, []string{"a-1: bash -c pg_ctl stop -m immediate -D /pgdata/a; rm -rf /pgdata/a"}, *ran)
}

func TestRemoveKeepsDataAndBackupsOnRequest(t *testing.T) {
	r, ran := removal(t, map[string]string{"config": "{}"})
	r.Data, r.Backups = false, false
	require.NoError(t, r.Run(t.Context()))
	require.ElementsMatch(t, []string{
		"secrets/a-postgres-secret", "secrets/a-backrest-repo-config", "persistentvolumeclaims/a", "persistentvolumeclaims/a-pgbr-repo",
	}, left(t, r))
	require.Empty(t, *ran)
}

// The original panics there, and everything stays.
func TestRemoveFailsOnAClusterThatPatroniNeverInitialised(t *testing.T) {
	r, _ := removal(t, nil)
	require.ErrorContains(t, r.Run(t.Context()), "panic: the Patroni ConfigMap has no annotation config")
	require.Len(t, left(t, r), 12)
}
