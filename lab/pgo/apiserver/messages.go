package apiserver

import (
	"encoding/json"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// Status ends most answers; it is embedded, so Code and Msg are top-level keys. Code is "ok" or "error".
type Status struct {
	Code string
	Msg  string
}

func ok(msg string) Status     { return Status{Code: "ok", Msg: msg} }
func failed(msg string) Status { return Status{Code: "error", Msg: msg} }

type versionAnswer struct {
	Version string
	Status
}

type results struct {
	Results []string
	Status
}

// createRequest is the body of POST /clusters. Series left out is 0, and 0 clusters are made then.
type createRequest struct {
	Name, Namespace, NodeLabel, Password, SecretFrom, UserLabels, Policies string
	CCPImage, CCPImageTag                                                  string
	Series, ReplicaCount                                                   int
	ServiceType                                                            string
	MetricsFlag, BadgerFlag, AutofailFlag, ArchiveFlag                     bool
	BackrestStorageType                                                    string
	PgbouncerFlag                                                          bool
	CustomConfig, StorageConfig, ReplicaStorageConfig, ContainerResources  string
	ClientVersion                                                          string
	PodAntiAffinity                                                        string
	SyncReplication                                                        *bool
}

// createAnswer is the one answer that nests its status.
type createAnswer struct {
	Results []string `json:"results"`
	Status  Status   `json:"status"`
}

type showRequest struct {
	Clustername, Selector, CCPImageTag, ClientVersion, Namespace string
	AllFlag                                                      bool
}

type showAnswer struct {
	Results []clusterDetail
	Status
}

type clusterDetail struct {
	Cluster     crv1.Cluster `json:"cluster"`
	Deployments []deploymentDetail
	Pods        []podDetail
	Services    []serviceDetail
	Replicas    []replicaDetail
}

type deploymentDetail struct {
	Name         string
	PolicyLabels []string
}

type podDetail struct {
	Name        string
	Phase       string
	NodeName    string
	PVCName     map[string]string
	ReadyStatus string
	Ready       bool
	Primary     bool
	Type        string
}

type serviceDetail struct {
	Name         string
	Data         string
	ClusterIP    string
	ExternalIP   string
	ClusterName  string
	Pgbouncer    bool
	BackrestRepo bool
}

type replicaDetail struct{ Name string }

type testAnswer struct {
	Results []testResult
	Status
}

type testResult struct {
	ClusterName string
	Endpoints   []testDetail
	Instances   []testDetail
}

type testDetail struct {
	Available    bool
	Message      string
	InstanceType string
}

type deleteRequest struct {
	Clustername, Selector, ClientVersion, Namespace string
	AllFlag, DeleteBackups, DeleteData              bool
}

type failoverRequest struct {
	Namespace, ClusterName, Target, ClientVersion string
}

type failoverAnswer struct {
	Results []string
	Targets string
	Status
}

type workflowAnswer struct {
	Results workflowDetail
	Status
}

type workflowDetail struct {
	ClusterName string
	Parameters  map[string]string
}

type namespaceRequest struct {
	Args          []string
	AllFlag       bool
	ClientVersion string
}

type namespaceAnswer struct {
	Username string
	Results  []namespaceDetail
	Status
}

type namespaceDetail struct {
	Namespace          string
	InstallationAccess bool
	UserAccess         bool
}

// userRequest is the union of the bodies of the four user calls.
type userRequest struct {
	Clusters                                       []string
	Selector, Namespace, ClientVersion             string
	AllFlag                                        bool
	Username, Password, Expired                    string
	ManagedUser, ExpireUser, PasswordAgeDaysUpdate bool
	PasswordAgeDays, PasswordLength                int
}

type userAnswer struct {
	Results []userDetail
	Status
}

// userDetail leaves the cluster's kind out, as the original does here and only here.
type userDetail struct {
	Cluster       crv1.Cluster
	Secrets       []secretDetail
	ExpiredOutput bool
	ExpiredDays   int
	ExpiredMsgs   []string
}

type secretDetail struct {
	Name     string
	Username string
	Password string
}

// read decodes the body. A body that is no JSON leaves the zero value, whose empty ClientVersion then answers with
// the version mismatch: that is how the original behaves.
func read[T any](c *call) T {
	var request T
	_ = json.NewDecoder(c.Body).Decode(&request)
	return request
}
