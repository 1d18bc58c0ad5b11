// Package recovery makes a build context out of an image: the Dockerfile that
// its history tells of, and the files that its COPY and ADD lines took, out of
// the layers that they made. It also compares two images, to prove that the
// context builds the image that it came from.
package recovery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/history"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// Known is an image that the image's first layers are.
type Known struct {
	Name   string
	Layers int // how many
	Rows   int // of the history
}

// Options say how a Dockerfile is to be.
type Options struct {
	Of    string // what it is recovered from, for its first line
	Base  string // the base, when someone says so
	Known *Known // the base, when an engine has it
	Flat  bool   // build from scratch with the base's files, so that no registry is asked
}

// Result is what was recovered.
type Result struct {
	Dockerfile *history.Dockerfile
	Warnings   []string
}

// Guesses lists what the Dockerfile marks as guesses.
func (r *Result) Guesses() []string {
	list := []string{}
	if b := r.Dockerfile.Base; b.Sure < history.Stated {
		list = append(list, "FROM "+b.Name+": "+strings.Join(b.Reasons, "; "))
	}
	for _, s := range r.Dockerfile.Steps {
		for _, g := range s.Guesses {
			list = append(list, firstWords(s)+": "+g)
		}
	}
	return list
}

// firstWords name a step in a list of guesses.
func firstWords(s history.Step) string {
	text := s.String()
	switch {
	case text == "":
		return "a row without instruction"
	case s.Verb == "RUN" && s.Script != "":
		text = "RUN " + strings.Join(strings.Fields(s.Script), " ")
	default:
		text, _, _ = strings.Cut(text, "\n")
		text = strings.TrimSuffix(text, ` \`)
	}
	if len(text) > 72 {
		text = strings.ToValidUTF8(text[:69], "") + "..."
	}
	return text
}

// FromText recovers a Dockerfile from what `docker history --no-trunc` printed,
// without the image. The files that it needs are listed in it.
func FromText(r io.Reader, o Options) (*Result, error) {
	rows, err := history.ReadText(r)
	if err != nil {
		return nil, err
	}
	steps := history.Read(rows, nil)
	base := chooseBase(steps, o, "", "")
	p := &placer{claims: map[string]string{}}
	upper := slices.Clone(steps[base.Rows:])
	for i := range upper {
		p.placeholder(&upper[i])
	}
	d := &history.Dockerfile{Of: o.Of, Base: base, Needs: p.needs,
		Steps: history.Declare(upper, environment(steps[:base.Rows]))}
	return finish(d, nil), nil
}

// FromImage recovers the Dockerfile of an image into dir, which it makes, with
// the files that the Dockerfile copies.
func FromImage(ctx context.Context, img *store.Image, dir string, o Options) (*Result, error) {
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	rows, err := history.FromConfig(config)
	var warnings []string
	if errors.Is(err, history.ErrNoLayers) {
		warnings = append(warnings, err.Error()+": no file can be told to be of a certain row")
	}
	if len(rows) == 0 {
		return nil, errors.New("the image has no history: its builder left none")
	}
	steps := history.Read(rows, &config.Config)
	osRelease, detail, err := release(ctx, img)
	if err != nil {
		return nil, err
	}
	base := chooseBase(steps, o, osRelease, detail)
	p := &placer{ctx: ctx, img: img, claims: map[string]string{}, dir: dir, env: config.Config.Env}
	d := &history.Dockerfile{Of: o.Of, Base: base}
	upper := slices.Clone(steps[base.Rows:])
	if base.Rows > 0 && (o.Flat || base.Name == "") {
		if d.Flat, err = p.flatten(layersOf(steps[:base.Rows])); err != nil {
			return nil, fmt.Errorf("files of the base: %w", err)
		}
		upper = slices.Concat(settings(steps[:base.Rows]), upper)
		d.Steps = history.Declare(upper, nil)
	} else {
		d.Steps = history.Declare(upper, environment(steps[:base.Rows]))
	}
	if d.Steps, err = p.place(d.Steps); err != nil {
		return nil, err
	}
	d.Needs = p.needs
	d.Steps = append(d.Steps, history.Missing(steps, &config.Config)...)
	return finish(d, warnings), nil
}

// chooseBase weighs what is known of the base.
func chooseBase(steps []history.Step, o Options, osRelease, detail string) history.Base {
	guess := history.GuessBase(steps)
	switch {
	case o.Base == "scratch":
		return history.Base{Sure: history.Stated, Reasons: []string{"the image is rebuilt whole, as asked"}}
	case o.Known != nil && (o.Base == "" || o.Base == o.Known.Name):
		layers := "its only layer is"
		if o.Known.Layers > 1 {
			layers = fmt.Sprintf("its %d layers are", o.Known.Layers)
		}
		return history.Base{Name: o.Known.Name, Rows: min(o.Known.Rows, len(steps)), Sure: history.Certain,
			Reasons: []string{layers + " this image's first"}}
	case o.Base != "":
		if guess.Rows == 0 {
			guess.Rows = firstLayer(steps)
		}
		return history.Base{Name: o.Base, Rows: guess.Rows, Sure: history.Stated,
			Reasons: append([]string{"it was given"}, guess.Reasons...)}
	case guess.Name != "":
		return guess
	}
	if guess.Rows == 0 {
		return history.Base{Sure: history.Certain, Reasons: []string{"Nothing lies below the first row: all layers are built anew."}}
	}
	if name, reason := history.NameByRelease(osRelease, detail); name != "" {
		guess.Name, guess.Sure = name, history.Likely
		guess.Reasons = append([]string{reason}, guess.Reasons...)
	}
	return guess
}

// firstLayer is the number of rows up to the first that made files.
func firstLayer(steps []history.Step) int {
	for i, s := range steps {
		if s.Row.Layer >= 0 || s.Copy != nil {
			return i + 1
		}
	}
	return 0
}

// environment are the variables that steps set.
func environment(steps []history.Step) map[string]string {
	env := map[string]string{}
	for _, s := range steps {
		maps.Copy(env, s.Env())
	}
	return env
}

// settings are the steps that made no layer.
func settings(steps []history.Step) []history.Step {
	return slices.DeleteFunc(slices.Clone(steps), func(s history.Step) bool {
		return s.Row.Layer >= 0 || s.Verb == "RUN" || s.Verb == "ARG" || s.Copy != nil || s.Verb == ""
	})
}

// layersOf counts the layers that steps made.
func layersOf(steps []history.Step) int {
	n := 0
	for _, s := range steps {
		if s.Row.Layer >= 0 {
			n++
		}
	}
	return n
}

// finish warns of what the Dockerfile gives away.
func finish(d *history.Dockerfile, warnings []string) *Result {
	for _, s := range d.Steps {
		if s.Verb != "ARG" {
			continue
		}
		for _, p := range s.Pairs {
			if p.Value != "" && secretName.MatchString(p.Name) {
				warnings = append(warnings, fmt.Sprintf("the value of the build argument %s looks like a secret and is readable by all who have the image: change it where it is used", p.Name))
			}
		}
	}
	return &Result{d, warnings}
}

var secretName = regexp.MustCompile(`(?i)(pass|passwd|password|secret|token|credentials?|private_?key|api_?key)$`)
