package image

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed build.hcl
var buildExample string

// Build makes an image from a folder of this machine.
type Build struct {
	Context    string            `hcl:"context" doc:"Folder on this machine that holds the Dockerfile and all it copies. A .dockerignore in it is honoured."`
	Dockerfile string            `hcl:"dockerfile,optional" default:"Dockerfile" doc:"Dockerfile, relative to the context."`
	Tags       []string          `hcl:"tags" doc:"Names for the image; the first is its ref."`
	Args       map[string]string `hcl:"args,optional" doc:"Values for the ARG lines of the Dockerfile. They stay readable in the image's history: nothing secret here."`
	Labels     map[string]string `hcl:"labels,optional" doc:"Labels to put on the image."`
	Stage      string            `hcl:"stage,optional" doc:"Stage of the Dockerfile to build; the last one if not set."`
	Network    string            `hcl:"network,optional" doc:"Network of the RUN lines, such as \"host\" or \"none\"."`
	Pull       bool              `hcl:"pull,optional" default:"false" doc:"Whether to ask the registry for newer base images when building. Base images that are missing are always asked for."`

	Ref  string `out:"ref" doc:"The first tag."`
	ID   string `out:"id" doc:"Content address of the image, the same on every host."`
	Size int64  `out:"size" doc:"Size of the unpacked image in bytes."`
}

// digestLabel holds the digest of all that went into an image.
const digestLabel = "antdbctl.digest"

func (*Build) Info() module.Info {
	return module.Info{
		Name:    "image.build",
		Summary: "Build a container image, unless nothing that goes into it has changed.",
		Doc: `The context is read on this machine and streamed to where docker runs, so it need not be there.

The image carries a label with a digest of the context's files, the Dockerfile, the arguments and labels, and the base
images. While that digest is the same nothing is built; a tag that was moved away is only put back.

An ` + "`ARG`" + ` that the Dockerfile uses, and that has neither a default nor a value here, is an error: Docker would build on
with an empty string.`,
		On:      []string{conn.Docker, conn.Local, conn.SSH},
		Example: buildExample,
	}
}

// Validate holds the names to the rules that every engine has.
func (b *Build) Validate() error {
	if len(b.Tags) == 0 {
		return module.At("tags", fmt.Errorf("an image needs at least one name"))
	}
	return checkNames("tags", b.Tags...)
}

// Check compares the digest of all inputs with the label of the image.
func (b *Build) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	b.Ref, b.ID, b.Size = b.Tags[0], "", 0
	want, err := b.plan(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	have, ok := want.image()
	switch {
	case ok && len(want.untagged()) == 0:
		b.ID, b.Size = have.ID, have.Size
		return module.NoChange, nil
	case ok:
		b.ID, b.Size = have.ID, have.Size
		return module.Change{Action: module.Update, Summary: fmt.Sprintf("tag %s as %s", short(have.ID), strings.Join(want.untagged(), ", "))}, nil
	}
	summary := fmt.Sprintf("%s from %s of context", b.Ref, size(want.bytes))
	if len(want.missing) > 0 {
		summary += ", pulling " + strings.Join(want.missing, ", ")
	}
	old, exists := want.found[b.Ref]
	if !exists {
		return module.Change{Action: module.Create, Summary: "build " + summary}, nil
	}
	reason := "its inputs changed"
	if old.Config.Labels[digestLabel] == "" {
		reason = "the present one was not built by this step"
	}
	return module.Change{Action: module.Replace, Summary: fmt.Sprintf("rebuild %s: %s", summary, reason)}, nil
}

// Apply builds, or puts the tags back.
func (b *Build) Apply(ctx context.Context, env *module.Env) error {
	want, err := b.plan(ctx, env)
	if err != nil {
		return err
	}
	d := dockerOn(env)
	if have, ok := want.image(); ok {
		return d.tag(ctx, have.ID, want.untagged()...)
	}
	if pulls := b.pulls(want); len(pulls) > 0 {
		env.Phase("pull")
		for _, base := range pulls {
			if err := d.pull(ctx, env, base); err != nil {
				return module.At("context", err)
			}
		}
		if want, err = b.plan(ctx, env); err != nil {
			return err
		}
	}
	if err := b.build(ctx, env, want); err != nil {
		return err
	}
	built, err := d.one(ctx, b.Ref)
	b.ID, b.Size = built.ID, built.Size
	return err
}

// Destroy takes away those of the tags that image.build made.
func (b *Build) Destroy(ctx context.Context, env *module.Env) error {
	d := dockerOn(env)
	found, err := d.inspect(ctx, b.Tags...)
	if err != nil {
		return err
	}
	for _, ref := range b.Tags {
		if info, ok := found[ref]; ok && info.Config.Labels[digestLabel] != "" {
			if err := d.untag(ctx, info.ID, ref); err != nil {
				return err
			}
		}
	}
	return nil
}

