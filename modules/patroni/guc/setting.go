// Package guc knows how PostgreSQL reads the value of a setting, so that
// values written differently can be told from values that differ.
package guc

import (
	"fmt"
	"slices"
	"strings"
)

// Setting is what pg_settings says of one parameter on one server.
type Setting struct {
	Name    string   `json:"name"`
	Value   string   `json:"setting"` // in the unit below
	Unit    string   `json:"unit"`    // "8kB", "ms", …; empty for none
	Type    string   `json:"vartype"` // bool, integer, real, string, enum
	Context string   `json:"context"` // postmaster: takes a restart
	Min     string   `json:"min_val"`
	Max     string   `json:"max_val"`
	Enum    []string `json:"enumvals"`
	Default string   `json:"boot_val"`
	Source  string   `json:"source"`     // configuration file, command line, database, …
	File    string   `json:"sourcefile"` // empty without the right to see it
	Line    int      `json:"sourceline"`
	Pending bool     `json:"pending_restart"`
}

// Query asks a server for the settings of these names, as one JSON text. The
// role's own settings play no part in what is compared: reset_val would hide a
// value of ALTER SYSTEM that waits for a restart, so setting it is.
func Query(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = "'" + strings.ReplaceAll(strings.ToLower(n), "'", "''") + "'"
	}
	return `select coalesce(json_agg(row_to_json(s)), '[]') from (select name, setting, coalesce(unit, '') as unit, vartype, context,
coalesce(min_val, '') as min_val, coalesce(max_val, '') as max_val, enumvals, coalesce(boot_val, '') as boot_val, source,
coalesce(sourcefile, '') as sourcefile, coalesce(sourceline, 0) as sourceline, pending_restart
from pg_catalog.pg_settings where lower(name) in (` + strings.Join(quoted, ", ") + `) order by name) s`
}

// NeedsRestart reports that a new value only counts after a restart.
func (s Setting) NeedsRestart() bool { return s.Context == "postmaster" }

// Runs reports whether the server runs with value. A bare number means the
// setting's own unit, in pg_settings as in a configuration.
func (s Setting) Runs(value string) bool { return s.Same(s.Value, value) }

// Same reports whether two values mean the same to this setting.
func (s Setting) Same(a, b string) bool {
	if a == b {
		return true
	}
	x, errA := s.Canonical(a)
	y, errB := s.Canonical(b)
	return errA == nil && errB == nil && x == y
}

// Canonical is value in the form that pg_settings would show. It fails on what
// the server would refuse.
func (s Setting) Canonical(value string) (string, error) {
	switch s.Type {
	case "bool":
		b, ok := boolean(value)
		if !ok {
			return "", fmt.Errorf("%s takes on or off, not %q", s.Name, value)
		}
		return b, nil
	case "integer", "real":
		return s.number(value)
	case "enum":
		return s.word(value)
	}
	if slices.Contains(lists, strings.ToLower(s.Name)) {
		return list(value), nil
	}
	return value, nil
}

// boolean reads what PostgreSQL takes for a boolean: also any beginning of a
// word that leaves no doubt.
func boolean(value string) (string, bool) {
	v := strings.ToLower(strings.TrimSpace(value))
	switch {
	case v == "":
		return "", false
	case v == "1", v == "on", strings.HasPrefix("true", v), strings.HasPrefix("yes", v):
		return "on", true
	case v == "0", v == "off", v == "of", strings.HasPrefix("false", v), strings.HasPrefix("no", v):
		return "off", true
	}
	return "", false
}

// word reads an enum's value: of any case, and a boolean word where the enum
// has on and off, or has hidden them behind another name.
func (s Setting) word(value string) (string, error) {
	v := strings.ToLower(strings.TrimSpace(value))
	if hidden := aliases[strings.ToLower(s.Name)][v]; hidden != "" && slices.Contains(s.Enum, hidden) {
		return hidden, nil
	}
	for _, e := range s.Enum {
		if strings.ToLower(e) == v {
			return e, nil
		}
	}
	if same := booleans[v]; same != "" && same != v {
		return s.word(same)
	}
	return "", fmt.Errorf("%s takes one of %s, not %q", s.Name, strings.Join(s.Enum, ", "), value)
}

// booleans are the whole words for which an enum may have on or off.
var booleans = map[string]string{"true": "on", "yes": "on", "1": "on", "false": "off", "no": "off", "0": "off"}

// aliases are the words that an enum takes and does not list.
var aliases = map[string]map[string]string{
	"wal_level":           {"archive": "replica", "hot_standby": "replica"},
	"wal_compression":     {"on": "pglz"},
	"client_min_messages": {"debug": "debug2"},
	"log_min_messages":    {"debug": "debug2"},
}

// lists are the settings whose value is a list, in which blanks and quotes
// around the elements mean nothing.
var lists = []string{
	"shared_preload_libraries", "session_preload_libraries", "local_preload_libraries", "unix_socket_directories",
	"listen_addresses", "search_path", "temp_tablespaces", "log_destination", "synchronous_standby_names", "datestyle", "wal_consistency_checking",
}

func list(value string) string {
	parts := strings.Split(value, ",")
	for i, p := range parts {
		p = strings.TrimSpace(p)
		if len(p) >= 2 && p[0] == '"' && p[len(p)-1] == '"' {
			p = p[1 : len(p)-1]
		}
		parts[i] = p
	}
	return strings.Join(parts, ",")
}
