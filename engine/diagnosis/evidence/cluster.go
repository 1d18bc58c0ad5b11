package evidence

// Facts about Kubernetes. Ages are in seconds at the time the fact was seen; -1
// says that it never happened, or that nobody knows. Sizes are in bytes.

// Pod is a pod. Its Place has namespace, pod, node and, by the operator's
// labels, cluster.
type Pod struct {
	Phase      string            `cty:"phase"` // Pending, Running, Succeeded, Failed, Unknown
	Reason     string            `cty:"reason"`
	Message    string            `cty:"message"`
	Ready      bool              `cty:"ready"`
	ReadyAge   int64             `cty:"ready_age"` // since its Ready condition last changed
	Age        int64             `cty:"age"`
	Deleting   int64             `cty:"deleting"` // age of the deletion mark; -1 when it has none
	Scheduled  bool              `cty:"scheduled"`
	Scheduling string            `cty:"scheduling"` // message of the PodScheduled condition when false
	Node       string            `cty:"node"`
	IP         string            `cty:"ip"`
	Role       string            `cty:"role"`  // database (primary or replica by its role label), repository, job, operator, system, other
	Leads      bool              `cty:"leads"` // its role label says primary or master
	Labels     map[string]string `cty:"labels"`
	Owner      string            `cty:"owner"` // "Job/x", "ReplicaSet/x"
	Claims     []string          `cty:"claims"`
}

// Container is a container of a pod.
type Container struct {
	Image       string `cty:"image"`
	ImageID     string `cty:"image_id"`
	Init        bool   `cty:"init"`
	State       string `cty:"state"` // waiting, running, terminated
	Reason      string `cty:"reason"`
	Message     string `cty:"message"`
	ExitCode    int64  `cty:"exit_code"` // of a terminated one; -1 otherwise
	Ready       bool   `cty:"ready"`
	Restarts    int64  `cty:"restarts"`
	LastReason  string `cty:"last_reason"` // of the run before
	LastMessage string `cty:"last_message"`
	LastExit    int64  `cty:"last_exit"`  // exit code of the run before; -1 when there was none
	LastEnded   int64  `cty:"last_ended"` // age of the end of the run before
	Started     int64  `cty:"started"`    // age of the start of this run
	PullPolicy  string `cty:"pull_policy"`
	MemoryLimit int64  `cty:"memory_limit"` // 0: none
}

// Claim is a PersistentVolumeClaim.
type Claim struct {
	Phase   string   `cty:"phase"` // Pending, Bound, Lost
	Class   string   `cty:"class"` // "": the default class
	Volume  string   `cty:"volume"`
	Request int64    `cty:"request"`
	Modes   []string `cty:"modes"`
	Age     int64    `cty:"age"`
	Used    bool     `cty:"used"` // a pod mounts it
}

// Volume is a PersistentVolume.
type Volume struct {
	Phase  string   `cty:"phase"` // Available, Bound, Released, Failed
	Claim  string   `cty:"claim"` // namespace/name
	Class  string   `cty:"class"`
	Size   int64    `cty:"size"`
	Modes  []string `cty:"modes"`
	Path   string   `cty:"path"`   // of a hostPath or local volume
	Nodes  []string `cty:"nodes"`  // that it is bound to
	Policy string   `cty:"policy"` // Retain, Delete
}

// StorageClass is a class of storage.
type StorageClass struct {
	Provisioner string `cty:"provisioner"`
	Default     bool   `cty:"default"`
	Binding     string `cty:"binding"` // Immediate, WaitForFirstConsumer
}

// Job is a Job.
type Job struct {
	Active    int64  `cty:"active"`
	Succeeded int64  `cty:"succeeded"`
	Failed    int64  `cty:"failed"`
	Over      string `cty:"over"` // Complete, Failed, or "" while it runs
	Reason    string `cty:"reason"`
	Message   string `cty:"message"`
	Age       int64  `cty:"age"`
	Purpose   string `cty:"purpose"` // stanza-create, backup, rmdata, other
}

// Workload is a Deployment, ReplicaSet or StatefulSet that should have pods.
type Workload struct {
	Type    string `cty:"type"`
	Wants   int64  `cty:"wants"`
	Has     int64  `cty:"has"`
	Ready   int64  `cty:"ready"`
	Failure string `cty:"failure"` // message of its ReplicaFailure condition
	Age     int64  `cty:"age"`
}

// Node is a node as the cluster sees it.
type Node struct {
	Ready         bool     `cty:"ready"`
	ReadyAge      int64    `cty:"ready_age"` // since its Ready condition last changed
	Reason        string   `cty:"reason"`
	Message       string   `cty:"message"`
	Pressures     []string `cty:"pressures"` // DiskPressure, MemoryPressure, PIDPressure
	Unschedulable bool     `cty:"unschedulable"`
	Taints        []string `cty:"taints"`  // key=value:effect
	Runtime       string   `cty:"runtime"` // containerd://1.6.20
	Kubelet       string   `cty:"kubelet"`
	Address       string   `cty:"address"`
	Images        []string `cty:"images"` // names, as the node reports them (50 at most, by default)
	HeartbeatAge  int64    `cty:"heartbeat_age"`
}

// Service is a Service.
type Service struct {
	Type      string            `cty:"type"`
	ClusterIP string            `cty:"cluster_ip"`
	Selector  map[string]string `cty:"selector"`
	Ready     int64             `cty:"ready"`     // endpoints that are
	NotReady  int64             `cty:"not_ready"` // endpoints that are not
	Database  bool              `cty:"database"`  // it leads to a database cluster
}

// Quota is one limit of a ResourceQuota.
type Quota struct {
	Resource string `cty:"resource"`
	Used     string `cty:"used"`
	Hard     string `cty:"hard"`
	Full     bool   `cty:"full"`
}

// Access is an answer about a right.
type Access struct {
	Who      string `cty:"who"` // "system:serviceaccount:ns:pgo-pg"; "": the user that asks
	Verb     string `cty:"verb"`
	Resource string `cty:"resource"`
	Allowed  bool   `cty:"allowed"`
	Reason   string `cty:"reason"`
	Exists   bool   `cty:"exists"` // who, when it is a service account
}

// Record is a ConfigMap or Secret that a database cluster needs or Patroni
// keeps. Of a Secret only the names of its keys are known.
type Record struct {
	Type        string            `cty:"type"`    // ConfigMap, Secret, Endpoints
	Purpose     string            `cty:"purpose"` // config, leader, failover, sync (Patroni's), backrest, user, other
	Annotations map[string]string `cty:"annotations"`
	Keys        []string          `cty:"keys"`
	Age         int64             `cty:"age"`
	Orphan      bool              `cty:"orphan"` // no cluster and no pod of its name is there
}

// APIServer is the Kubernetes API server.
type APIServer struct {
	Version string  `cty:"version"`
	Millis  float64 `cty:"millis"` // median of some small requests
	Error   string  `cty:"error"`
}

// DNS is the cluster's name service.
type DNS struct {
	Ready  int64  `cty:"ready"` // endpoints
	Wants  int64  `cty:"wants"`
	Answer string `cty:"answer"` // of a lookup of kubernetes.default inside a pod, where one was made
	Error  string `cty:"error"`
}