// build runs docker build with the context on its standard input.
func (b *Build) build(ctx context.Context, env *module.Env, want *buildPlan) error {
	args := []string{"docker", "build", "--file", want.context.dockerfile, "--label", digestLabel + "=" + want.digest}
	for _, tag := range b.Tags {
		args = append(args, "--tag", tag)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		args = append(args, "--build-arg", name+"="+b.Args[name])
	}
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		args = append(args, "--label", name+"="+b.Labels[name])
	}
	if b.Stage != "" {
		args = append(args, "--target", b.Stage)
	}
	if b.Network != "" {
		args = append(args, "--network", b.Network)
	}
	env.Phase("send context")
	log := newBuildLog(env)
	stdout, stderr := log.stream(), log.stream()
	cmd := conn.Command(append(args, "-")...)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	_, err := feed(ctx, env, cmd, want.context.writeTo)
	stdout.flush()
	stderr.flush()
	return log.explain(err, b.Ref, env.Target.String())
}

// buildPlan is what a build needs and what is there already.
type buildPlan struct {
	context *buildContext
	digest  string
	bytes   int64                // of the context's files
	bases   []string             // images that the Dockerfile starts from
	missing []string             // those of them that are not there
	found   map[string]imageInfo // by tag and base
	tags    []string
}

// plan reads the context and asks the engine, in one call, about the tags and
// the base images. Faults of the Dockerfile come before any question.
func (b *Build) plan(ctx context.Context, env *module.Env) (*buildPlan, error) {
	c, err := openContext(env.Path(b.Context), b.Dockerfile)
	if err != nil {
		return nil, module.At("context", err)
	}
	list, err := c.readDockerfile()
	if err != nil {
		return nil, module.At("dockerfile", err)
	}
	list = upTo(list, b.Stage)
	if err := c.missing(list); err != nil {
		return nil, module.At("context", module.Explain(err, "put the file into the context, or correct the line"))
	}
	p := &buildPlan{context: c, bases: bases(list, b.Args), tags: b.Tags}
	lacking := unset(list, b.Args, nil)
	p.found, err = dockerOn(env).inspect(ctx, append(slices.Clone(b.Tags), p.bases...)...)
	if len(lacking) > 0 { // a base image may set them, which only the engine knows
		if lacking = unset(list, b.Args, p.environment()); err != nil || len(lacking) > 0 {
			return nil, unsetError(c.dockerfile, lacking)
		}
	}
	if err != nil {
		return nil, err
	}
	for _, name := range undeclared(list, b.Args) {
		env.Logf("warning: args sets %s, which no ARG line of %s asks for", name, c.dockerfile)
	}
	ids := map[string]string{}
	for _, base := range p.bases {
		if info, ok := p.found[base]; ok {
			ids[base] = info.ID
		} else {
			p.missing = append(p.missing, base)
		}
	}
	p.digest, p.bytes, err = b.digest(c, ids)
	return p, module.At("context", err)
}

// environment are the names that the base images' ENV set.
func (p *buildPlan) environment() map[string]bool {
	names := map[string]bool{}
	for _, base := range p.bases {
		for _, pair := range p.found[base].Config.Env {
			name, _, _ := strings.Cut(pair, "=")
			names[name] = true
		}
	}
	return names
}

// image is the one that was built from just these inputs.
func (p *buildPlan) image() (imageInfo, bool) {
	for _, tag := range p.tags {
		if info, ok := p.found[tag]; ok && len(p.missing) == 0 && info.Config.Labels[digestLabel] == p.digest {
			return info, true
		}
	}
	return imageInfo{}, false
}

// untagged are the tags that do not mean that image.
func (p *buildPlan) untagged() []string {
	have, _ := p.image()
	var tags []string
	for _, tag := range p.tags {
		if p.found[tag].ID != have.ID {
			tags = append(tags, tag)
		}
	}
	return tags
}

// pulls are the base images to ask the registry for.
func (b *Build) pulls(p *buildPlan) []string {
	if b.Pull {
		return p.bases
	}
	return p.missing
}

func unsetError(dockerfile string, lacking []unsetArg) error {
	names, evidence := make([]string, len(lacking)), make([]string, len(lacking))
	for i, u := range lacking {
		names[i], evidence[i] = u.String(), fmt.Sprintf("%s:%d: %s", dockerfile, u.used, u.by)
	}
	err := fmt.Errorf("%s uses build arguments that have no value: %s", dockerfile, strings.Join(names, ", "))
	return module.At("args", module.Explain(err,
		fmt.Sprintf("set them: args = { %s = \"…\" }; or give the ARG line a default", lacking[0].name), evidence...))
}
