package image

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/history"
	"github.com/adbsql/antdbctl/modules/image/recovery"
	"github.com/adbsql/antdbctl/modules/image/store"
)

//go:embed recover.hcl
var recoverExample string

// Recover makes a build context out of an image or of its history.
type Recover struct {
	Image   string `hcl:"image,optional" doc:"Image to recover: an ID or a name."`
	Archive string `hcl:"archive,optional" doc:"Archive to recover instead, on this machine: what docker save writes, or an OCI layout. FILE#NAME picks one of several images."`
	History string `hcl:"history,optional" doc:"File on this machine with what docker history --no-trunc printed, when there is no image. The Dockerfile then lists the files that it needs."`
	To      string `hcl:"to" doc:"Folder on this machine to make, with the Dockerfile and the files that it copies."`
	Base    string `hcl:"base,optional" doc:"Image for the FROM line, when you know it. \"scratch\" rebuilds the base's rows as well."`
	Flatten bool   `hcl:"flatten,optional" default:"false" doc:"Whether to build FROM scratch with the base's files out of the image, so that no registry is asked."`
	Verify  bool   `hcl:"verify,optional" default:"false" doc:"Whether to rebuild the image with docker, and compare settings and files with the original."`
	Network string `hcl:"network,optional" doc:"Network of the RUN lines while verifying, such as \"host\" or \"none\"."`

	Dockerfile  string   `out:"dockerfile" doc:"Path of the Dockerfile."`
	From        From     `out:"from" doc:"What the Dockerfile starts from: name (empty for scratch) and certainty (certain, stated, likely or unknown)."`
	Guesses     []string `out:"guesses" doc:"What the history does not tell and the Dockerfile marks as guessed, with the reasons."`
	Needs       []string `out:"needs" doc:"Files that have to be put beside the Dockerfile; none when an image was there to take them from."`
	Warnings    []string `out:"warnings" doc:"What else should be known, such as secrets among the build arguments."`
	Same        bool     `out:"same" doc:"Whether the rebuilt image was found to be the same. False as well when that was not asked."`
	Differences []string `out:"differences" doc:"In what the rebuilt image differs, and what kept lines from being run."`

	source *recoverySource
}

// From is what a recovered Dockerfile starts from.
type From struct {
	Name      string `cty:"name" json:"name"`
	Certainty string `cty:"certainty" json:"certainty"`
}

func (*Recover) Info() module.Info {
	return module.Info{
		Name:    "image.recover",
		Summary: "Recover a Dockerfile, with its files, from an image or its history.",
		Doc: `The history is read in the words of Docker's classic builder, of BuildKit and of buildah, mixed as they come. Build
arguments (` + "`|7 A=… /bin/sh -c`" + `) become ARG lines before their first use; the files of COPY and ADD come out of the layers that
they made, with modes and owners. What the history does not tell is guessed, and each guess is marked in the Dockerfile with
its reason. The base is certain when docker has an image whose layers are this image's first ones.

A folder that was recovered from the same source is left as it is, so edits stay. With ` + "`verify`" + ` the context is built and the
result compared with the original; a RUN line that cannot run there is reported, and the files of its layer stand in for it so that
all the rest is compared. Differences are outputs, not errors: ` + "`expect`" + ` decides.`,
		On:      []string{conn.Docker, conn.Local, conn.SSH},
		Example: recoverExample,
	}
}

// Validate asks for one source.
func (r *Recover) Validate() error {
	set := 0
	for _, s := range []string{r.Image, r.Archive, r.History} {
		if s != "" {
			set++
		}
	}
	switch {
	case set != 1:
		return module.At("image", errors.New("set one of image, archive and history"))
	case r.History != "" && r.Flatten:
		return module.At("flatten", errors.New("a history has no files: flatten needs the image"))
	case r.History != "" && r.Verify:
		return module.At("verify", errors.New("a history alone cannot be compared: verify needs the image"))
	}
	return nil
}

