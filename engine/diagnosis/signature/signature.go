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
// its kind. Blanks of a match stand for any white space and its quotation marks
// for those of any language; the time stamps and severities that programs write
// before a message are no part of it. A line counts only while something is
// wrong where it was written: what a container wrote before it became ready is
// history, unless past is true.
//
// Expressions see self (in when), each signal that held by its name, and facts,
// an object with a list for each kind of fact, dots replaced by underscores. A
// fact has the attributes of its kind, and name and place; a line has its named
// groups, and line, log, place and count. A signal that did not hold is null.
package signature

import (
	"regexp"

	"github.com/hashicorp/hcl/v2"
)

// Text is a text in the languages of operators.
type Text struct{ EN, ZH hcl.Expression }

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
	Require  []string       // signals that must all hold; empty: any one that is no hint
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
	Match     *regexp.Regexp
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
	Runbook string // path beside the signature's file
	Vars    hcl.Expression
	Range   hcl.Range
}

// Book is a knowledge base.
type Book struct {
	Findings []*Finding
	Sources  map[string]*hcl.File
}
