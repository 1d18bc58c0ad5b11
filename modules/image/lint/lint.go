// Package lint finds in a Dockerfile and its context what builds well and fails
// later, and what cannot build at all, before a builder is asked. It runs
// nothing and asks no network.
package lint

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/adbsql/antdbctl/modules/image/buildcontext"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// Input is what a build is made from.
type Input struct {
	File    *dockerfile.File
	Name    string               // of the Dockerfile, for messages
	Args    map[string]string    // values for its ARG lines
	Tags    []string             // names for the image
	Context *buildcontext.Folder // nil when the files are not known
}

// Level says how bad a finding is.
type Level int

const (
	Warning Level = iota // it builds, and something is wrong with the result
	Error                // it cannot work
)

func (l Level) String() string {
	if l == Error {
		return "error"
	}
	return "warning"
}

// Finding is one trap at one place.
type Finding struct {
	Rule   string // its identifier
	Level  Level
	File   string
	Line   int    // 0 when it is about no line
	What   string // what stands there
	Why    string // what comes of it
	Remedy string
}

// Place is file:line.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d", f.File, f.Line)
}

func (f Finding) String() string {
	return fmt.Sprintf("%s: %s; %s [%s]", f.Place(), f.What, f.Why, f.Rule)
}

// Rule is one kind of trap.
type Rule struct {
	ID    string
	About string // one line for lists
	check func(*look)
}

// Rules are all there are, in the order in which they are explained.
var Rules = []Rule{
	{"tar-elsewhere", "an archive is unpacked from another path than it was copied to", tarElsewhere},
	{"add-extracts", "a line unpacks what ADD has unpacked already", addExtracts},
	{"add-keeps", "ADD does not unpack this kind of archive", addKeeps},
	{"archive-type", "a file is not the kind of archive that its name says", archiveType},
	{"archive-broken", "an archive is cut off, empty, or a web page saved under its name", archiveBroken},
	{"removed-later", "a later layer removes what a COPY or ADD brought: its bytes stay in the image", removedLater},
	{"moved-later", "a later layer moves what a COPY or ADD brought: the image has its bytes twice", movedLater},
	{"mode-later", "chown or chmod in a later layer: the image has the bytes twice", modeLater},
	{"copied-away", "cp of a folder whose original is then removed: the image has its bytes twice", copiedAway},
	{"base-latest", "a base image without a tag, or with the tag latest", baseLatest},
	{"base-eol", "packages from a distribution whose mirrors are gone", baseEOL},
	{"tag-latest", "the image itself is called latest", tagLatest},
	{"unknown-arg", "a value for an ARG that the Dockerfile does not have", unknownArg},
	{"secret-arg", "a secret in ARG or ENV", secretArg},
	{"lost-export", "export in one RUN and its use in another", lostExport},
	{"lost-cd", "cd at the end of a RUN", lostCd},
	{"export-over-arg", "export in a RUN hides the ARG of that name", exportOverArg},
	{"history-text", "a line of docker history stands in the Dockerfile as it was printed", historyText},
	{"exec-form", "brackets that are no JSON", execForm},
	{"bash-only", "the words of bash where the shell is another", bashOnly},
	{"crlf", "the Dockerfile's lines end as on Windows", crlf},
	{"crlf-script", "a script whose first line ends as on Windows", crlfScript},
	{"add-url", "ADD of a URL", addURL},
	{"syntax-pull", "a frontend that must be pulled", syntaxPull},
}

// Known reports whether there is such a rule.
func Known(id string) bool {
	return slices.ContainsFunc(Rules, func(r Rule) bool { return r.ID == id })
}

// Check applies all rules but those in ignore. Errors come first, then by line.
func Check(in Input, ignore []string) []Finding {
	l := newLook(in)
	for _, rule := range Rules {
		if !slices.Contains(ignore, rule.ID) {
			l.rule = rule.ID
			rule.check(l)
		}
	}
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Level, a.Level), cmp.Compare(a.Line, b.Line))
	})
	return l.found
}

// report adds a finding of the rule that is being applied.
func (l *look) report(level Level, line int, what, why, remedy string) {
	l.found = append(l.found, Finding{l.rule, level, l.Name, line, what, why, remedy})
}
