package pgo

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// recordedCluster is the step that asks for the recorded clusters.
const recordedCluster = `
	image        = "lab/crunchy-postgres:15.20-lab2"
	storage_size = "1Gi"
	user         = "appuser"
	dbname       = "appdb"
`

func postgresStep(t *testing.T, args string) *Cluster {
	t.Helper()
	c := moduletest.New(t, module.Of[Cluster](), nil, "name = \"hippo6\"\n"+args, nil).Module().(*Cluster)
	require.NoError(t, c.Validate())
	return c
}

func TestPostgresClusterIsAskedForAsRecorded(t *testing.T) {
	for _, c := range []struct {
		generation, name, namespace string
		versions                    []string
	}{
		{"pgo-6.0.3", "hippo6", "pguser6", []string{"v1", "v1beta1"}},
		{"pgo-5.8.9", "hippo58", "pguser58", []string{"v1beta1"}},
	} {
		t.Run(c.generation, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", c.generation, "postgrescluster-applied.yaml"))
			require.NoError(t, err)
			want, err := yaml.YAMLToJSON(text)
			require.NoError(t, err)

			a := newPostgresAPI()
			a.versions = c.versions
			_, d := postgresPlace(t, a, c.namespace, c.name)
			require.NoError(t, d.create(t.Context(), moduletest.Env(t, nil), postgresStep(t, recordedCluster)))
			require.Equal(t, []string{"POST postgresclusters " + string(want)}, a.sent)
		})
	}
}

func TestPostgresClusterOfAServerThatHasOnlyTheNewVersion(t *testing.T) {
	a := newPostgresAPI()
	a.versions = []string{"v1"}
	_, d := postgresPlace(t, a, "pguser6", "hippo6")
	require.NoError(t, d.create(t.Context(), moduletest.Env(t, nil), postgresStep(t, recordedCluster)))
	require.Contains(t, a.sent[0], `"apiVersion":"postgres-operator.crunchydata.com/v1"`)

	a.versions = []string{"v7"}
	_, d = postgresPlace(t, a, "pguser6", "hippo6")
	_, err := d.record(t.Context())
	require.ErrorContains(t, err, "in no version known here (v1beta1, v1)")
}

func TestPostgresClusterHasAPlaceForEachArgument(t *testing.T) {
	a := newPostgresAPI()
	_, d := postgresPlace(t, a, "pguser6", "hippo6")
	c := postgresStep(t, recordedCluster+`
		replicas         = 2
		postgres_version = 11
		backup_image     = "lab/backup:2"
		backup_size      = "5Gi"
		storage_class    = "fast"
		node_label       = "disk=ssd"
		service_type     = "NodePort"
		autofail         = false
		labels           = { team = "a" }
		parameters       = { work_mem = "8MB" }
		backup_schedule  = { full = "0 1 * * 0", diff = "0 1 * * 1", incr = "0 1 * * 2" }
		resources {
			cpu          = "500m"
			memory_limit = "1Gi"
		}`)
	require.NoError(t, d.lacks(c))
	d.version = "v1beta1"
	o, err := d.object(c)
	require.NoError(t, err)
	text, err := yaml.Marshal(o.Object["spec"])
	require.NoError(t, err)
	require.Equal(t, `backups:
  pgbackrest:
    image: lab/backup:2
    repos:
    - name: repo1
      schedules:
        differential: 0 1 * * 1
        full: 0 1 * * 0
        incremental: 0 1 * * 2
      volume:
        volumeClaimSpec:
          accessModes:
          - ReadWriteOnce
          resources:
            requests:
              storage: 5Gi
          storageClassName: fast
image: lab/crunchy-postgres:15.20-lab2
imagePullPolicy: IfNotPresent
instances:
- affinity:
    nodeAffinity:
      preferredDuringSchedulingIgnoredDuringExecution:
      - preference:
          matchExpressions:
          - key: disk
            operator: In
            values:
            - ssd
        weight: 10
  dataVolumeClaimSpec:
    accessModes:
    - ReadWriteOnce
    resources:
      requests:
        storage: 1Gi
    storageClassName: fast
  name: db
  replicas: 3
  resources:
    limits:
      memory: 1Gi
    requests:
      cpu: 500m
metadata:
  labels:
    team: a
patroni:
  dynamicConfiguration:
    pause: true
    postgresql:
      parameters:
        work_mem: 8MB
postgresVersion: 11
service:
  type: NodePort
users:
- databases:
  - appdb
  name: appuser
`, string(text))
}

