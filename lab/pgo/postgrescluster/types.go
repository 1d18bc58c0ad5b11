// Package postgrescluster is a thin stand-in for PGO 5 and 6: it turns a PostgresCluster into the objects that the
// originals were seen to make, whose pods run PostgreSQL under Patroni and back it up with pgBackRest.
package postgrescluster

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group, and the resource in the version that is stored.
const Group = "postgres-operator.crunchydata.com"

// Resource is what the stand-in reads and writes; the newer version v1 is the same object.
var Resource = schema.GroupVersionResource{Group: Group, Version: "v1beta1", Resource: "postgresclusters"}

// Finalizer keeps a PostgresCluster until its instances have stopped in good order.
const Finalizer = Group + "/finalizer"

// Cluster is a PostgresCluster as far as the stand-in looks at it.
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              Spec   `json:"spec"`
	Status            Status `json:"status"`
}

// Spec has the fields that are acted upon; others are kept in the object and ignored.
type Spec struct {
	PostgresVersion int               `json:"postgresVersion"`
	Image           string            `json:"image"`
	ImagePullPolicy corev1.PullPolicy `json:"imagePullPolicy"`
	Port            int32             `json:"port"`
	Shutdown        bool              `json:"shutdown"`
	Paused          bool              `json:"paused"`
	Instances       []InstanceSet     `json:"instances"`
	Users           []User            `json:"users"`
	Backups         struct {
		PGBackRest struct {
			Image string `json:"image"`
			Repos []Repo `json:"repos"`
		} `json:"pgbackrest"`
	} `json:"backups"`
	Patroni struct {
		DynamicConfiguration map[string]any `json:"dynamicConfiguration"`
	} `json:"patroni"`
	Config struct {
		Parameters map[string]any `json:"parameters"`
	} `json:"config"`
}

// InstanceSet is a number of instances of one kind.
type InstanceSet struct {
	Name                string                           `json:"name"`
	Replicas            int                              `json:"replicas"`
	DataVolumeClaimSpec corev1.PersistentVolumeClaimSpec `json:"dataVolumeClaimSpec"`
	Resources           corev1.ResourceRequirements      `json:"resources"`
	Affinity            *corev1.Affinity                 `json:"affinity"`
	Tolerations         []corev1.Toleration              `json:"tolerations"`
}

// Repo is a repository of backups; only those on a volume are made.
type Repo struct {
	Name   string `json:"name"`
	Volume *struct {
		VolumeClaimSpec corev1.PersistentVolumeClaimSpec `json:"volumeClaimSpec"`
	} `json:"volume"`
}

// User is a role that the operator keeps.
type User struct {
	Name      string   `json:"name"`
	Databases []string `json:"databases"`
	Options   string   `json:"options"`
	Password  *struct {
		Type string `json:"type"`
	} `json:"password"`
}

// Status is what was seen; the keys are in the order of their names, as kubectl shows them.
type Status struct {
	Conditions         []metav1.Condition `json:"conditions,omitempty"`
	DatabaseRevision   string             `json:"databaseRevision,omitempty"`
	Instances          []InstanceStatus   `json:"instances,omitempty"`
	Monitoring         *Monitoring        `json:"monitoring,omitempty"`
	ObservedGeneration int64              `json:"observedGeneration,omitempty"`
	Patroni            *PatroniStatus     `json:"patroni,omitempty"`
	PGBackRest         *BackRestStatus    `json:"pgbackrest,omitempty"`
	PostgresVersion    *int               `json:"postgresVersion,omitempty"` // always 0, and in version 6 only
	Proxy              *Proxy             `json:"proxy,omitempty"`
	UsersRevision      string             `json:"usersRevision,omitempty"`
}

// InstanceStatus counts the pods of one set; a count of 0 is left out.
type InstanceStatus struct {
	Name            string `json:"name"`
	ReadyReplicas   int    `json:"readyReplicas,omitempty"`
	Replicas        int    `json:"replicas,omitempty"`
	UpdatedReplicas int    `json:"updatedReplicas,omitempty"`
}

// PatroniStatus has the identity of the database, once there is one.
type PatroniStatus struct {
	SystemIdentifier string `json:"systemIdentifier,omitempty"`
}

// BackRestStatus tells of the repository.
type BackRestStatus struct {
	RepoHost *RepoHostStatus `json:"repoHost,omitempty"`
	Repos    []RepoStatus    `json:"repos,omitempty"`
}

// RepoHostStatus tells of the repository's StatefulSet.
type RepoHostStatus struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Ready      bool   `json:"ready"`
}

// RepoStatus tells of one repository.
type RepoStatus struct {
	Bound                       bool   `json:"bound,omitempty"`
	Name                        string `json:"name"`
	ReplicaCreateBackupComplete bool   `json:"replicaCreateBackupComplete,omitempty"`
	StanzaCreated               bool   `json:"stanzaCreated"`
	Volume                      string `json:"volume,omitempty"`
}

// Monitoring and Proxy hold revisions of what the stand-in does not make: they were there without monitoring and proxy.
type Monitoring struct {
	ExporterConfiguration string `json:"exporterConfiguration"`
}

// Proxy is that of the connection pooler.
type Proxy struct {
	PGBouncer struct {
		PostgresRevision string `json:"postgresRevision"`
	} `json:"pgBouncer"`
}
