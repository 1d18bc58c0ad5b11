// Package history reads the history of an image and writes the Dockerfile that
// it came from, as far as the history tells. It knows the words of Docker's
// classic builder, of BuildKit and of buildah, which one image may mix. What it
// has to guess it says, with the reason.
//
// It touches nothing but text: finding files and base images is the caller's.
package history

import (
	"errors"
	"fmt"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Row is one entry of an image's history. Lists of rows are oldest first.
type Row struct {
	By      string // what made it, in the builder's words
	Comment string
	Created string // a time, or the words of `docker history`; rows are only compared by it
	Empty   bool   // known to have made no layer
	Layer   int    // index of the layer that it made; -1 when there is none or it is not known
}

// ErrNoLayers says that a history does not tell which row made which layer.
var ErrNoLayers = errors.New("the history and the layers do not match")

// FromConfig takes the rows from the configuration of an image. With an error
// that is ErrNoLayers the rows are there and lack their layers.
func FromConfig(c *v1.ConfigFile) ([]Row, error) {
	var rows []Row
	layers := 0
	for _, h := range c.History {
		r := Row{By: h.CreatedBy, Comment: h.Comment, Empty: h.EmptyLayer, Layer: -1}
		if !h.Created.IsZero() {
			r.Created = h.Created.UTC().Format(time.RFC3339)
		}
		if !h.EmptyLayer {
			r.Layer = layers
			layers++
		}
		rows = append(rows, r)
	}
	if have := len(c.RootFS.DiffIDs); layers != have {
		for i := range rows {
			rows[i].Layer = -1
		}
		return rows, fmt.Errorf("%w: %d rows made layers, the image has %d", ErrNoLayers, layers, have)
	}
	return rows, nil
}

// Step is what a row says, as an instruction.
type Step struct {
	Row     Row
	Dialect Dialect
	Verb    string   // FROM, RUN, …; empty for a row that names no instruction
	Text    string   // what follows the verb, unless one of the fields below has it
	Literal bool     // Text is what the author wrote, its variables not replaced
	Pairs   []Pair   // ENV, LABEL, ARG
	Args    []Pair   // RUN: build arguments in its environment
	Shell   []string // RUN: the shell that ran it
	Own     bool     // RUN: that is not the shell that the image had by then
	Script  string   // RUN: what the shell was given
	Argv    []string // RUN: the command, when no shell ran it
	Copy    *Copy    // COPY and ADD
	Notes   []string // comments above the line
	Guesses []string // what is not known, and why it is thought so
}

// Pair is a name with its value.
type Pair struct {
	Name, Value string
	Bare        bool // a name without a value
}

// Copy is where the files of a COPY or ADD came from and went to.
type Copy struct {
	Flags   []string // --chown and --chmod, as far as they are known
	Sources []string // paths in the build context; none when the history has but a checksum
	Kind    string   // file, dir or multi, when the history has a checksum
	Sum     string
	Dest    string
}

// Dialect is the builder whose words a row has.
type Dialect int

const (
	Unknown Dialect = iota
	Classic
	BuildKit
	Buildah
)

func (d Dialect) String() string {
	return [...]string{"an unknown tool", "Docker's classic builder", "BuildKit", "buildah"}[d]
}

func (s *Step) guess(format string, args ...any) {
	s.Guesses = append(s.Guesses, fmt.Sprintf(format, args...))
}
