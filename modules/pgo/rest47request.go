package pgo

import "strings"

// createRequest47 is the body of POST /clusters, with the fields of the recorded
// request of PGO 4.7.10, in its order.
type createRequest47 struct {
	Name, Namespace string

	NodeAffinityType int
	NodeLabel        string
	PasswordLength   int

	PasswordSuperuser, PasswordReplication, Password, SecretFrom string

	UserLabels  map[string]string
	Tablespaces []struct{}

	Policies, CCPImage, CCPImageTag, CCPImagePrefix, PGOImagePrefix string

	ReplicaCount int
	ServiceType  string
	MetricsFlag  bool

	ExporterCPULimit, ExporterCPURequest, ExporterMemoryLimit, ExporterMemoryRequest string

	BadgerFlag, AutofailFlag, ArchiveFlag bool

	BackrestStorageType string
	PgbouncerFlag       bool
	PgBouncerReplicas   int

	PgBouncerServiceType, PgBouncerTLSSecret string

	CustomConfig, StorageConfig, WALStorageConfig, ReplicaStorageConfig string

	ClientVersion, PasswordType string

	PodAntiAffinity, PodAntiAffinityPgBackRest, PodAntiAffinityPgBouncer string

	SyncReplication *bool

	BackrestConfig, BackrestGCSBucket, BackrestGCSEndpoint, BackrestGCSKey, BackrestGCSKeyType string

	BackrestS3Key, BackrestS3KeySecret, BackrestS3Bucket, BackrestS3Region, BackrestS3Endpoint, BackrestS3URIStyle string

	BackrestS3VerifyTLS int
	Standby             bool

	BackrestRepoPath, PVCSize, BackrestPVCSize, WALPVCSize, Username string

	ShowSystemAccounts bool
	Database           string
	TLSOnly            bool

	TLSSecret, CASecret, ReplicationTLSSecret string

	CPULimit, CPURequest, MemoryLimit, MemoryRequest string

	PgBouncerCPULimit, PgBouncerCPURequest, PgBouncerMemoryLimit, PgBouncerMemoryRequest string

	BackrestCPULimit, BackrestCPURequest, BackrestMemoryLimit, BackrestMemoryRequest string

	BackrestStorageConfig, BackrestS3CASecretName string

	PGDataSource dataSource47
	Annotations  annotations47 `json:"annotations"`
	Tolerations  []struct{}    `json:"tolerations"`
}

type dataSource47 struct {
	Namespace   string `json:"namespace"`
	RestoreFrom string `json:"restoreFrom"`
	RestoreOpts string `json:"restoreOpts"`
}

type annotations47 struct {
	Backrest  map[string]string `json:"backrest"`
	Global    map[string]string `json:"global"`
	PgBouncer map[string]string `json:"pgBouncer"`
	Postgres  map[string]string `json:"postgres"`
}

// request47 asks for what the runbook says, and leaves the rest as the pgo
// client does when it is told nothing.
func (c *Cluster) request47(namespace, version string) createRequest47 {
	ref, none, want := c.ref(), map[string]string{}, Resources{}
	if c.Resources != nil {
		want = *c.Resources
	}
	labels := c.Labels
	if labels == nil {
		labels = none
	}
	password := c.Password.Reveal()
	return createRequest47{
		Name: c.Name, Namespace: namespace, NodeLabel: c.NodeLabel,
		PasswordSuperuser: password, PasswordReplication: password, Password: password,
		UserLabels: labels, Tablespaces: []struct{}{}, Policies: strings.Join(c.Policies, ","),
		CCPImage: ref.name, CCPImageTag: ref.tag, CCPImagePrefix: ref.prefix, ReplicaCount: c.Replicas, ServiceType: c.ServiceType,
		MetricsFlag: c.Metrics, BadgerFlag: c.Badger, AutofailFlag: c.Autofail,
		CustomConfig: c.CustomConfig, StorageConfig: c.StorageConfig, ClientVersion: version, BackrestGCSKeyType: "service",
		PVCSize: c.StorageSize, BackrestPVCSize: firstOf(c.BackupSize, c.StorageSize), Username: c.User, Database: c.Dbname,
		CPULimit: want.CPULimit, CPURequest: want.CPU, MemoryLimit: want.MemoryLimit, MemoryRequest: want.Memory,
		Annotations: annotations47{none, none, none, none}, Tolerations: []struct{}{},
	}
}
