package pgo

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestPostgresClusterThatFitsHasNoDifference(t *testing.T) {
	a := newPostgresAPI()
	a.kinds["postgresclusters"] = []object{postgresYAML(t, "pgo-6.0.3/postgrescluster-tworeplicas.yaml")}
	_, d := postgresPlace(t, a, "pguser6", "hippo6")
	for _, args := range []string{recordedCluster, "image = \"lab/crunchy-postgres:15.20-lab2\"\nstorage_size = \"1024Mi\"\nbackup_size = \"1Gi\""} {
		diff, err := differs(t, d, postgresStep(t, args+"\nreplicas = 1"))
		require.NoError(t, err)
		require.Empty(t, diff)
	}
	require.NoError(t, d.update(t.Context(), moduletest.Env(t, nil), postgresStep(t, recordedCluster+"replicas = 1"), nil, nil))
	require.Empty(t, a.sent)
}

func TestPostgresClusterIsChangedByOnePatch(t *testing.T) {
	instances := `"instances":[{"dataVolumeClaimSpec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}},"name":"db","replicas":`
	backups := func(image, schedules string) string {
		return `"backups":{"pgbackrest":{"image":"lab/crunchy-postgres:15.20-` + image + `","repos":[{"name":"repo1",` + schedules +
			`"volume":{"volumeClaimSpec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}}]}}`
	}
	for name, c := range map[string]struct {
		args, spec string
		diff       []module.Diff
	}{
		"replicas":   {`replicas = 2`, instances + `3}]`, []module.Diff{{Path: "replicas", Before: "0", After: "2"}}},
		"image":      {`image = "lab/crunchy-postgres:15.20-lab3"`, backups("lab3", "") + `,"image":"lab/crunchy-postgres:15.20-lab3"`, []module.Diff{{Path: "image", Before: "lab/crunchy-postgres:15.20-lab2", After: "lab/crunchy-postgres:15.20-lab3"}, {Path: "backup_image", Before: "lab/crunchy-postgres:15.20-lab2", After: "lab/crunchy-postgres:15.20-lab3"}}},
		"resources":  {"resources {\n cpu = \"2\"\n}", instances + `1,"resources":{"requests":{"cpu":"2"}}}]`, []module.Diff{{Path: "resources.cpu", After: "2"}}},
		"parameters": {`parameters = { work_mem = "8MB" }`, `"patroni":{"dynamicConfiguration":{"postgresql":{"parameters":{"work_mem":"8MB"}}}}`, []module.Diff{{Path: "parameters.work_mem", After: "8MB"}}},
		"autofail":   {`autofail = false`, `"patroni":{"dynamicConfiguration":{"pause":true}}`, []module.Diff{{Path: "autofail", Before: "true", After: "false"}}},
		"schedule":   {`backup_schedule = { full = "0 1 * * 0" }`, backups("lab2", `"schedules":{"full":"0 1 * * 0"},`), []module.Diff{{Path: "backup_schedule.full", After: "0 1 * * 0"}}},
		"service":    {`service_type = "NodePort"`, `"service":{"type":"NodePort"}`, []module.Diff{{Path: "service_type", After: "NodePort"}}},
		"labels":     {`labels = { team = "a" }`, `"metadata":{"labels":{"team":"a"}}`, []module.Diff{{Path: "labels.team", After: "a"}}},
		"user":       {`user = "other"`, `"users":[{"databases":["appdb"],"name":"appuser"},{"databases":["appdb"],"name":"other"}]`, []module.Diff{{Path: "user", After: "other"}}},
		"database":   {`dbname = "more"`, `"users":[{"databases":["appdb","more"],"name":"appuser"}]`, []module.Diff{{Path: "dbname", Before: "[appdb]", After: "more"}}},
	} {
		t.Run(name, func(t *testing.T) {
			a := newPostgresAPI()
			a.kinds["postgresclusters"] = []object{postgresYAML(t, "pgo-6.0.3/postgrescluster-final.yaml")}
			_, d := postgresPlace(t, a, "pguser6", "hippo6")
			step := postgresStep(t, replaceArg(recordedCluster, c.args))
			diff, err := differs(t, d, step)
			require.NoError(t, err)
			require.Equal(t, c.diff, diff)
			require.NoError(t, d.update(t.Context(), moduletest.Env(t, nil), step, nil, diff))
			require.Equal(t, []string{`PATCH postgresclusters/hippo6 {"metadata":{"resourceVersion":"6115"},"spec":{` + c.spec + `}}`}, a.sent)
		})
	}
}

func differs(t *testing.T, d *postgresDriver, c *Cluster) ([]module.Diff, error) {
	t.Helper()
	_, err := d.record(t.Context())
	require.NoError(t, err)
	return d.diff(t.Context(), c, nil)
}

// replaceArg puts an argument in the place of the one of that name.
func replaceArg(args, arg string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(arg), " ")
	var kept []string
	for _, line := range strings.Split(args, "\n") {
		if !strings.HasPrefix(strings.TrimSpace(line), name+" ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(append(kept, arg), "\n")
}

func TestPostgresClusterRefusesWhatCannotBeChanged(t *testing.T) {
	a := newPostgresAPI()
	a.kinds["postgresclusters"] = []object{postgresYAML(t, "pgo-6.0.3/postgrescluster-final.yaml")}
	_, d := postgresPlace(t, a, "pguser6", "hippo6")
	for args, want := range map[string][2]string{
		`postgres_version = 16`:        {"postgres_version", "postgres_version of cluster hippo6 is 15 and cannot become 16"},
		`storage_size = "512Mi"`:       {"storage_size", "volumes do not shrink"},
		`backup_size = "512Mi"`:        {"backup_size", "volumes do not shrink"},
		`image = "lab/antdb-ha:15.20"`: {"image", "nothing says that lab/antdb-ha:15.20 holds the same engine"},
	} {
		_, err := differs(t, d, postgresStep(t, replaceArg(recordedCluster, args)))
		requireAt(t, err, want[0], want[1])
	}
	second := object{"name": "more", "replicas": int64(2), "dataVolumeClaimSpec": object{}}
	sets := a.kinds["postgresclusters"][0]["spec"].(object)["instances"].([]any)
	a.kinds["postgresclusters"][0]["spec"].(object)["instances"] = append(sets, second)
	_, err := differs(t, d, postgresStep(t, recordedCluster))
	requireAt(t, err, "replicas", "several sets of members")
}

func TestOverlayLeavesAloneWhatItIsNotAbout(t *testing.T) {
	have := object{"a": "1", "list": []any{object{"name": "x", "keep": true, "n": "1"}, object{"name": "y"}}, "plain": []any{"p"}}
	want := object{"b": "2", "list": []any{object{"name": "z"}, object{"name": "x", "n": "2"}}, "plain": []any{"q"}}
	got := overlay(have, want)
	require.Equal(t, object{"a": "1", "b": "2", "plain": []any{"q"},
		"list": []any{object{"name": "x", "keep": true, "n": "2"}, object{"name": "y"}, object{"name": "z"}}}, got)
	require.Equal(t, "1", have["list"].([]any)[0].(object)["n"], "what there was is not changed")
}
