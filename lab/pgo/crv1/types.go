// Package crv1 holds the custom resources of PGO 4.2.1 (group crunchydata.com, version v1) as they were observed:
// the order and the odd spelling of the JSON keys are the original's, since clients read them.
package crv1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// Group and Version of all kinds.
const (
	Group   = "crunchydata.com"
	Version = "v1"
)

// The resources the stand-in works on.
var (
	Clusters = schema.GroupVersionResource{Group: Group, Version: Version, Resource: "pgclusters"}
	Replicas = schema.GroupVersionResource{Group: Group, Version: Version, Resource: "pgreplicas"}
	Tasks    = schema.GroupVersionResource{Group: Group, Version: Version, Resource: "pgtasks"}
)

// States of a Pgcluster. Processed means no more than "seen by the operator"; only Initialized tells that the first
// backup is done.
const (
	ClusterCreated     = "pgcluster Created"
	ClusterProcessed   = "pgcluster Processed"
	ClusterInitialized = "pgcluster Initialized"
	ReplicaCreated     = "pgreplica Created"
	ReplicaPendingInit = "pgreplica Pending init"
	ReplicaProcessed   = "pgreplica Processed"
	TaskCreated        = "pgtask Created"
	TaskProcessed      = "pgtask Processed"
)

// Completed is the value of spec.status once the Deployments were made.
const Completed = "completed"

// Task types the operator acts upon.
const (
	TaskWorkflow   = "workflow"
	TaskBackrest   = "backrest"
	TaskDeleteData = "delete-data"
	TaskFailover   = "failover"
	TaskUpgrade    = "minorupgradecluster"
)

// Status is the same for the three kinds.
type Status struct {
	State   string `json:"state,omitempty"`
	Message string `json:"message,omitempty"`
}

// Storage says what claim to make.
type Storage struct {
	Name               string `json:"name"`
	StorageClass       string `json:"storageclass"`
	AccessMode         string `json:"accessmode"`
	Size               string `json:"size"`
	StorageType        string `json:"storagetype"`
	Fsgroup            string `json:"fsgroup"`
	SupplementalGroups string `json:"supplementalgroups"`
	MatchLabels        string `json:"matchLabels"`
}

// Resources are a container's requests and limits.
type Resources struct {
	RequestsMemory string `json:"requestsmemory"`
	RequestsCPU    string `json:"requestscpu"`
	LimitsMemory   string `json:"limitsmemory"`
	LimitsCPU      string `json:"limitscpu"`
}

// Cluster is a Pgcluster.
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ClusterSpec `json:"spec"`
	Status            Status      `json:"status,omitempty"`
}

// ClusterSpec is the specification of a Pgcluster.
type ClusterSpec struct {
	Namespace          string            `json:"namespace"`
	Name               string            `json:"name"`
	ClusterName        string            `json:"clustername"`
	Policies           string            `json:"policies"`
	CCPImage           string            `json:"ccpimage"`
	CCPImageTag        string            `json:"ccpimagetag"`
	Port               string            `json:"port"`
	PGBadgerPort       string            `json:"pgbadgerport"`
	ExporterPort       string            `json:"exporterport"`
	NodeName           string            `json:"nodename"`
	PrimaryStorage     Storage           `json:"PrimaryStorage"`
	ArchiveStorage     Storage           `json:"ArchiveStorage"`
	ReplicaStorage     Storage           `json:"ReplicaStorage"`
	BackrestStorage    Storage           `json:"BackrestStorage"`
	ContainerResources Resources         `json:"ContainerResources"`
	PrimaryHost        string            `json:"primaryhost"`
	User               string            `json:"user"`
	Database           string            `json:"database"`
	Replicas           string            `json:"replicas"`
	Strategy           string            `json:"strategy"`
	SecretFrom         string            `json:"secretfrom"`
	UserSecretName     string            `json:"usersecretname"`
	RootSecretName     string            `json:"rootsecretname"`
	PrimarySecretName  string            `json:"primarysecretname"`
	CollectSecretName  string            `json:"collectSecretName"`
	Status             string            `json:"status"`
	PswLastUpdate      string            `json:"pswlastupdate"`
	CustomConfig       string            `json:"customconfig"`
	UserLabels         map[string]string `json:"userlabels"`
	PodAntiAffinity    string            `json:"podPodAntiAffinity"`
	SyncReplication    *bool             `json:"syncReplication"`
	BackrestS3Bucket   string            `json:"backrestS3Bucket"`
	BackrestS3Region   string            `json:"backrestS3Region"`
	BackrestS3Endpoint string            `json:"backrestS3Endpoint"`
}

// Replica is a Pgreplica.
type Replica struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ReplicaSpec `json:"spec"`
	Status            Status      `json:"status,omitempty"`
}

// ReplicaSpec is the specification of a Pgreplica.
type ReplicaSpec struct {
	Namespace          string            `json:"namespace"`
	Name               string            `json:"name"`
	ClusterName        string            `json:"clustername"`
	ReplicaStorage     Storage           `json:"replicastorage"`
	ContainerResources Resources         `json:"containerresources"`
	Status             string            `json:"status"`
	UserLabels         map[string]string `json:"userlabels"`
}

// Task is a Pgtask: a command to the operator, or the record of a workflow.
type Task struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              TaskSpec `json:"spec"`
	Status            Status   `json:"status,omitempty"`
}

// TaskSpec is the specification of a Pgtask.
type TaskSpec struct {
	Namespace   string            `json:"namespace"`
	Name        string            `json:"name"`
	StorageSpec Storage           `json:"storagespec"`
	TaskType    string            `json:"tasktype"`
	Status      string            `json:"status"`
	Parameters  map[string]string `json:"parameters"`
}