func TestPostgresVersionComesFromTheTagWhereItTells(t *testing.T) {
	for image, want := range map[string]int{
		"lab/crunchy-postgres:15.20-lab2":              15,
		"reg:5000/crunchydata/crunchy-postgres:16.3":   16,
		"crunchydata/crunchy-postgres:ubi8-15.2-0":     15,
		"crunchydata/antdb-ha:centos7-11.6-4.2.1":      11,
		"crunchydata/antdb-ha:latest":                  0,
		"crunchydata/antdb-ha:4.1-461fafc":             0, // AntDB's own version
		"crunchydata/antdb-ha:20.04-jammy-15.2":        15,
		"crunchydata/antdb-ha:centos7-4.7.10":          0,
		"crunchydata/antdb-ha:modtest-1a2b3c4d5e6f-10": 0,
	} {
		require.Equal(t, want, (&Cluster{Image: image}).postgresMajor(), image)
	}
}

func TestPostgresClusterRefusesWhatItHasNoPlaceFor(t *testing.T) {
	a := newPostgresAPI()
	_, d := postgresPlace(t, a, "pguser6", "hippo6")
	for args, want := range map[string][2]string{
		`storage_config = "nfs"`:                          {"storage_config", "no storage configurations"},
		`storage_size = ""`:                               {"storage_size", "no size of volumes"},
		`resources_config = "small"`:                      {"resources_config", "no resource configurations"},
		`metrics = true`:                                  {"metrics", "image of its own settings"},
		`badger = true`:                                   {"badger", "no pgBadger"},
		`policies = ["a"]`:                                {"policies", "no SQL policies"},
		`custom_config = "cm"`:                            {"custom_config", "takes no ConfigMap"},
		`image = "crunchydata/antdb-ha:latest"`:           {"postgres_version", `the tag "latest" does not tell`},
		`postgres_version = 10`:                           {"postgres_version", "PostgreSQL 11 and later"},
		`user = "App_User"`:                               {"user", "no name of a user"},
		`parameters = { wal_level = "replica" }`:          {"parameters", "sets wal_level by itself"},
		`parameters = { unix_socket_directories = "/x" }`: {"parameters", "sets unix_socket_directories by itself"},
	} {
		name, _, _ := strings.Cut(args, " ")
		var kept []string
		for _, line := range strings.Split(recordedCluster, "\n") {
			if !strings.HasPrefix(strings.TrimSpace(line), name) {
				kept = append(kept, line)
			}
		}
		requireAt(t, d.lacks(postgresStep(t, strings.Join(kept, "\n")+"\n"+args)), want[0], want[1])
	}
	err := d.lacks(postgresStep(t, recordedCluster+"badger = true\npolicies = [\"a\"]"))
	require.ErrorContains(t, err, "pgBadger")
	require.ErrorContains(t, err, "policies")
}

func TestPostgresClusterTakesAFirstPasswordFromASecret(t *testing.T) {
	a := newPostgresAPI()
	_, d := postgresPlace(t, a, "pguser6", "hippo6")
	require.NoError(t, d.create(t.Context(), moduletest.Env(t, nil), postgresStep(t, recordedCluster+`password = "Geheim1"`)))
	require.Len(t, a.sent, 2)
	_, body, _ := strings.Cut(a.sent[0], "POST secrets ")
	var secret struct {
		Metadata struct {
			Name   string            `json:"name"`
			Labels map[string]string `json:"labels"`
		} `json:"metadata"`
		Data map[string][]byte `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(body), &secret))
	require.Equal(t, "hippo6-pguser-appuser", secret.Metadata.Name)
	require.Equal(t, map[string]string{postgresLabel: "hippo6", postgresUserLabel: "appuser", postgresRole: "pguser"}, secret.Metadata.Labels)
	require.Equal(t, map[string][]byte{"password": []byte("Geheim1")}, secret.Data)
	require.NotContains(t, a.sent[1], "Geheim1")
}
