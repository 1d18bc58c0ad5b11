package sql

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/secret"
)

// record keeps a server's answers as facts.
func (s *instance) record(rec evidence.Recorder, a *answers) {
	v := a.Server
	most, _ := strconv.ParseInt(v.Max, 10, 64)
	rec.Fact(s.name, s.place, &evidence.Server{Version: v.Version, AntDB: strings.Contains(v.Version, " ADB "), Recovery: v.Recovery,
		Started: whole(v.Started, -1), Connections: v.Connections, MaxConnections: most, LongestQuery: whole(v.Longest, 0),
		IdleInTx: whole(v.Idle, 0), Waiting: v.Waiting, XIDAge: v.XID, ReplayAge: whole(v.Replayed, -1), Receiving: v.Receiving, Settings: a.Settings})
	if a.Archiver != nil {
		rec.Fact(s.name, s.place, a.archiver())
	}
	names := map[string]int{}
	for _, r := range a.Replication {
		name := cmp.Or(r.Name, "standby")
		if names[name]++; names[name] > 1 { // names need not differ
			name += " " + strconv.Itoa(names[name])
		}
		rec.Fact(name, s.place, &evidence.Replication{State: r.State, Sync: r.Sync, Lag: whole(r.Lag, -1)})
	}
	for _, slot := range a.Slots {
		rec.Fact(slot.Name, s.place, &evidence.Slot{Active: slot.Active, Retained: whole(slot.Retained, 0)})
	}
	if !v.Recovery {
		s.recordRoles(rec, a.Roles)
	}
}

// archiver judges whether archiving fails: the last attempt did, or a file
// waits that nobody tries. A standby archives nothing.
func (a *answers) archiver() *evidence.Archiver {
	v := a.Archiver
	f := &evidence.Archiver{Mode: v.Mode, Command: v.Command, Archived: v.Archived, Failed: v.Failed,
		LastOK: whole(v.LastOK, -1), LastFailed: whole(v.LastFailed, -1)}
	waits := false
	if a.Pending != nil {
		f.Pending = a.Pending.Files
		waits = a.Pending.Oldest != nil && *a.Pending.Oldest > stuckAfter.Seconds()
	}
	lastFailed := v.LastFailed != nil && (v.LastOK == nil || *v.LastFailed < *v.LastOK)
	f.Failing = v.Mode != "off" && !v.Standby && (lastFailed || waits)
	return f
}

// roleNames are the users of the Secrets, as literals.
func (s *instance) roleNames() []string {
	var names []string
	for _, a := range s.secrets {
		if name := literal(a.user); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// recordRoles holds the Secrets against what the server keeps.
func (s *instance) recordRoles(rec evidence.Recorder, rows []roleRow) {
	place := s.place
	place.Pod, place.Container, place.Node = "", "", "" // a role is of the whole cluster
	for _, a := range s.secrets {
		for _, row := range rows {
			if row.Name != a.user {
				continue
			}
			fact := &evidence.Role{Secret: a.secret, Exists: row.Exists, Login: row.Login, Expires: whole(row.Expires, 0), Matches: "unknown"}
			if row.Exists {
				fact.Matches = matches(row, a.password)
			}
			rec.Fact(a.user, place, fact)
		}
	}
}

// matches says whether a login with the password would pass.
func matches(row roleRow, password secret.Value) string {
	if row.Verifier == nil {
		return "no"
	}
	ok, err := proves(secret.New(*row.Verifier), row.Name, password)
	switch {
	case err != nil:
		return "unknown"
	case ok:
		return "yes"
	}
	return "no"
}
