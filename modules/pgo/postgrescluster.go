package pgo

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
)

// Everything that belongs to a cluster of PGO v5 and v6 carries labels of the
// operator's group.
const (
	postgresFinalizer = groupV5 + "/finalizer"

	postgresLabel       = groupV5 + "/cluster"
	postgresRole        = groupV5 + "/role" // of pods: "master", by Patroni, or "replica"
	postgresData        = groupV5 + "/data" // "postgres" or "pgbackrest"
	postgresInstance    = groupV5 + "/instance"
	postgresInstanceSet = groupV5 + "/instance-set"
	postgresUserLabel   = groupV5 + "/pguser"
	postgresBackup      = groupV5 + "/pgbackrest-backup" // of Jobs
	firstBackup         = "replica-create"
)

// What a cluster that is made here calls its one set of members and its one
// backup repository.
const (
	postgresSet  = "db"
	postgresRepo = "repo1"
)

// postgresCluster is a PostgresCluster, as far as this package reads it.
type postgresCluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`

	Spec   postgresSpec   `json:"spec"`
	Status postgresStatus `json:"status"`
}

// postgresSpec is what this package sends of a PostgresCluster. All can be left
// out, so that it tells a change as well.
type postgresSpec struct {
	Metadata        *postgresMeta     `json:"metadata,omitempty"` // for all objects of the cluster
	PostgresVersion int               `json:"postgresVersion,omitempty"`
	Image           string            `json:"image,omitempty"`
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy,omitempty"`
	Users           []postgresUser    `json:"users,omitempty"`
	Instances       []instanceSet     `json:"instances,omitempty"`
	Backups         *postgresBackups  `json:"backups,omitempty"`
	Patroni         *postgresPatroni  `json:"patroni,omitempty"`
	Service         *postgresService  `json:"service,omitempty"`

	Paused   *bool `json:"paused,omitempty"`   // the operator leaves the cluster alone
	Shutdown *bool `json:"shutdown,omitempty"` // no member runs
}

type postgresMeta struct {
	Labels map[string]string `json:"labels,omitempty"`
}

type postgresUser struct {
	Name      string   `json:"name"`
	Databases []string `json:"databases,omitempty"`
}

// instanceSet is a group of equal members; the operator makes a StatefulSet of
// one pod for each.
type instanceSet struct {
	Name                string           `json:"name"`
	Replicas            *int64           `json:"replicas,omitempty"` // the primary among them; 1 without
	DataVolumeClaimSpec *claimSpec       `json:"dataVolumeClaimSpec,omitempty"`
	Resources           *quantities      `json:"resources,omitempty"`
	Affinity            *corev1.Affinity `json:"affinity,omitempty"`
}

func (s instanceSet) members() int64 {
	if s.Replicas == nil {
		return 1
	}
	return *s.Replicas
}

type claimSpec struct {
	AccessModes      []string    `json:"accessModes,omitempty"`
	StorageClassName string      `json:"storageClassName,omitempty"`
	Resources        *quantities `json:"resources,omitempty"`
}

// quantities are kept as they were written.
type quantities struct {
	Requests map[string]string `json:"requests,omitempty"`
	Limits   map[string]string `json:"limits,omitempty"`
}

// size is what a claim asks for.
func (c *claimSpec) size() string {
	if c == nil || c.Resources == nil {
		return ""
	}
	return c.Resources.Requests["storage"]
}

type postgresBackups struct {
	PGBackRest *pgBackRest `json:"pgbackrest,omitempty"`
}

type pgBackRest struct {
	Image string       `json:"image,omitempty"`
	Repos []backupRepo `json:"repos,omitempty"`
}

type backupRepo struct {
	Name      string            `json:"name"`
	Schedules map[string]string `json:"schedules,omitempty"` // full, differential, incremental
	Volume    *repoVolume       `json:"volume,omitempty"`
}

type repoVolume struct {
	VolumeClaimSpec *claimSpec `json:"volumeClaimSpec,omitempty"`
}

type postgresPatroni struct {
	DynamicConfiguration map[string]any `json:"dynamicConfiguration,omitempty"`
}

type postgresService struct {
	Type string `json:"type,omitempty"`
}

// postgresStatus has no word for "ready": see postgresCluster.serving.
type postgresStatus struct {
	ObservedGeneration int64              `json:"observedGeneration"`
	Conditions         []metav1.Condition `json:"conditions"`
	Instances          []instanceStatus   `json:"instances"`
	UsersRevision      string             `json:"usersRevision"` // there once the users are in the database
}

type instanceStatus struct {
	Name            string `json:"name"`
	Replicas        int64  `json:"replicas"`
	ReadyReplicas   int64  `json:"readyReplicas"`
	UpdatedReplicas int64  `json:"updatedReplicas"`
}

// postgresClusterOf reads an object of the API server.
func postgresClusterOf(u *unstructured.Unstructured) (*postgresCluster, error) {
	pc := &postgresCluster{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, pc); err != nil {
		return nil, fmt.Errorf("read PostgresCluster %s: %w", u.GetName(), err)
	}
	return pc, nil
}
