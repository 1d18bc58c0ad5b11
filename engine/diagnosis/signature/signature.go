// Package signature reads the knowledge base: files of HCL with a finding block
// for each cause that antdbctl knows, and what it looks like.
//
//	finding "G-40" {
//	  title    = { en = "pgaudit.so is missing from the image", zh = "镜像中缺少 pgaudit.so" }
//	  layer    = "postmaster"
//	  per      = "pod"
//	  steps    = ["pgo.", "patroni."]
//	  explains = ["G-43", "G-54"]
//
//	  line "fatal" {
//	    in        = ["container", "server"]
//	    container = "^database$"
//	    match     = "could not access file \"(?P<library>pgaudit[^\"]*)\""
//	  }
//
//	  fact "image" {
//	    of       = "image.check"
//	    when     = self.id == "B6.6" && self.verdict == "bad"
//	    strength = "proof"
//	  }
//
//	  cause  = { en = "${fatal.library} is not in the image, and the settings preload it.", zh = "…" }
//	  check  = { en = "…", zh = "…" }
//	  remedy = { en = "…", zh = "…" }
//
//	  fix {
//	    runbook = "fixes/preload.hcl"
//	    vars    = { cluster = fatal.place.cluster }
//	  }
//	}
//
// A line is looked for in every log of the kinds in, a fact among all facts of
// its kind; both are strong unless strength says otherwise. Blanks of a match
// stand for any white space and its quotation marks for those of any language;
// the time stamps and severities that programs write before a message are no
// part of it. A line counts only while something is wrong where it was written:
// what a container wrote before it became ready is history. With past = true a
// line counts also where all is well, if it is no older than the window of the
// diagnosis.
//
// A finding holds when all signals of require do, or, without require, any one
// that is no hint. Several names of which one is enough stand in one entry of
// require with bars between: require = ["said | said_buildkit", "step"].
//
// Expressions see self (in when, and only there), facts, an object with a list
// for each kind of fact, dots replaced by underscores, and, but for when, each
// signal by its name and place, where the finding holds. A fact has the
// attributes of its kind, and name and place; a line has its named groups, and
// line, log, place and count. A signal that did not hold is null, and so is a
// group that took no part in the match. A part of a text that cannot be made
// of what was seen is left out of it.
//
// An ID in explains covers also what that finding explains.
package signature

import (
	"regexp"

	"github.com/hashicorp/hcl/v2"
)

// Text is a text in the languages of operators. ZH may be nil; both are where
// a text was left out.
type Text struct{ EN, ZH hcl.Expression }

// In is the text in a language, in English where it is not given in that one.
func (t Text) In(language string) hcl.Expression {
	if language == "zh" && t.ZH != nil {
		return t.ZH
	}
	return t.EN
}

// Layers are the parts of a site that build on each other, deepest first: a
// fault of one shows in all that follow.
var Layers = []string{
	"machine", "network", "access", "build", "transfer", "image", "cluster", "schedule", "volume", "start", "initdb", "postmaster",
	"patroni", "replication", "service", "backup", "operator", "client",
}

// Strength is how much a signal says by itself.
type Strength int

const (
	Hint   Strength = iota + 1 // fits the cause, and others too
	Strong                     // hardly comes of anything else
	Proof                      // is the cause itself, seen
)

// Finding is one cause and its signature.
type Finding struct {
	ID       string
	Title    Text
	Layer    string
	Per      string   // pod, node, cluster or site: signals at one such place belong together
	Steps    []string // prefixes of the modules whose failure it may explain; empty for all
	Warning  bool     // nothing has failed yet
	Lines    []*Line
	Facts    []*Fact
	Require  [][]string     // of each, one signal must hold; empty: any signal that is no hint
	Unless   hcl.Expression // when true, it does not hold
	Explains []string       // IDs of what is only its symptom

	Cause, Check, Remedy Text
	Fix                  *Fix
	Range                hcl.Range
}

// Line is a signal out of logs.
type Line struct {
	Name      string
	In        []string       // log kinds
	Container *regexp.Regexp // of the place; nil for all
	Match     *regexp.Regexp // blanks and quotation marks made tolerant
	Strength  Strength
	Past      bool // counts also when what wrote it has become healthy since
}

// Fact is a signal out of facts.
type Fact struct {
	Name     string
	Of       string // kind of fact
	When     hcl.Expression
	Strength Strength
}

// Fix is a runbook that takes the cause away.
type Fix struct {
	Runbook string         // path in the knowledge base, such as fixes/preload.hcl; an absolute one of a user's own
	Vars    hcl.Expression // nil for none
	Range   hcl.Range
}

// Book is a knowledge base.
type Book struct {
	Findings []*Finding
	Sources  map[string]*hcl.File
	// Kinds are the kinds of fact that an expression looks at by way of facts.
	Kinds []string
}
