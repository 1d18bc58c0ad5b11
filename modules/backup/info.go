// Package backup looks at the backups of a database cluster, and takes them.
package backup

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// The states of a stanza that pgBackRest tells in its info command.
const (
	stanzaOK        = 0
	stanzaNoPath    = 1
	stanzaNoBackups = 2
	stanzaNoData    = 3
	stanzaMixed     = 4
	stanzaOtherDB   = 5
)

// stanza is what `pgbackrest info --output=json` tells of one stanza. Fields
// came and went over the versions; 2.20 to 2.45 and what PGO 4.7 hands on have
// all that is read here, but for the lock (since 2.32).
type stanza struct {
	Name     string         `json:"name"`
	Status   stanzaStatus   `json:"status"`
	Backups  []stanzaBackup `json:"backup"` // oldest first
	Archives []struct {
		ID  string `json:"id"` // "15-1": version and database
		Min string `json:"min"`
		Max string `json:"max"`
	} `json:"archive"`
	Databases []struct {
		ID     int         `json:"id"`
		System json.Number `json:"system-id"`
	} `json:"db"` // the last is the present one
}

type stanzaStatus struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Lock    struct {
		Backup struct {
			Held bool `json:"held"`
		} `json:"backup"`
	} `json:"lock"`
}

type stanzaBackup struct {
	Label     string `json:"label"`
	Type      string `json:"type"`
	Failed    bool   `json:"error"` // a page checksum was wrong
	Timestamp struct {
		Start int64 `json:"start"`
		Stop  int64 `json:"stop"`
	} `json:"timestamp"`
	Archive struct {
		Start string `json:"start"`
		Stop  string `json:"stop"`
	} `json:"archive"`
	Info struct {
		Size       int64 `json:"size"`
		Repository struct {
			Delta int64 `json:"delta"`
		} `json:"repository"`
	} `json:"info"`
}

// readInfo picks the stanza called name out of the info command's JSON. A stanza
// that pgBackRest does not know is there too, by its status.
func readInfo(text, name string) (*stanza, error) {
	at := strings.IndexByte(text, '[') // warnings may come before, on a terminal of its own making
	if at < 0 {
		return nil, fmt.Errorf("pgbackrest info answered something unexpected: %.200q", text)
	}
	var all []stanza
	if err := json.Unmarshal([]byte(text[at:]), &all); err != nil {
		return nil, fmt.Errorf("read the answer of pgbackrest info: %w", err)
	}
	for i := range all {
		if all[i].Name == name {
			return &all[i], nil
		}
	}
	return &stanza{Name: name, Status: stanzaStatus{Code: stanzaNoPath, Message: "missing stanza path"}}, nil
}

// newest is the last good backup that serves as well as one of kind would: an
// incremental one is served by any, a differential one by a full one too.
func (s *stanza) newest(kind string) *stanzaBackup {
	for i := len(s.Backups) - 1; i >= 0; i-- {
		b := &s.Backups[i]
		if !b.Failed && strength[b.Type] >= strength[kind] {
			return b
		}
	}
	return nil
}

var strength = map[string]int{"incr": 0, "diff": 1, "full": 2}

// age is how long ago the backup ended, by the clock of where it was asked for.
func (b *stanzaBackup) age(now time.Time) time.Duration {
	return now.Sub(time.Unix(b.Timestamp.Stop, 0))
}

func (b *stanzaBackup) took() time.Duration {
	return time.Duration(b.Timestamp.Stop-b.Timestamp.Start) * time.Second
}

// archived is the newest WAL segment in the archive of the present database.
func (s *stanza) archived() string {
	if len(s.Archives) == 0 {
		return ""
	}
	return s.Archives[len(s.Archives)-1].Max
}

// system is the identifier of the database that the stanza was made for.
func (s *stanza) system() string {
	if len(s.Databases) == 0 {
		return ""
	}
	return s.Databases[len(s.Databases)-1].System.String()
}

var segmentName = regexp.MustCompile(`^[0-9A-F]{24}`)

// segment is the WAL segment that an archived file belongs to; empty for the
// history of a timeline.
func segment(file string) string { return segmentName.FindString(file) }

// round makes a length of time readable.
func round(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
	}
	return d.Round(time.Second).String()
}

func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
}