// Check compares the source with what the folder was recovered from.
func (r *Recover) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	r.Dockerfile, r.From, r.Guesses, r.Needs, r.Warnings = "", From{}, nil, nil, nil
	r.Same, r.Differences = false, nil
	src, err := r.open(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	r.source = src
	dir := env.Path(r.To)
	have, err := readRecord(dir)
	if err != nil {
		return module.NoChange, module.At("to", err)
	}
	switch {
	case have == nil:
		return module.Change{Action: module.Create, Summary: fmt.Sprintf("recover the Dockerfile of %s into %s", src.name, r.To)}, nil
	case have.Source != src.id || have.How != r.how():
		if have.edited(dir) {
			return module.NoChange, module.At("to", module.Explain(
				fmt.Errorf("%s has a Dockerfile recovered from %s that was edited since", r.To, have.Name), "move it away, or recover into another folder"))
		}
		return module.Change{Action: module.Replace, Summary: fmt.Sprintf("recover the Dockerfile of %s over what %s has of %s", src.name, r.To, have.Name)}, nil
	case r.Verify && have.Verified != verifiedBy(dir):
		return module.Change{Action: module.Update, Summary: fmt.Sprintf("rebuild %s from %s and compare", src.name, r.To)}, nil
	}
	r.fill(dir, have)
	return module.NoChange, nil
}

// Apply recovers, and verifies if asked.
func (r *Recover) Apply(ctx context.Context, env *module.Env) error {
	src := r.source
	dir := env.Path(r.To)
	have, err := readRecord(dir)
	if err != nil {
		return module.At("to", err)
	}
	if have == nil || have.Source != src.id || have.How != r.how() {
		if have, err = r.recover(ctx, env, dir, have != nil); err != nil {
			return err
		}
	}
	if r.Verify {
		if err := r.verify(ctx, env, dir, have); err != nil {
			return module.At("verify", err)
		}
	}
	r.fill(dir, have)
	return nil
}

// recover writes the context beside its place and moves it there whole.
func (r *Recover) recover(ctx context.Context, env *module.Env, dir string, replace bool) (*record, error) {
	env.Phase("recover")
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, module.At("to", err)
	}
	tmp, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-")
	if err != nil {
		return nil, module.At("to", err)
	}
	defer os.RemoveAll(tmp)
	result, err := r.context(ctx, env, tmp, r.Flatten)
	if err != nil {
		return nil, r.blame(err)
	}
	rec := newRecord(r, result)
	if err := rec.write(tmp); err != nil {
		return nil, err
	}
	if err := os.Chmod(tmp, 0o755); err != nil {
		return nil, err
	}
	if replace {
		if err := os.RemoveAll(dir); err != nil {
			return nil, module.At("to", err)
		}
	} else if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // an empty folder
		return nil, module.At("to", err)
	}
	return rec, module.At("to", os.Rename(tmp, dir))
}

// context writes Dockerfile and files into a folder.
func (r *Recover) context(ctx context.Context, env *module.Env, dir string, flat bool) (*recovery.Result, error) {
	o := recovery.Options{Of: r.source.name, Base: r.Base, Flat: flat}
	var (
		result *recovery.Result
		err    error
	)
	if img := r.source.image; img != nil {
		if o.Known, err = knownBase(ctx, env, img); err != nil {
			env.Logf("warning: no base is looked for in docker: %s", err)
		}
		result, err = recovery.FromImage(ctx, img, dir, o)
	} else {
		result, err = recovery.FromText(strings.NewReader(r.source.text), o)
	}
	if err != nil {
		return nil, err
	}
	return result, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(result.Dockerfile.String()), 0o644)
}

// blame points at the argument that an error is about.
func (r *Recover) blame(err error) error {
	switch {
	case r.History != "":
		if errors.Is(err, history.ErrNoHistory) {
			err = module.Explain(err, "print it with `docker history --no-trunc IMAGE`")
		}
		return module.At("history", err)
	case r.Archive != "":
		return module.At("archive", err)
	}
	return module.At("image", err)
}

// recoverySource is what to recover from.
type recoverySource struct {
	id    string
	name  string
	image *store.Image // nil when there is but text
	text  string
}

// how is what shapes the result beside the source.
func (r *Recover) how() string { return fmt.Sprintf("1 base=%q flatten=%t", r.Base, r.Flatten) }
