package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
)

// Cluster is what a member knows of all: the store's word.
type Cluster struct {
	Members    []Member   `json:"members"`
	Pause      bool       `json:"pause"`
	Switchover *Scheduled `json:"scheduled_switchover"`
}

// Scheduled is a switchover that is to come.
type Scheduled struct {
	At   string `json:"at"`
	From string `json:"from"`
	To   string `json:"to"`
}

// Member is one line of the cluster.
type Member struct {
	Name           string         `json:"name"`
	Role           string         `json:"role"` // leader, standby_leader, replica, sync_standby, quorum_standby
	State          string         `json:"state"`
	Host           string         `json:"host"`
	Port           int            `json:"port"`
	APIURL         string         `json:"api_url"`
	Timeline       int            `json:"timeline"`
	Lag            Lag            `json:"lag"`
	PendingRestart bool           `json:"pending_restart"`
	Tags           map[string]any `json:"tags"`
}

// Leads reports that the member holds the leader lock.
func (m Member) Leads() bool { return m.Role == "leader" || m.Role == "standby_leader" }

// Serves reports that the member's database runs. Replicas say how they follow
// in its place since Patroni 3.0.3.
func (m Member) Serves() bool {
	return slices.Contains([]string{"running", "streaming", "in archive recovery"}, m.State)
}

// Lag is how many bytes a replica is behind. Patroni says "unknown" where it
// cannot tell, and nothing for the leader.
type Lag struct {
	Bytes int64
	Known bool
}

// UnmarshalJSON reads a number or a word.
func (l *Lag) UnmarshalJSON(text []byte) error {
	if bytes.HasPrefix(text, []byte(`"`)) || bytes.Equal(text, []byte("null")) {
		return nil
	}
	l.Known = true
	if err := json.Unmarshal(text, &l.Bytes); err != nil {
		return fmt.Errorf("lag %s: %w", text, err)
	}
	return nil
}

// Status is what a member says of itself. When its database does not answer,
// only State and Role are there, and Patroni's own part.
type Status struct {
	State           string         `json:"state"`
	Role            string         `json:"role"` // master (primary since Patroni 4), replica, standby_leader, …
	ServerVersion   int            `json:"server_version"`
	Unlocked        bool           `json:"cluster_unlocked"` // nobody holds the leader lock
	Timeline        int            `json:"timeline"`
	SystemID        string         `json:"database_system_identifier"`
	PendingRestart  bool           `json:"pending_restart"`
	PendingReason   map[string]any `json:"pending_restart_reason"` // since Patroni 4
	Pause           bool           `json:"pause"`
	PostmasterStart string         `json:"postmaster_start_time"`
	Tags            map[string]any `json:"tags"`
	XLog            struct {
		Location         int64 `json:"location"`
		ReceivedLocation int64 `json:"received_location"`
		ReplayedLocation int64 `json:"replayed_location"`
	} `json:"xlog"`
	Replication []struct {
		ApplicationName string `json:"application_name"`
		ClientAddr      string `json:"client_addr"`
		State           string `json:"state"`
		SyncState       string `json:"sync_state"`
	} `json:"replication"`
	Patroni struct {
		Version string `json:"version"`
		Scope   string `json:"scope"`
		Name    string `json:"name"` // since Patroni 3.3
	} `json:"patroni"`

	Leads bool `json:"-"` // it holds the leader lock
}

// Primary reports that the member takes its database for the primary.
func (s *Status) Primary() bool { return s.Role == "master" || s.Role == "primary" }

// Turn is one end of a timeline.
type Turn struct {
	Timeline int
	LSN      int64
	Reason   string
	At       string // empty in old entries
	Leader   string // the new leader, since Patroni 2
}

// UnmarshalJSON reads the list that an entry is.
func (t *Turn) UnmarshalJSON(text []byte) error {
	var parts []any
	if err := json.Unmarshal(text, &parts); err != nil {
		return err
	}
	if len(parts) < 2 {
		return fmt.Errorf("an entry of the history has %d parts", len(parts))
	}
	timeline, _ := parts[0].(float64)
	lsn, _ := parts[1].(float64)
	*t = Turn{Timeline: int(timeline), LSN: int64(lsn)}
	for i, field := range []*string{&t.Reason, &t.At, &t.Leader} {
		if len(parts) > i+2 {
			*field, _ = parts[i+2].(string)
		}
	}
	return nil
}
