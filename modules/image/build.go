package image

import (
	"context"
	_ "embed"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

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
	Builder    string            `hcl:"builder,optional" default:"auto" oneof:"auto,buildkit,classic" doc:"Builder of the Docker engine; auto takes BuildKit where it is there. The result is not built again because of another builder."`
	Cache      bool              `hcl:"cache,optional" default:"true" doc:"Whether the builder may take layers from its cache."`
	Epoch      int64             `hcl:"source_date_epoch,optional" doc:"Time, in seconds since 1970, that the context's files carry, and with BuildKit of Docker 23 or later the image too. Without it the files carry the year 2000, and the image the time of the build."`
	LintIgnore []string          `hcl:"lint_ignore,optional" doc:"Rules that are not to be looked at, by their names."`
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
		Doc: `The context is read on this machine and streamed to where docker runs, so it need not be there. A .dockerignore is read
as docker's own client reads it; folders called .antdbctl, where runs keep their records, are never sent.

The image carries a label with a digest of the context's files, the Dockerfile, the arguments and labels, and the base
images. While that digest is the same nothing is built; a tag that was moved away is only put back. File times, file
owners, the place of the folder and the builder are no part of it.

BuildKit builds where it is there: in docker clients of 18.09 to 22, and with the buildx plugin in later ones. Otherwise
the classic builder does. A build that fails or is stopped gives no image a name.

The same tree gives the same stream to the builder, so COPY lines take the builder's cache wherever the folder lies. What
a build cannot repeat are the times that RUN lines leave behind, the folders that COPY makes on its way, and the time of
the image itself, which makes its ID another one after a build without the cache. With ` + "`source_date_epoch`" + ` BuildKit of
Docker 23 or later repeats the image's time too, and all of it, byte for byte, where Docker keeps images in containerd.

An ` + "`ARG`" + ` that the Dockerfile uses, and that has neither a default nor a value here, is an error: Docker would build on
with an empty string. Before a build the Dockerfile and its files are looked at for these traps; the plan shows them, and
what cannot work stops it. ` + "`lint_ignore`" + ` takes names of rules:

` + rulesDoc(),
		On:      []string{conn.Docker, conn.Local, conn.SSH},
		Example: buildExample,
	}
}

// Validate holds the names to the rules that every engine has.
func (b *Build) Validate() error {
	if len(b.Tags) == 0 {
		return module.At("tags", fmt.Errorf("an image needs at least one name"))
	}
	if err := checkRules(b.LintIgnore); err != nil {
		return err
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
	if err := b.lint(env, want); err != nil {
		return module.NoChange, err
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

// build runs docker build with the context on its standard input. The context
// ends with the command: when the connection or this program dies the engine
// gives the build up, and names go to a finished image alone.
func (b *Build) build(ctx context.Context, env *module.Env, want *buildPlan) error {
	how, err := b.builderFor(ctx, env, want)
	if err != nil {
		return err
	}
	env.Logf("building with the %s builder of %s", how.kind, how.engine)
	env.Phase("send context")
	log := newBuildLog(env, want.context.Dockerfile, want.file)
	stdout, stderr := log.stream(), log.stream()
	cmd := conn.Command(b.command(how, want)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = how.environment(), stdout, stderr
	_, err = feed(ctx, env, cmd, func(w io.Writer) error {
		return want.context.Stream(&upload{to: w, log: log, of: want.bytes}, b.time())
	})
	stdout.flush()
	stderr.flush()
	return log.explain(err, b.Ref, env.Target.String())
}

// time is that of the files of the context; zero for what is usual.
func (b *Build) time() time.Time {
	if b.Epoch == 0 {
		return time.Time{}
	}
	return time.Unix(b.Epoch, 0).UTC()
}

// command is the docker build of this step.
func (b *Build) command(how buildEngine, want *buildPlan) []string {
	args := []string{"docker", "build", "--file", want.context.Dockerfile, "--label", digestLabel + "=" + want.digest}
	if how.kind == buildkit {
		args = append(args, "--progress", "plain")
	} else {
		args = append(args, "--force-rm") // a failed RUN leaves no container behind
	}
	for _, tag := range b.Tags {
		args = append(args, "--tag", tag)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Args)) {
		args = append(args, "--build-arg", name+"="+b.Args[name])
	}
	args = append(args, how.dated(b.Epoch)...)
	for _, name := range slices.Sorted(maps.Keys(b.Labels)) {
		args = append(args, "--label", name+"="+b.Labels[name])
	}
	if !b.Cache {
		args = append(args, "--no-cache")
	}
	if b.Stage != "" {
		args = append(args, "--target", b.Stage)
	}
	if b.Network != "" {
		args = append(args, "--network", b.Network)
	}
	return append(args, "-")
}
