package evidence

// Facts about the operator, Patroni, the server and its backups. Ages are in
// seconds at the time the fact was seen; -1 says never or unknown.

// Cluster is a database cluster as the operator has it on record.
type Cluster struct {
	Generation string   `cty:"generation"` // 4, 5
	Status     string   `cty:"status"`     // "pgcluster Processed", …
	Message    string   `cty:"message"`
	Image      string   `cty:"image"`
	Replicas   int64    `cty:"replicas"`
	Age        int64    `cty:"age"`
	Autofail   bool     `cty:"autofail"`
	Shutdown   bool     `cty:"shutdown"`
	Pods       int64    `cty:"pods"`     // of the database, that are there
	Problems   []string `cty:"problems"` // false conditions, v5
	Images     []string `cty:"images"`   // that its pods ask for by its record: the database's and those of sidecars
}

// Task is a Pgtask.
type Task struct {
	Type          string            `cty:"type"`
	Status        string            `cty:"status"`
	Age           int64             `cty:"age"`
	ClusterExists bool              `cty:"cluster_exists"`
	Parameters    map[string]string `cty:"parameters"`
}

// Replica is a Pgreplica.
type Replica struct {
	Status        string `cty:"status"`
	Message       string `cty:"message"`
	Age           int64  `cty:"age"`
	ClusterExists bool   `cty:"cluster_exists"`
	Pods          int64  `cty:"pods"`
}

// Operator is the operator's Deployment.
type Operator struct {
	Image    string `cty:"image"`
	Version  string `cty:"version"`
	Ready    bool   `cty:"ready"`
	Restarts int64  `cty:"restarts"`
	Started  int64  `cty:"started"` // age of its youngest pod's start
}

// PGOServer is the operator's apiserver (4.x).
type PGOServer struct {
	URL       string `cty:"url"`
	Reachable bool   `cty:"reachable"`
	Version   string `cty:"version"`
	Error     string `cty:"error"`
}

// Workflow is the record of a cluster's creation (4.x).
type Workflow struct {
	Completed bool   `cty:"completed"`
	Last      string `cty:"last"` // the last thing noted
	Age       int64  `cty:"age"`
}

// Patroni is what a cluster's members agree on.
type Patroni struct {
	Leader       string `cty:"leader"`
	LeaderAge    int64  `cty:"leader_age"` // since it renewed its lock
	Initialize   string `cty:"initialize"` // system identifier, "" while nobody has bootstrapped
	Paused       bool   `cty:"paused"`
	TTL          int64  `cty:"ttl"`
	LoopWait     int64  `cty:"loop_wait"`
	RetryTimeout int64  `cty:"retry_timeout"`
	Timeline     int64  `cty:"timeline"`
	Failovers    int64  `cty:"failovers"` // changes of timeline in the last day
	MaxLag       int64  `cty:"max_lag"`   // maximum_lag_on_failover, bytes
}

// Member is one of a cluster's members.
type Member struct {
	Role           string `cty:"role"`  // leader, replica, sync_standby, standby_leader
	State          string `cty:"state"` // running, streaming, starting, stopped, crashed, creating replica, …
	Timeline       int64  `cty:"timeline"`
	Lag            int64  `cty:"lag"` // bytes; -1 unknown
	PendingRestart bool   `cty:"pending_restart"`
	Reachable      bool   `cty:"reachable"` // its REST interface answers
	Error          string `cty:"error"`
	HoldsLock      bool   `cty:"holds_lock"`
}

// Server is a running database server.
type Server struct {
	Version        string            `cty:"version"` // all of version()
	AntDB          bool              `cty:"antdb"`
	Recovery       bool              `cty:"recovery"` // it is a standby
	Started        int64             `cty:"started"`  // age of the start
	Connections    int64             `cty:"connections"`
	MaxConnections int64             `cty:"max_connections"`
	LongestQuery   int64             `cty:"longest_query"` // seconds
	IdleInTx       int64             `cty:"idle_in_tx"`    // longest, seconds
	Waiting        int64             `cty:"waiting"`       // sessions that wait for a lock
	XIDAge         int64             `cty:"xid_age"`       // of the oldest database
	ReplayAge      int64             `cty:"replay_age"`    // seconds since a standby replayed something
	Receiving      bool              `cty:"receiving"`     // a standby's WAL receiver streams
	Settings       map[string]string `cty:"settings"`      // those that signatures ask for
	Error          string            `cty:"error"`         // why it could not be asked
}

// Archiver is pg_stat_archiver.
type Archiver struct {
	Mode       string `cty:"mode"` // archive_mode
	Command    string `cty:"command"`
	Archived   int64  `cty:"archived"`
	Failed     int64  `cty:"failed"`
	LastOK     int64  `cty:"last_ok"`     // age
	LastFailed int64  `cty:"last_failed"` // age
	Failing    bool   `cty:"failing"`     // the last attempt failed, or the archiver is not running though it should
	Pending    int64  `cty:"pending"`     // WAL files that wait
}

// Replication is a standby as its primary sees it.
type Replication struct {
	State string `cty:"state"`
	Lag   int64  `cty:"lag"` // bytes
	Sync  string `cty:"sync"`
}

// Slot is a replication slot.
type Slot struct {
	Active   bool  `cty:"active"`
	Retained int64 `cty:"retained"` // bytes of WAL
}

// Role is a role that an operator's Secret has the password of.
type Role struct {
	Exists  bool   `cty:"exists"`
	Login   bool   `cty:"login"`
	Expires int64  `cty:"expires"` // seconds until VALID UNTIL, negative when passed; 0 when it never does
	Secret  string `cty:"secret"`  // name of the Secret
	Matches string `cty:"matches"` // whether the Secret's password is the role's: yes, no, unknown
}

// DataFolder is a server's data directory and its volume.
type DataFolder struct {
	Path    string   `cty:"path"`
	Major   string   `cty:"major"` // PG_VERSION
	UID     int64    `cty:"uid"`
	Mode    string   `cty:"mode"` // "700"
	Free    int64    `cty:"free"`
	Percent int64    `cty:"percent"` // used, of the volume
	WAL     int64    `cty:"wal"`     // bytes in pg_wal
	Copies  []string `cty:"copies"`  // what failed bootstraps left beside it
	Guards  []string `cty:"guards"`  // *.initializing files
	Shm     int64    `cty:"shm"`     // free in /dev/shm
}

// Stanza is a backup repository's state.
type Stanza struct {
	Code    int64  `cty:"code"`
	Message string `cty:"message"`
	Backups int64  `cty:"backups"`
	LastAge int64  `cty:"last_age"` // of the last backup that is good
	Locked  bool   `cty:"locked"`
}
