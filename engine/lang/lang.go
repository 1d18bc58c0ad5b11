// Package lang reads runbooks: files become blocks, references become a graph,
// expressions become values, and a step becomes one instance for every host and
// every for_each element it works on.
//
// Load does all that can be done offline and reports every fault it finds at
// once, each pointing at its source. Step bodies stay unevaluated until
// Instance.Decode, because what they refer to may only be known later; until
// then a step's value is an unknown of the right type.
package lang

import (
	"crypto/rand"
	"io"
	"os"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/adbsql/antdbctl/engine/module"
)

// Options is what Load needs beside the runbook itself.
type Options struct {
	Registry *module.Registry
	Vars     []string // "name=value", from --var; the last one of a name wins
	VarFiles []string // files of values (.hcl or .json); the last one of a name wins
	Dir      string   // where relative paths start; empty for the runbook's folder
	// LookupEnv and Random are the process's own when nil.
	LookupEnv func(string) (string, bool)
	Random    io.Reader
}

// Runbook is a loaded runbook. All methods but ResolveSecrets and Settings are
// safe for concurrent use.
type Runbook struct {
	Name        string // label of the runbook block, or the name of the file or folder
	Title       string
	Description string
	Path        string // as Load was given it
	Dir         string // absolute folder of the runbook: relative paths start here
	Digest      string // sha256 of all sources, hexadecimal
	// Sources holds the text of every file read, by the name diagnostics use.
	Sources map[string][]byte

	Variables []*Variable // all in source order
	Secrets   []*Secret
	Targets   []*Target
	Steps     []*Step
	Outputs   []*Output
	Playbooks []*Playbook

	registry  *module.Registry
	lookupEnv func(string) (string, bool)
	random    io.Reader
	functions map[string]function.Function
	kinds     map[string]*kind // modules in use, by name

	variables map[string]*Variable
	locals    map[string]*local
	secrets   map[string]*Secret
	targets   map[string]*Target
	steps     map[string]*Step
	header    hcl.Range       // of the runbook block
	lost      map[string]bool // "step.x" of blocks that do not parse
	checking  *Scope          // the scope of Load's checks

	varValue    cty.Value
	targetValue cty.Value
	pathValue   cty.Value
}

// Load reads the runbook at path, a file or a folder of *.hcl files, and
// checks it. It connects to nothing and reads no secret. With errors the
// Runbook is partial and good for its Sources alone.
func Load(path string, o Options) (*Runbook, hcl.Diagnostics) {
	r := newRunbook(path, o)
	bodies, diags := r.read(path, o)
	for _, body := range bodies {
		diags = append(diags, r.addBlocks(body)...)
	}
	diags = append(diags, r.setVariables(o)...)
	diags = append(diags, r.evalNamed()...)
	diags = append(diags, r.check()...)
	return r, tidy(diags)
}

func newRunbook(path string, o Options) *Runbook {
	r := &Runbook{
		Path: path, Sources: map[string][]byte{},
		registry: o.Registry, lookupEnv: o.LookupEnv, random: o.Random,
		kinds: map[string]*kind{}, variables: map[string]*Variable{}, locals: map[string]*local{},
		secrets: map[string]*Secret{}, targets: map[string]*Target{}, steps: map[string]*Step{},
		lost: map[string]bool{},
	}
	if r.registry == nil {
		r.registry = module.NewRegistry()
	}
	if r.lookupEnv == nil {
		r.lookupEnv = os.LookupEnv
	}
	if r.random == nil {
		r.random = rand.Reader
	}
	return r
}

// Step finds a step by name; nil when there is none.
func (r *Runbook) Step(name string) *Step { return r.steps[name] }

// kind is what the steps of one module share.
type kind struct {
	module.Entry
	spec    specCache
	value   cty.Type  // of the step in expressions
	unknown cty.Value // of that type
	byKeys  map[string]cty.Value
	checked cty.Value // as unknown, with placeholders for secrets, so that misuse shows
}
