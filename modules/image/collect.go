package image

import (
	"context"
	_ "embed"
	"errors"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/preflight"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
	"github.com/adbsql/antdbctl/modules/image/store"
)

//go:embed collect.hcl
var collectExample string

// Collect gathers what the contents of database images say.
type Collect struct {
	Refs []string `hcl:"refs,optional" doc:"Images to look into: names or IDs. A diagnosis passes those that database containers run."`

	Facts cty.Value `out:"facts" doc:"What was seen: an object with a list for each kind of fact; in image_check one for each check of each image: name (the image), id, title, verdict (good, warn, bad, unknown), evidence, layer (from 1) and command at fault, remedy."`
	Gaps  []string  `out:"gaps" doc:"What could not be looked at, a sentence each."`
}

// Info describes image.collect.
func (*Collect) Info() module.Info {
	return module.Info{
		Name:    "image.collect",
		Summary: "Gathers what the contents of database images say for a diagnosis.",
		Doc: `Makes the checks of image.check that need no container, each a fact. An image is read where this machine's own Docker or its
cache of images has it, which takes a moment; else as ` + "`docker save`" + ` gives it. One that is not there, or is no
database, is noted in ` + "`gaps`" + `. A diagnosis looks by docker targets.`,
		On:       []string{conn.Docker, conn.Local},
		Example:  collectExample,
		ReadOnly: true,
	}
}

// Check gives the facts as outputs.
func (c *Collect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	c.Facts, c.Gaps, err = evidence.Look(time.Now(), func(rec evidence.Recorder) error { return c.gather(ctx, env, rec) })
	return module.NoChange, err
}

// Apply is never called: Check does all the work.
func (*Collect) Apply(context.Context, *module.Env) error { return nil }

// Collect looks into images by docker targets alone: this machine's own docker
// would tell the same once more.
func (c *Collect) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	if env.Target.Kind == conn.Local {
		return nil
	}
	return c.gather(ctx, env, rec)
}

// gather looks into one image after another.
func (c *Collect) gather(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	for _, ref := range c.Refs {
		findings, err := staticLook(ctx, env, ref)
		if err == nil && foreign(findings) {
			err = errors.New("it is no database image: there is neither a server nor Patroni in it")
		}
		if err != nil {
			rec.Gap("the content of image "+ref, evidence.Place{}, err)
			continue
		}
		for _, f := range findings {
			rec.Fact(ref, evidence.Place{}, &evidence.ImageCheck{ID: f.ID, Title: f.Title, Verdict: verdicts[preflight.Verdict(f.Verdict)],
				Evidence: strings.Join(f.Evidence, "; "), Layer: int64(f.Layer), Command: f.History, Remedy: f.Remedy})
		}
	}
	return nil
}

// verdicts are the words of evidence for those of preflight.
var verdicts = map[preflight.Verdict]string{preflight.Pass: "good", preflight.Warn: "warn", preflight.Unknown: "unknown", preflight.Fail: "bad"}

// foreign reports whether an image was never meant to be a database: PGO 4
// calls the container of its repositories "database", too.
func foreign(findings []preflight.Finding) bool {
	verdict := map[string]string{}
	for _, f := range findings {
		verdict[f.ID] = f.Verdict
	}
	noServer := verdict["B6.1"] == string(preflight.Fail) && verdict["B6.3"] == string(preflight.Unknown)
	return noServer && verdict["B6.14"] == string(preflight.Fail)
}

// staticLook makes the checks that files can answer.
func staticLook(ctx context.Context, env *module.Env, ref string) ([]preflight.Finding, error) {
	img, err := sightOf(ctx, env, ref)
	if err != nil {
		return nil, err
	}
	findings, _, err := preflight.Run(ctx, img.tree, img.config, preflight.Want{})
	return findings, err
}

// sightOf opens an image: one that is named by its ID also where only the cache
// of this machine has it.
func sightOf(ctx context.Context, env *module.Env, ref string) (*sight, error) {
	if isID(ref) {
		if s, err := store.Open(); err == nil {
			if img, err := s.Lookup(s.ConfigOf(fullID(ref))); err == nil {
				config, err := img.ConfigFile()
				if err != nil {
					return nil, err
				}
				tree, err := rootfs.Read(ctx, img)
				return &sight{img.ID, config, tree}, err
			}
		}
	}
	return openSight(ctx, env, ref, "")
}

func fullID(ref string) string { return "sha256:" + strings.TrimPrefix(ref, "sha256:") }
