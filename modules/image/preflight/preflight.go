// Package preflight judges whether an image can do the work of a database
// image of the PGO operator, before any pod starts from it. Each check is what
// went wrong for somebody: a library that the settings preload and the image
// lacks, a libpq that went away with the old server, a locale, a mode, a
// missing argument. All of them are answered from the files of the image alone;
// a script for a throw-away container proves some of the answers.
package preflight

import (
	"context"
	"fmt"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// Verdict is the outcome of a check.
type Verdict string

const (
	Pass    Verdict = "pass"
	Warn    Verdict = "warn"    // works, but look at it
	Unknown Verdict = "unknown" // the files do not tell
	Fail    Verdict = "fail"
)

// order says which verdict wins when a check finds several things.
var order = []Verdict{Pass, Warn, Unknown, Fail}

// Finding is the answer of one check.
type Finding struct {
	ID       string   `cty:"id" json:"id"`
	Title    string   `cty:"title" json:"title"`
	Verdict  string   `cty:"verdict" json:"verdict"`
	Evidence []string `cty:"evidence" json:"evidence"`
	Remedy   string   `cty:"remedy" json:"remedy"`         // a line for each thing to do
	Layer    int      `cty:"layer" json:"layer"`           // at fault, from 1; 0 when none is
	History  string   `cty:"history" json:"history"`       // the history line that made that layer
	Line     int      `cty:"dockerfile" json:"dockerfile"` // that line in the Dockerfile, where one was given
	Proved   bool     `cty:"proved" json:"proved"`         // a container of the image has shown it, too
}

// Want is what the image is to be. The zero value is read off the image.
type Want struct {
	Root    string   // folder of the server, such as /usr/pgsql-11
	Major   string   // such as 11
	Arch    string   // such as amd64
	Preload []string // libraries that the server will preload; nil for those of the image's settings and the operator's
	User    int      // that containers run as; 0 for 26
	Locale  string   // empty for that of the image's environment
	Ignore  []string // checks that are left out
}

// check is one row of the list: what B6 of the facts about the operator's
// images asks.
type check struct {
	id, title string
	run       func(*subject, *finding)
}

var checks = []check{
	{"B6.1", "server's folders", (*subject).layout},
	{"B6.2", "server's version", (*subject).version},
	{"B6.3", "server's programs", (*subject).programs},
	{"B6.4", "initdb as Patroni calls it", (*subject).initdb},
	{"B6.5", "locale", (*subject).locale},
	{"B6.6", "pgaudit and pg_stat_statements", (*subject).extensions},
	{"B6.7", "extensions fit this server", (*subject).fit},
	{"B6.8", "pgaudit's branch", (*subject).pgauditBranch},
	{"B6.9", "libpq for psycopg2 and pgBackRest", (*subject).clients},
	{"B6.10", "libpqwalreceiver", (*subject).walreceiver},
	{"B6.11", "uid, owners and modes", (*subject).owners},
	{"B6.12", "glibc", (*subject).glibc},
	{"B6.13", "libraries of the server", (*subject).libraries},
	{"B6.14", "Patroni", (*subject).patroni},
	{"B6.15", "scripts and their tools", (*subject).scripts},
	{"B6.16", "entrypoint, user, environment", (*subject).settings},
	{"B6.17", "preloaded libraries are there", (*subject).preloaded},
	{"B6.18", "size, layers, secrets", (*subject).exposure},
	{"B6.19", "data directories it can take", (*subject).data},
	{"B6.20", "architecture", (*subject).architecture},
}

// IDs are the checks' names, in order.
func IDs() []string {
	var ids []string
	for _, c := range checks {
		ids = append(ids, c.id)
	}
	return ids
}

// Titles are the checks' names with what they look at, in order.
func Titles() [][2]string {
	var rows [][2]string
	for _, c := range checks {
		rows = append(rows, [2]string{c.id, c.title})
	}
	return rows
}

// Fault names what is at fault: the layer and the line; empty when none is.
func (f Finding) Fault() string {
	if f.Layer == 0 {
		return ""
	}
	name := fmt.Sprintf("layer %d", f.Layer)
	if f.Line > 0 {
		name += fmt.Sprintf(", line %d of the Dockerfile", f.Line)
	}
	if f.History != "" {
		name += ": " + f.History
	}
	return name
}

// Run judges an image, and gives the command that proves some of it. The error is about images that cannot be read; what is
// wrong with one that can is in the findings, in the order of the list.
func Run(ctx context.Context, tree *rootfs.Tree, config *v1.ConfigFile, want Want) ([]Finding, *Probe, error) {
	s, err := newSubject(ctx, tree, config, want)
	if err != nil {
		return nil, nil, err
	}
	defer s.files.close()
	var out []Finding
	for _, c := range checks {
		if slices.Contains(want.Ignore, c.id) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		f := &finding{Finding: Finding{ID: c.id, Title: c.title, Verdict: string(Pass), Evidence: []string{}}, subject: s}
		c.run(s, f)
		out = append(out, f.Finding)
	}
	return out, s.probe(), nil
}

// finding is a Finding in the making. A check notes what it sees; the worst it
// says is the verdict, and the remedies are those of the things so bad.
type finding struct {
	Finding
	subject  *subject
	remedies int
}

// notef adds evidence that speaks for nothing bad.
func (f *finding) notef(format string, args ...any) {
	f.Evidence = append(f.Evidence, fmt.Sprintf(format, args...))
}

func (f *finding) failf(remedy, format string, args ...any) { f.add(Fail, remedy, format, args...) }
func (f *finding) warnf(remedy, format string, args ...any) { f.add(Warn, remedy, format, args...) }
func (f *finding) unknownf(format string, args ...any)      { f.add(Unknown, "", format, args...) }

// add notes something bad. Bad things come before what speaks for the image.
func (f *finding) add(v Verdict, remedy, format string, args ...any) {
	worse := slices.Index(order, v) > slices.Index(order, Verdict(f.Verdict))
	if worse {
		f.Verdict, f.Remedy, f.remedies = string(v), remedy, 1
		f.Evidence = slices.Insert(f.Evidence, 0, fmt.Sprintf(format, args...))
		return
	}
	if v == Verdict(f.Verdict) && f.remedies < mostRemedies && !strings.Contains(f.Remedy, remedy) {
		f.Remedy += "\n" + remedy
		f.remedies++
	}
	f.notef(format, args...)
}

// mostRemedies is how many things people do at once.
const mostRemedies = 3
