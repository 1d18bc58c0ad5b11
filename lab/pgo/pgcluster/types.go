// Package pgcluster is a thin stand-in for PGO 4.7.10: it turns Pgclusters, whether they come by REST or as resources
// alone, into the objects that the original was seen to make. The kinds are those of 4.2 by name, not by content.
package pgcluster

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// Version is the version the apiserver demands from its clients.
const Version = "4.7.10"

// Annotations of a Pgcluster. Without the first, which is the name of the first volume, nothing is made of it.
const (
	currentPrimary    = "current-primary"
	primaryDeployment = "primary-deployment"
)

// Cluster is a Pgcluster. The order of the keys is the original's.
type Cluster struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ClusterSpec `json:"spec"`
	Status            crv1.Status `json:"status,omitempty"`
}

// Storage says what claim to make.
type Storage struct {
	Name               string `json:"name"`
	StorageClass       string `json:"storageclass"`
	AccessMode         string `json:"accessmode"`
	Size               string `json:"size"`
	StorageType        string `json:"storagetype"`
	SupplementalGroups string `json:"supplementalgroups"`
	MatchLabels        string `json:"matchLabels"`
}

// Amounts are requests or limits.
type Amounts map[string]string

// ClusterSpec is the specification of a Pgcluster.
type ClusterSpec struct {
	Name                 string            `json:"name"`
	ClusterName          string            `json:"clustername"`
	Policies             string            `json:"policies"`
	CCPImage             string            `json:"ccpimage"`
	CCPImageTag          string            `json:"ccpimagetag"`
	CCPImagePrefix       string            `json:"ccpimageprefix"`
	PGOImagePrefix       string            `json:"pgoimageprefix"`
	Port                 string            `json:"port"`
	DisableAutofail      bool              `json:"disableAutofail"`
	PGBadger             bool              `json:"pgBadger"`
	PGBadgerPort         string            `json:"pgbadgerport"`
	Exporter             bool              `json:"exporter"`
	ExporterPort         string            `json:"exporterport"`
	PrimaryStorage       Storage           `json:"PrimaryStorage"`
	WALStorage           Storage           `json:"WALStorage"`
	ReplicaStorage       Storage           `json:"ReplicaStorage"`
	BackrestStorage      Storage           `json:"BackrestStorage"`
	PGAdminStorage       Storage           `json:"PGAdminStorage"`
	Resources            Amounts           `json:"resources"`
	Limits               Amounts           `json:"limits"`
	BackrestResources    Amounts           `json:"backrestResources"`
	BackrestLimits       Amounts           `json:"backrestLimits"`
	ExporterResources    Amounts           `json:"exporterResources"`
	ExporterLimits       Amounts           `json:"exporterLimits"`
	PGBouncer            PGBouncer         `json:"pgBouncer"`
	User                 string            `json:"user"`
	PasswordType         string            `json:"passwordType"`
	Database             string            `json:"database"`
	Replicas             string            `json:"replicas"`
	Status               string            `json:"status"`
	CustomConfig         string            `json:"customconfig"`
	UserLabels           map[string]string `json:"userlabels"`
	NodeAffinity         map[string]any    `json:"nodeAffinity"`
	PodAntiAffinity      PodAntiAffinity   `json:"podAntiAffinity"`
	BackrestGCSBucket    string            `json:"backrestGCSBucket"`
	BackrestGCSEndpoint  string            `json:"backrestGCSEndpoint"`
	BackrestGCSKeyType   string            `json:"backrestGCSKeyType"`
	BackrestS3Bucket     string            `json:"backrestS3Bucket"`
	BackrestS3Region     string            `json:"backrestS3Region"`
	BackrestS3Endpoint   string            `json:"backrestS3Endpoint"`
	BackrestS3URIStyle   string            `json:"backrestS3URIStyle"`
	BackrestS3VerifyTLS  string            `json:"backrestS3VerifyTLS"`
	BackrestRepoPath     string            `json:"backrestRepoPath"`
	BackrestStorageTypes []string          `json:"backrestStorageTypes"`
	TablespaceMounts     map[string]any    `json:"tablespaceMounts"`
	TLS                  TLS               `json:"tls"`
	TLSOnly              bool              `json:"tlsOnly"`
	Standby              bool              `json:"standby"`
	Shutdown             bool              `json:"shutdown"`
	PGDataSource         PGDataSource      `json:"pgDataSource"`
	Annotations          Annotations       `json:"annotations"`
	ServiceType          string            `json:"serviceType"`
	Tolerations          []any             `json:"tolerations"`
}

// PGBouncer is kept and not acted upon.
type PGBouncer struct {
	Replicas    int     `json:"replicas"`
	Resources   Amounts `json:"resources"`
	Limits      Amounts `json:"limits"`
	ServiceType string  `json:"serviceType"`
	TLSSecret   string  `json:"tlsSecret"`
}

// PodAntiAffinity is "preferred", "required" or "disabled" for each kind of pod.
type PodAntiAffinity struct {
	Default    string `json:"default"`
	PGBackRest string `json:"pgBackRest"`
	PGBouncer  string `json:"pgBouncer"`
}

// TLS names Secrets; kept and not acted upon.
type TLS struct {
	CASecret             string `json:"caSecret"`
	ReplicationTLSSecret string `json:"replicationTLSSecret"`
	TLSSecret            string `json:"tlsSecret"`
}

// PGDataSource is kept and not acted upon.
type PGDataSource struct {
	Namespace   string `json:"namespace"`
	RestoreFrom string `json:"restoreFrom"`
	RestoreOpts string `json:"restoreOpts"`
}

// Annotations are those of the objects by their kind; kept and not acted upon.
type Annotations struct {
	Backrest  map[string]string `json:"backrest"`
	Global    map[string]string `json:"global"`
	PGBouncer map[string]string `json:"pgBouncer"`
	Postgres  map[string]string `json:"postgres"`
}

// Replica is a Pgreplica.
type Replica struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              ReplicaSpec `json:"spec"`
	Status            crv1.Status `json:"status,omitempty"`
}

// ReplicaSpec is the specification of a Pgreplica.
type ReplicaSpec struct {
	Name           string            `json:"name"`
	ClusterName    string            `json:"clustername"`
	ReplicaStorage Storage           `json:"replicastorage"`
	ServiceType    string            `json:"serviceType"`
	Status         string            `json:"status"`
	Tolerations    []any             `json:"tolerations"`
	UserLabels     map[string]string `json:"userlabels"`
}

// Task is a Pgtask.
type Task struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata"`
	Spec              TaskSpec    `json:"spec"`
	Status            crv1.Status `json:"status,omitempty"`
}

// TaskSpec is the specification of a Pgtask.
type TaskSpec struct {
	Name        string            `json:"name"`
	StorageSpec Storage           `json:"storagespec"`
	TaskType    string            `json:"tasktype"`
	Status      string            `json:"status"`
	Parameters  map[string]string `json:"parameters"`
}

func clusterStore(c dynamic.Interface) crv1.Store[Cluster] {
	return crv1.StoreOf[Cluster](c, crv1.Clusters, "Pgcluster")
}

func replicaStore(c dynamic.Interface) crv1.Store[Replica] {
	return crv1.StoreOf[Replica](c, crv1.Replicas, "Pgreplica")
}

func taskStore(c dynamic.Interface) crv1.Store[Task] {
	return crv1.StoreOf[Task](c, crv1.Tasks, "Pgtask")
}

func configName(cluster string) string { return cluster + "-pgha-config" }
