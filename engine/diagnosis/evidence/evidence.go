// Package evidence is what was seen of a site: facts and logs, each with where
// and when, and what could not be seen. Collectors write it, bundles keep it,
// and the diagnosis reads it; it knows none of them.
package evidence

import (
	"io"
	"iter"
	"strings"
	"time"
)

// Place is where something was seen, as narrow as is known. An empty field says
// nothing.
type Place struct {
	Node      string `json:"node,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Cluster   string `json:"cluster,omitempty"` // of the database: the operator's name for it
	Pod       string `json:"pod,omitempty"`
	Container string `json:"container,omitempty"`
}

// String names the place for people, widest first: "pod antdb-7d…, container
// database".
func (p Place) String() string {
	var parts []string
	for _, part := range []struct{ kind, name string }{{"pod", p.Pod}, {"container", p.Container}} {
		if part.name != "" {
			parts = append(parts, part.kind+" "+part.name)
		}
	}
	if len(parts) > 0 {
		return strings.Join(parts, ", ")
	}
	for _, part := range []struct{ kind, name string }{{"node", p.Node}, {"cluster", p.Cluster}, {"namespace", p.Namespace}} {
		if part.name != "" {
			return part.kind + " " + part.name
		}
	}
	return "the site"
}

// Fact is one typed thing that was seen. Data is a pointer to the struct that
// its kind has in Kinds.
type Fact struct {
	Kind  string
	Name  string // of the thing, unique in its kind and place
	Place Place
	Seen  time.Time
	Data  any
}

// Log is text that something wrote, one entry a line. Entries may carry a time
// stamp and a prefix of their own.
type Log struct {
	Kind     string // one of the log kinds below
	Name     string // what people call it: "container database, the run before"
	Place    Place
	Previous bool // of a run of the container that has ended
	// Open reads the text from its beginning; it may be called more than once.
	Open func() (io.ReadCloser, error)
}

// The kinds of log.
const (
	ContainerLog = "container" // what a container of a pod wrote
	JobLog       = "job"       // what a Job's pod wrote
	OperatorLog  = "operator"  // the operator's own pods
	ServerLog    = "server"    // the database server's files (pg_log), when not the container's
	EventLog     = "event"     // Kubernetes events: TIME TYPE REASON KIND/NAME MESSAGE (xCOUNT)
	KernelLog    = "kernel"    // dmesg of a node
	KubeletLog   = "kubelet"
	RuntimeLog   = "runtime" // containerd, dockerd, CRI-O
	RunLog       = "run"     // of antdbctl: what steps printed, and their errors
)

// LogKinds lists them all.
var LogKinds = []string{ContainerLog, JobLog, OperatorLog, ServerLog, EventLog, KernelLog, KubeletLog, RuntimeLog, RunLog}

// Gap is something that could not be looked at.
type Gap struct {
	What   string `json:"what"` // "the kernel log"
	Place  Place  `json:"place"`
	Reason string `json:"reason"` // "permission denied", "not reached within 10 s"
}

// Dossier is all the evidence of one site at one time.
type Dossier interface {
	Taken() time.Time
	Facts() iter.Seq2[Fact, error]
	Logs() iter.Seq2[Log, error]
	Gaps() []Gap
}

// Recorder takes evidence from collectors, many at once. What it is given is
// redacted before it is kept.
type Recorder interface {
	// Fact keeps data, a pointer to a struct of Kinds, as a fact of its kind.
	Fact(name string, place Place, data any)
	// Log keeps all of text, up to the recorder's bound, from its end. The log's
	// Open is not used.
	Log(log Log, text io.Reader) error
	// Gap notes what could not be looked at.
	Gap(what string, place Place, err error)
}
