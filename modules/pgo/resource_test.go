package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

func recordedObject(t *testing.T, name string) object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "pgo-4.7.10", name))
	require.NoError(t, err)
	return objectFrom(t, text)
}

// theOperator is its Deployment, in the namespace that the recording has it in.
func theOperator(image, installation string) object {
	return object{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": "postgres-operator", "namespace": "pgo47"},
		"spec": object{"template": object{"spec": object{"containers": []any{object{"name": "operator", "image": image,
			"env": []any{object{"name": "PGO_INSTALLATION_NAME", "value": installation}}}}}}}}
}

func operatorsSecret() object {
	return object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": repoSecret, "namespace": "pgo47"}}
}

func ownedNamespace(installation string) object {
	return object{"apiVersion": "v1", "kind": "Namespace", "metadata": object{"name": "pguser47",
		"labels": object{"vendor": "crunchydata", "pgo-installation-name": installation}}}
}

// site47 is a site with an operator in order.
func site47(more ...object) *store {
	return newStore(append([]object{theOperator("lab47/postgres-operator:centos8-4.7.10", "lab47"), operatorsSecret(), ownedNamespace("lab47")}, more...)...)
}

func (s *store) place(t *testing.T, name string) *place {
	t.Helper()
	return &place{kube: s.cluster(t, "pguser47"), name: name, namespace: "pguser47", names: namingV4(name)}
}

var crd47 = &Cluster{Name: "crd47", Image: "lab47/antdb-ha:lab1", User: "appuser", Dbname: "appdb", Autofail: true}

func TestPgclusterIsTheRecordedOne(t *testing.T) {
	s := site47()
	d := newResourceV4(s.place(t, "crd47"))
	found, err := d.record(t.Context())
	require.NoError(t, err)
	require.Nil(t, found)
	require.NoError(t, d.create(t.Context(), localEnv(t), crd47))
	require.Equal(t, recordedObject(t, "crd-only-pgcluster.yaml"), s.find("pgclusters", "crd47"))
	require.Equal(t, []string{"POST pgclusters/crd47"}, s.writes, "the operator makes the Secrets")
}

func TestTheRunbooksWishesAreInThePgcluster(t *testing.T) {
	c := &Cluster{Name: "crd47", Image: "lab47/antdb-ha:lab1", Replicas: 1, Metrics: true, Badger: true, Policies: []string{"a", "b"}, NodeLabel: "disk=ssd",
		ServiceType: "NodePort", CustomConfig: "conf", Labels: map[string]string{"team": "db"}, Password: secret.New("Sesame123"),
		StorageClass: "fast", StorageSize: "10Gi", BackupSize: "20Gi", WaitBackup: true, Resources: &Resources{CPU: "500m", MemoryLimit: "2Gi"}}
	require.NoError(t, c.Validate())
	s := site47()
	require.NoError(t, newResourceV4(s.place(t, "crd47")).create(t.Context(), localEnv(t), c))
	text, err := json.Marshal(s.find("pgclusters", "crd47")["spec"])
	require.NoError(t, err)
	for _, part := range []string{`"replicas":"1"`, `"disableAutofail":true`, `"exporter":true`, `"pgBadger":true`, `"policies":"a,b"`, `"customconfig":"conf"`,
		`"serviceType":"NodePort"`, `"resources":{"cpu":"500m"}`, `"limits":{"memory":"2Gi"}`, `"userlabels":{"pgo-version":"4.7.10","team":"db"}`,
		`"user":"testuser"`, `"database":"crd47"`, `"key":"disk","operator":"In","values":["ssd"]`,
		`"PrimaryStorage":{"accessmode":"ReadWriteOnce","matchLabels":"","name":"crd47","size":"10Gi","storageclass":"fast","storagetype":"dynamic"`,
		`"BackrestStorage":{"accessmode":"ReadWriteOnce","matchLabels":"","name":"","size":"20Gi"`} {
		require.Contains(t, string(text), part)
	}
	require.NotContains(t, string(text), "Sesame123")
	for _, user := range []string{"postgres", "primaryuser", "testuser"} {
		kept, err := readKept(t.Context(), s.cluster(t, "pguser47").Clientset(), "pguser47", "crd47-"+user+"-secret")
		require.NoError(t, err)
		require.Equal(t, "Sesame123", kept.password.Reveal(), user)
		require.Equal(t, object{"pg-cluster": "crd47", "vendor": "crunchydata"}, s.find("secrets", "crd47-"+user+"-secret")["metadata"].(object)["labels"])
	}
}

