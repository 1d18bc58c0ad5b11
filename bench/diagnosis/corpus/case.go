// Package corpus is sites whose fault is known: what there was to be seen of
// each, and the finding that a diagnosis of it must come to.
package corpus

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// Case is one site, read from cases/NAME.txtar:
//
//	want: G-40                  the right first cause; a line each for independent ones; "nothing" for a site in order
//	warn: G-93                  a warning that is right, beside them
//	noise: busy                 a healthy three-node site with long logs is put around it; or quiet
//	taken: 2026-11-23T08:00:00Z when it was looked at; by default, just after the last time stamp of its logs
//	note: …
//	-- facts --
//	{"kind":"k8s.pod","name":"antdb-…","place":{"pod":"antdb-…"},"data":{"phase":"Running"}}
//	-- gaps --
//	{"what":"the kernel log","place":{"node":"node1"},"reason":"permission denied"}
//	-- log container pod=antdb-… container=database cluster=antdb namespace=pgouser1 previous --
//	…
type Case struct {
	Name  string
	Want  []string // none: nothing is wrong
	Warn  []string
	Busy  bool
	Note  string
	Taken time.Time
	Facts []evidence.Fact
	Gaps  []evidence.Gap
	Logs  []Text
}

// Text is a log and what it says.
type Text struct {
	evidence.Log
	Content []byte
}

// Healthy says that nothing is wrong with the site.
func (c Case) Healthy() bool { return len(c.Want) == 0 }

// Load reads all cases of a folder, by name.
func Load(dir string) ([]Case, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil {
		return nil, err
	}
	var cases []Case
	var faults []error
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		c, err := Parse(strings.TrimSuffix(filepath.Base(file), ".txtar"), text)
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", file, err))
			continue
		}
		cases = append(cases, c)
	}
	return cases, errors.Join(faults...)
}

// Parse reads one case.
func Parse(name string, text []byte) (Case, error) {
	c := Case{Name: name}
	archive := txtar.Parse(text)
	if err := c.head(string(archive.Comment)); err != nil {
		return c, err
	}
	for _, f := range archive.Files {
		if err := c.section(f); err != nil {
			return c, fmt.Errorf("section %q: %w", f.Name, err)
		}
	}
	if c.Taken.IsZero() {
		c.Taken = lastStamp(c.Logs)
	}
	for i := range c.Facts {
		c.Facts[i].Seen = c.Taken
	}
	return c, nil
}

func (c *Case) head(comment string) error {
	nothing, noise := false, ""
	for line := range strings.Lines(comment) {
		line = strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(line), "#"))
		key, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		if !ok {
			continue
		}
		switch key {
		case "want":
			if value == "nothing" {
				nothing = true
			} else {
				c.Want = append(c.Want, value)
			}
		case "warn":
			c.Warn = append(c.Warn, value)
		case "noise":
			noise = value
		case "note":
			c.Note = value
		case "taken":
			t, err := time.Parse(time.RFC3339, value)
			if err != nil {
				return err
			}
			c.Taken = t
		}
	}
	if nothing == (len(c.Want) > 0) {
		return errors.New(`a case wants findings, or "nothing"`)
	}
	if !slices.Contains([]string{"busy", "quiet"}, noise) {
		return fmt.Errorf("noise is busy or quiet, not %q", noise)
	}
	c.Busy = noise == "busy"
	return nil
}

func (c *Case) section(f txtar.File) error {
	words := strings.Fields(f.Name)
	switch {
	case f.Name == "facts":
		return eachLine(f.Data, func(line []byte) error {
			fact, err := parseFact(line)
			c.Facts = append(c.Facts, fact)
			return err
		})
	case f.Name == "gaps":
		return eachLine(f.Data, func(line []byte) error {
			var gap evidence.Gap
			err := json.Unmarshal(line, &gap)
			c.Gaps = append(c.Gaps, gap)
			return err
		})
	case len(words) > 1 && words[0] == "log":
		log, err := parseLog(words[1], words[2:])
		c.Logs = append(c.Logs, Text{log, f.Data})
		return err
	}
	return errors.New("it is neither facts, gaps nor a log")
}

func eachLine(text []byte, do func([]byte) error) error {
	n := 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		if err := do(line); err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
	return nil
}

func parseFact(line []byte) (evidence.Fact, error) {
	var raw struct {
		Kind, Name string
		Place      evidence.Place
		Data       json.RawMessage
	}
	decoder := json.NewDecoder(bytes.NewReader(line))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&raw); err != nil {
		return evidence.Fact{}, err
	}
	if err := requireAttributes(raw.Kind, raw.Data); err != nil {
		return evidence.Fact{}, err
	}
	data, err := evidence.UnmarshalData(raw.Kind, raw.Data)
	if err != nil {
		return evidence.Fact{}, err
	}
	return evidence.Fact{Kind: raw.Kind, Name: raw.Name, Place: raw.Place, Data: data}, nil
}

// requireAttributes finds attributes that the kind does not have: a bundle may
// be of another version, a case is not.
func requireAttributes(kind string, data []byte) error {
	t, ok := evidence.TypeOf(kind)
	if !ok {
		return fmt.Errorf("there are no facts of kind %q", kind)
	}
	var attrs map[string]json.RawMessage
	if err := json.Unmarshal(data, &attrs); err != nil {
		return fmt.Errorf("data of %s: %w", kind, err)
	}
	for name := range attrs {
		if !t.HasAttribute(name) {
			return fmt.Errorf("facts of kind %s have no %q", kind, name)
		}
	}
	return nil
}

func parseLog(kind string, words []string) (evidence.Log, error) {
	log := evidence.Log{Kind: kind}
	if !slices.Contains(evidence.LogKinds, kind) {
		return log, fmt.Errorf("there are no logs of kind %q", kind)
	}
	for _, word := range words {
		key, value, ok := strings.Cut(word, "=")
		switch {
		case word == "previous":
			log.Previous = true
		case !ok:
			return log, fmt.Errorf("%q is neither NAME=VALUE nor previous", word)
		case key == "name":
			log.Name = value
		default:
			at, err := field(&log.Place, key)
			if err != nil {
				return log, err
			}
			*at = value
		}
	}
	if log.Name == "" {
		log.Name = logName(log)
	}
	return log, nil
}

func field(p *evidence.Place, key string) (*string, error) {
	switch key {
	case "node":
		return &p.Node, nil
	case "namespace":
		return &p.Namespace, nil
	case "cluster":
		return &p.Cluster, nil
	case "pod":
		return &p.Pod, nil
	case "container":
		return &p.Container, nil
	}
	return nil, fmt.Errorf("a place has no %q", key)
}

func logName(log evidence.Log) string {
	name := log.Kind
	if log.Place.Container != "" {
		name = "container " + log.Place.Container
	}
	if log.Previous {
		name += ", the run before"
	}
	return name
}

var stamp = regexp.MustCompile(`^.{0,24}?(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)`)

// lastStamp is just after the last time that a line of the logs begins with.
func lastStamp(logs []Text) time.Time {
	last := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	found := false
	for _, log := range logs {
		for line := range bytes.Lines(log.Content) {
			if t, ok := stampOf(line); ok && (!found || t.After(last)) {
				last, found = t, true
			}
		}
	}
	return last.Add(5 * time.Second)
}

func stampOf(line []byte) (time.Time, bool) {
	m := stamp.FindSubmatch(line)
	if m == nil {
		return time.Time{}, false
	}
	t, err := time.Parse(time.DateTime, string(m[1])+" "+string(m[2]))
	return t, err == nil
}
