package crv1

// Labels, as observed on the objects.
const (
	LabelVendor         = "vendor"
	Vendor              = "crunchydata"
	LabelInstallation   = "pgo-installation-name"
	LabelCluster        = "pg-cluster"
	LabelName           = "name"
	LabelScope          = "crunchy-pgha-scope"
	LabelRole           = "role"
	LabelDeployment     = "deployment-name"
	LabelServiceName    = "service-name"
	LabelRepo           = "pgo-backrest-repo"
	LabelBackrest       = "pgo-backrest"
	LabelBackrestJob    = "pgo-backrest-job"
	LabelBackrestCmd    = "backrest-command"
	LabelBackupType     = "pgha-backup-type"
	LabelRemove         = "pgrmdata"
	LabelWorkflow       = "workflowid"
	LabelPGOUser        = "pgouser"
	LabelVersion        = "pgo-version"
	LabelCurrentPrimary = "current-primary"
	LabelClusterID      = "pg-cluster-id"
	LabelReplicaName    = "replica-name"
	LabelScheduler      = "crunchy-scheduler"
	LabelAutofail       = "autofail"
	LabelCollect        = "crunchy_collect"
	LabelBadger         = "crunchy-pgbadger"
	LabelNodeKey        = "NodeLabelKey"
	LabelNodeValue      = "NodeLabelValue"
)

// Workflow parameters.
const (
	ParamSubmitted = "task submitted"
	ParamCompleted = "task completed"
)

// Names of a cluster's objects.
func RootSecret(c string) string       { return c + "-postgres-secret" }
func PrimarySecret(c string) string    { return c + "-primaryuser-secret" }
func UserSecret(c, user string) string { return c + "-" + user + "-secret" }
func RepoSecret(c string) string       { return c + "-backrest-repo-config" }
func RepoName(c string) string         { return c + "-backrest-shared-repo" }
func RepoClaim(c string) string        { return c + "-pgbr-repo" }
func DefaultConfig(c string) string    { return c + "-pgha-default-config" }
func WorkflowTask(c string) string     { return c + "-createcluster" }
func StanzaTask(c string) string       { return c + "-stanza-create" }
func BackupTask(c string) string       { return "backrest-backup-" + c }
func RemoveTask(c string) string       { return c + "-rmdata" }
func UpgradeTask(c string) string      { return c + "-minor-upgrade" }
func ReplicaService(c string) string   { return c + "-replica" }