func TestPgclusterIsReadBack(t *testing.T) {
	s := site47(recordedObject(t, "crd-only-pgcluster-later.yaml"))
	d := newResourceV4(s.place(t, "crd47"))
	r, err := d.record(t.Context())
	require.NoError(t, err)
	require.Equal(t, "pgcluster Initialized", r.state)
	require.True(t, r.initialized)
	require.Nil(t, r.problem)
	require.Equal(t, "antdb-ha:lab1", r.image)
	require.Equal(t, "appuser", r.user)
	require.Equal(t, "appdb", r.database)
	require.Equal(t, map[string]string{"postgres": "crd47-postgres-secret", "primaryuser": "crd47-primaryuser-secret", "appuser": "crd47-appuser-secret"}, r.secrets)
	require.Equal(t, "4.7.10", r.labels["pgo-version"])

	diff, err := d.diff(t.Context(), crd47, &view{record: r, names: &naming{}})
	require.NoError(t, err)
	require.Empty(t, diff)
}

// The three ways in which the operator says Processed and makes nothing.
func TestSilenceOfTheOperatorIsExplained(t *testing.T) {
	processed := func(o object) object {
		o["status"] = object{"state": "pgcluster Processed", "message": "Successfully processed Pgcluster by controller"}
		return o
	}
	t.Run("no current-primary", func(t *testing.T) {
		s := site47(processed(recordedObject(t, "crd-only-minimal.yaml")))
		r, err := newResourceV4(s.place(t, "crd48")).record(t.Context())
		require.NoError(t, err)
		require.ErrorContains(t, r.problem, "Pgcluster crd48 has no annotation current-primary")
	})
	t.Run("no Secret of the operator", func(t *testing.T) {
		s := newStore(theOperator("lab47/postgres-operator:centos8-4.7.10", "lab47"), ownedNamespace("lab47"), processed(recordedObject(t, "crd-only-pgcluster.yaml")))
		r, err := newResourceV4(s.place(t, "crd47")).record(t.Context())
		require.NoError(t, err)
		require.ErrorContains(t, r.problem, "the operator lacks the Secret pgo-backrest-repo-config in pgo47")
	})
	t.Run("it has only just begun", func(t *testing.T) {
		s := site47(processed(recordedObject(t, "crd-only-pgcluster.yaml")))
		r, err := newResourceV4(s.place(t, "crd47")).record(t.Context())
		require.NoError(t, err)
		require.NoError(t, r.problem, "no fault is known: the wait for the Deployment has a deadline of its own")
	})
}

func TestImagesOfBackupsAreSpokenOf(t *testing.T) {
	node := object{"apiVersion": "v1", "kind": "Node", "metadata": object{"name": "node1"},
		"status": object{"images": []any{object{"names": []any{"docker.io/lab47/crunchy-pgbackrest-repo:lab1"}}}}}
	s := site47(node)
	env, said := localEnv(t), []string(nil)
	env.Logf = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	require.NoError(t, newResourceV4(s.place(t, "crd47")).create(t.Context(), env, crd47))
	require.Equal(t, "no node has the image lab47/crunchy-pgbackrest:lab1, which the cluster's backups run from: it must come from a registry", said[0])
	require.NotContains(t, strings.Join(said, "\n"), "pgbackrest-repo")
}

func TestMissingSecretOfTheOperatorStopsBeforeTheRequest(t *testing.T) {
	s := newStore(theOperator("lab47/postgres-operator:centos8-4.7.10", "lab47"), ownedNamespace("lab47"))
	err := newResourceV4(s.place(t, "crd47")).create(t.Context(), localEnv(t), crd47)
	require.ErrorContains(t, err, "it makes no cluster, and says so in its log alone")
	require.Empty(t, s.writes)
}

