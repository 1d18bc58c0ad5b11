package pgo

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/adbsql/antdbctl/engine/module"
)

// object is the PostgresCluster that c asks for. Other defaults than the
// operator's own are not put in.
func (d *postgresDriver) object(c *Cluster) (*unstructured.Unstructured, error) {
	members := int64(c.Replicas) + 1
	spec := postgresSpec{
		PostgresVersion: c.postgresMajor(),
		Image:           c.Image,
		ImagePullPolicy: corev1.PullIfNotPresent,
		Instances: []instanceSet{{
			Name: postgresSet, Replicas: &members, DataVolumeClaimSpec: c.claim(c.StorageSize),
			Resources: c.Resources.quantities(), Affinity: affinity(c.NodeLabel),
		}},
		Backups: &postgresBackups{PGBackRest: &pgBackRest{
			Image: cmp.Or(c.BackupImage, c.Image),
			Repos: []backupRepo{{
				Name: postgresRepo, Schedules: schedules(c.BackupSchedule),
				Volume: &repoVolume{VolumeClaimSpec: c.claim(cmp.Or(c.BackupSize, c.StorageSize))},
			}},
		}},
		Patroni: patroniSettings(c.Parameters, !c.Autofail),
	}
	if u := c.postgresUser(); u != nil {
		spec.Users = []postgresUser{*u}
	}
	if len(c.Labels) > 0 {
		spec.Metadata = &postgresMeta{Labels: c.Labels}
	}
	if c.ServiceType != "" {
		spec.Service = &postgresService{Type: c.ServiceType}
	}
	fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&spec)
	if err != nil {
		return nil, fmt.Errorf("write PostgresCluster %s: %w", d.name, err)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": groupV5 + "/" + d.version, "kind": "PostgresCluster",
		"metadata": map[string]any{"name": d.name, "namespace": d.namespace},
		"spec":     fields,
	}}, nil
}

func (c *Cluster) claim(size string) *claimSpec {
	return &claimSpec{
		AccessModes:      []string{string(corev1.ReadWriteOnce)},
		StorageClassName: c.StorageClass,
		Resources:        &quantities{Requests: map[string]string{"storage": size}},
	}
}

func (r *Resources) quantities() *quantities {
	if r == nil {
		return nil
	}
	pair := func(cpu, memory string) map[string]string {
		all := map[string]string{"cpu": cpu, "memory": memory}
		maps.DeleteFunc(all, func(_, v string) bool { return v == "" })
		return all
	}
	return &quantities{Requests: pair(r.CPU, r.Memory), Limits: pair(r.CPULimit, r.MemoryLimit)}
}

// affinity prefers nodes, as PGO 4 does with a node label.
func affinity(nodeLabel string) *corev1.Affinity {
	key, value, ok := strings.Cut(nodeLabel, "=")
	if !ok {
		return nil
	}
	return &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{PreferredDuringSchedulingIgnoredDuringExecution: []corev1.PreferredSchedulingTerm{{
		Weight: 10,
		Preference: corev1.NodeSelectorTerm{MatchExpressions: []corev1.NodeSelectorRequirement{
			{Key: key, Operator: corev1.NodeSelectorOpIn, Values: []string{value}}}},
	}}}}
}

// backupKinds are what pgBackRest's kinds of backup are called in a schedule.
var backupKinds = map[string]string{"full": "full", "diff": "differential", "incr": "incremental"}

func schedules(wanted map[string]string) map[string]string {
	if len(wanted) == 0 {
		return nil
	}
	all := map[string]string{}
	for kind, when := range wanted {
		all[backupKinds[kind]] = when
	}
	return all
}

// patroniSettings is the part of Patroni's dynamic configuration that arguments
// are about. The operator hands it on, its own settings over it. Without
// failover Patroni is paused, as PGO 4 does it.
func patroniSettings(parameters map[string]string, pause bool) *postgresPatroni {
	settings := map[string]any{}
	if pause {
		settings["pause"] = true
	}
	if len(parameters) > 0 {
		all := map[string]any{}
		for name, value := range parameters {
			all[name] = value
		}
		settings["postgresql"] = map[string]any{"parameters": all}
	}
	if len(settings) == 0 {
		return nil
	}
	return &postgresPatroni{DynamicConfiguration: settings}
}

// postgresUser is the first user; nil leaves it to the operator, which calls
// the user and the database as the cluster.
func (c *Cluster) postgresUser() *postgresUser {
	if c.User == "" && c.Dbname == "" {
		return nil
	}
	return &postgresUser{Name: cmp.Or(c.User, c.Name), Databases: []string{cmp.Or(c.Dbname, c.Name)}}
}

// oldestPostgres is the first major version that PGO 5 takes.
const oldestPostgres = 11

// taggedVersion is a full version of PostgreSQL in an image's tag, as in
// ubi8-15.2-0 or 11.6; 22.04 is one of Ubuntu.
var taggedVersion = regexp.MustCompile(`^(\d\d)\.(0|[1-9]\d?)$`)

// postgresMajor is the major version of PostgreSQL in the image: what the
// runbook says, or the first in the tag that can be one; 0 when neither tells.
func (c *Cluster) postgresMajor() int {
	if c.PostgresVersion != 0 {
		return c.PostgresVersion
	}
	for part := range strings.SplitSeq(c.ref().tag, "-") {
		if m := taggedVersion.FindStringSubmatch(part); m != nil {
			if n, err := strconv.Atoi(m[1]); err == nil && n >= oldestPostgres {
				return n
			}
		}
	}
	return 0
}

// postgresName is what the resource takes for the name of a user.
var postgresName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)

// ownParameters are those that the operator sets over whatever it is told.
var ownParameters = []string{"ssl", "unix_socket_directories", "wal_level"}

// lacks refuses what PGO 5 and 6 have no place for, and what they must be told.
func (d *postgresDriver) lacks(c *Cluster) error {
	var faults []error
	no := func(arg string, wanted bool, why, remedy string) {
		if wanted {
			faults = append(faults, module.At(arg, module.Explain(errors.New(why), remedy)))
		}
	}
	no("storage_config", c.StorageConfig != "", "PGO 5 has no storage configurations of its own", "say storage_size, and storage_class where the default is not meant")
	no("storage_size", c.StorageSize == "", "PGO 5 has no size of volumes of its own", "say how large each data volume is to be, such as 10Gi")
	no("resources_config", c.ResourcesConfig != "", "PGO 5 has no resource configurations of its own", "write a resources block")
	no("metrics", c.Metrics, "PGO 5 takes the metrics container from an image of its own settings, which nobody here can look for on the nodes", "leave metrics out, or add spec.monitoring to the PostgresCluster by hand: it stays")
	no("badger", c.Badger, "PGO 5 has no pgBadger container", "leave badger out")
	no("policies", len(c.Policies) > 0, "PGO 5 has no SQL policies", "run the SQL in a step after this one (sql.query), or take pgo generation 4")
	no("custom_config", c.CustomConfig != "", "PGO 5 takes no ConfigMap with settings of the image", "write the database's settings in parameters")
	no("postgres_version", c.postgresMajor() == 0, fmt.Sprintf("PGO 5 wants to be told the major version of PostgreSQL in the image, and the tag %q does not tell it", c.ref().tag),
		`say it: the number in "postgres --version" of the image (AntDB 4.1 is a PostgreSQL 11)`)
	no("postgres_version", c.PostgresVersion != 0 && c.PostgresVersion < oldestPostgres, fmt.Sprintf("PGO 5 takes PostgreSQL %d and later", oldestPostgres), "take PGO 4")
	no("user", c.User != "" && !postgresName.MatchString(c.User), fmt.Sprintf("%q is no name of a user for PGO 5: lower-case letters, digits and hyphens only", c.User), "make the user by sql.role")
	for _, name := range ownParameters {
		_, said := c.Parameters[name]
		no("parameters", said, "PGO 5 sets "+name+" by itself, whatever it is told", "leave it out")
	}
	for _, kind := range slices.Sorted(maps.Keys(c.BackupSchedule)) {
		no("backup_schedule", backupKinds[kind] == "", fmt.Sprintf("%q is no kind of backup: full, diff, incr", kind), "")
	}
	return errors.Join(faults...)
}