func TestAnOperatorThatMakesNoUsersIsRefused(t *testing.T) {
	for image, good := range map[string]bool{"crunchydata/postgres-operator:centos7-4.2.1": false, "x/postgres-operator:4.5.9": false,
		"x/postgres-operator:ubi8-4.6.0": true, "x/postgres-operator:latest": true} {
		s := newStore(theOperator(image, "lab47"), operatorsSecret(), ownedNamespace("lab47"))
		err := newResourceV4(s.place(t, "crd47")).create(t.Context(), localEnv(t), crd47)
		require.Equal(t, good, err == nil, "%s: %v", image, err)
		if !good {
			requireAt(t, err, "generation", "makes no users and no keys")
			require.Empty(t, s.writes)
		}
	}
}

func TestTheNamespaceSaysWhoseOperatorItIs(t *testing.T) {
	other := theOperator("crunchydata/postgres-operator:centos7-4.2.1", "lab42")
	other["metadata"].(object)["namespace"] = "pgo"
	s := site47(other)
	require.NoError(t, newResourceV4(s.place(t, "crd47")).create(t.Context(), localEnv(t), crd47), "the operator of 4.2 beside it is not asked")
	require.Equal(t, "4.7.10", s.find("pgclusters", "crd47")["metadata"].(object)["labels"].(object)["pgo-version"])
}

func TestFirstBackupIsSeenToHaveBegun(t *testing.T) {
	o := recordedObject(t, "crd-only-pgcluster-later.yaml")
	o["status"] = object{"state": "pgcluster Processed"}
	s := site47(o)
	d := newResourceV4(s.place(t, "crd47"))
	r, err := d.record(t.Context())
	require.NoError(t, err)
	require.False(t, r.stanza)
	s.put(object{"apiVersion": "crunchydata.com/v1", "kind": "Pgtask", "metadata": object{"name": "backrest-backup-crd47", "namespace": "pguser47"}})
	r, err = d.record(t.Context())
	require.NoError(t, err)
	require.True(t, r.stanza, "the Job that set up the repository is gone by now")
}

func TestChangesGoIntoThePgcluster(t *testing.T) {
	s := site47(recordedObject(t, "crd-only-pgcluster-later.yaml"))
	d := newResourceV4(s.place(t, "crd47"))
	want := *crd47
	want.Autofail, want.ServiceType, want.Resources, want.Replicas = false, "NodePort", &Resources{CPU: "500m", Memory: "1Gi"}, 2
	r, err := d.record(t.Context())
	require.NoError(t, err)
	v := &view{record: r, names: &naming{}}
	diff, err := d.diff(t.Context(), &want, v)
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "resources.cpu", After: "500m"}, {Path: "resources.memory", After: "1Gi"},
		{Path: "autofail", Before: "true", After: "false"}, {Path: "service_type", Before: "ClusterIP", After: "NodePort"},
		{Path: "replicas", Before: "0", After: "2"}}, diff)
	require.NoError(t, d.update(t.Context(), localEnv(t), &want, v, diff))

	r, err = d.record(t.Context())
	require.NoError(t, err)
	v.record = r
	diff, err = d.diff(t.Context(), &want, v)
	require.NoError(t, err)
	require.Empty(t, diff, "all of it is there now")
	require.Len(t, r.replicas, 2)
	requirePgreplica(t, s.find("pgreplicas", r.replicas[0]))

	want.Replicas = 1
	diff, err = d.diff(t.Context(), &want, v)
	require.NoError(t, err)
	requireAt(t, d.update(t.Context(), localEnv(t), &want, v, diff), "replicas", "by resource alone PGO 4 takes none away")
	want.Replicas, want.Image, want.Engine = 2, "lab47/antdb-ha:lab2", ""
	diff, err = d.diff(t.Context(), &want, v)
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "image", Before: "antdb-ha:lab1", After: "antdb-ha:lab2"}}, diff)
	require.NoError(t, d.update(t.Context(), localEnv(t), &want, v, diff))
	v.record, err = d.record(t.Context())
	require.NoError(t, err)
	require.Equal(t, "antdb-ha:lab2", v.record.image)
	want.User = "other"
	_, err = d.diff(t.Context(), &want, v)
	requireAt(t, err, "user", "cluster crd47 has appuser, not other")
}

// requirePgreplica holds a replica to the recorded one, bar its name, what the
// API server adds and what the operator writes into it later.
func requirePgreplica(t *testing.T, o object) {
	t.Helper()
	want := recordedObject(t, "pgreplicas.yaml")["items"].([]any)[0].(object)
	require.Regexp(t, "^crd47-[a-z]{4}$", nameOf(o))
	require.Equal(t, object{"name": nameOf(o), "pg-cluster": "crd47", "pgouser": "pgoadmin"}, o["metadata"].(object)["labels"])
	keys := func(o object) (all []string) {
		for k := range o {
			all = append(all, k)
		}
		return all
	}
	spec, recorded := o["spec"].(object), want["spec"].(object)
	require.ElementsMatch(t, append(keys(recorded), "namespace"), keys(spec))
	require.ElementsMatch(t, keys(recorded["replicastorage"].(object)), keys(spec["replicastorage"].(object)))
	require.Equal(t, "crd47", spec["clustername"])
	require.Equal(t, object{"pgo-version": "4.7.10"}, spec["userlabels"])
}

func TestRemovalSaysWhatToKeep(t *testing.T) {
	for _, keep := range []struct{ data, backups bool }{{true, true}, {false, true}, {false, false}} {
		o := recordedObject(t, "crd-only-pgcluster-later.yaml")
		s := site47(o)
		d := newResourceV4(s.place(t, "crd47"))
		require.NoError(t, d.remove(t.Context(), localEnv(t), keep.data, keep.backups))
		annotations := o["metadata"].(object)["annotations"].(object)
		require.Equal(t, keep.data, annotations["keep-data"] != nil)
		require.Equal(t, keep.backups, annotations["keep-backups"] != nil)
		require.Equal(t, []string{"PATCH pgclusters/crd47", "DELETE pgclusters/crd47"}, s.writes)
		require.NoError(t, d.remove(t.Context(), localEnv(t), keep.data, keep.backups), "what is not there is gone")
	}
	old := recordedObject(t, "crd-only-pgcluster-later.yaml")
	old["metadata"].(object)["labels"].(object)["pgo-version"] = "4.2.1"
	s := site47(old)
	requireAt(t, newResourceV4(s.place(t, "crd47")).remove(t.Context(), localEnv(t), true, true), "generation", "does not clean up after a deleted Pgcluster")
	require.Empty(t, s.writes)
}

func TestWhatAPgclusterLacksIsRefusedInThePlan(t *testing.T) {
	c := *crd47
	require.NoError(t, newResourceV4(&place{}).lacks(&c))
	c.StorageConfig, c.ResourcesConfig, c.BackupImage, c.Parameters = "nfs", "small", "x", map[string]string{"work_mem": "8MB"}
	err := newResourceV4(&place{}).lacks(&c)
	for _, arg := range []string{"storage_config", "resources_config", "backup_image", "parameters"} {
		require.ErrorContains(t, err, "takes no "+arg)
	}
	c = *crd47
	c.StorageConfig, c.StorageClass = "nfs", "fast"
	requireAt(t, newREST47(&place{}).lacks(&c), "storage_class", "PGO 4.7 takes no storage_class")
}

// Of the images beside the database's only pgBadger's has its prefix and tag.
func TestSidecarsOf47(t *testing.T) {
	for _, d := range []driver{newRESTDriver47(t), newResourceV4(&place{name: "crd47"})} {
		require.Equal(t, map[string]string{"badger": "crunchy-pgbadger"}, d.naming().sidecars)
	}
}

func newRESTDriver47(t *testing.T) driver {
	t.Helper()
	chosen, err := choiceOf(generation47)
	require.NoError(t, err)
	return chosen.open(&place{name: "crd47"})
}

func TestForbiddenNamesTheRight(t *testing.T) {
	s := site47()
	s.refuse = func(string) int { return 403 }
	err := newResourceV4(s.place(t, "crd47")).create(context.Background(), localEnv(t), crd47)
	requireAt(t, err, "namespace", "make Pgcluster crd47 in pguser47")
}
