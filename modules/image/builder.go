package image

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// The kinds of builder that a Docker engine has.
const (
	classic  = "classic"
	buildkit = "buildkit"
)

// builderFacts are what decides on the builder: the client may have BuildKit in
// itself (18.09 to 22), or as a plugin (23 and later), or not at all.
type builderFacts struct {
	Client struct {
		Version string
		OsArch  string // podman's own word: its docker command is no Docker
	}
	Server *struct {
		Version    string
		APIVersion string `json:"ApiVersion"`
		Os         string
	}
	plugins []struct{ Name, Err string }
	store   [][2]string // what docker info says about the engine's store of layers
}

// builderLook asks for them, a line each. The last one fails on clients before
// 19.03, which need no plugin.
const builderLook = `docker version --format '{{json .}}' || exit
docker info --format '{{json .DriverStatus}}' || exit
docker info --format '{{json .ClientInfo.Plugins}}' 2>/dev/null || true`

// buildEngine is one way to build on a Docker engine.
type buildEngine struct {
	kind       string
	modern     bool   // the engine is 23.0 or later
	containerd bool   // the engine keeps its images in containerd
	engine     string // as messages call it
}

// builderFor finds the one for a context. The classic one is taken where
// BuildKit would copy more than the ignore file lets through.
func (b *Build) builderFor(ctx context.Context, env *module.Env, p *buildPlan) (buildEngine, error) {
	want := b.Builder
	if spills := p.context.Spills(p.file); spills && want == "auto" && len(p.file.Needs()) == 0 {
		want = classic
	} else if spills && want != classic {
		env.Logf("warning: %s is left out by the ignore file, and BuildKit copies it nevertheless: it does not read the ignore file of a streamed context", p.context.Dockerfile)
	}
	how, err := dockerOn(env).builder(ctx, want, b.Network)
	if err != nil {
		return how, err
	}
	return how, how.lacks(p.context.Dockerfile, p.file)
}

// builder finds the one to use. want is auto, buildkit or classic.
func (d docker) builder(ctx context.Context, want, network string) (buildEngine, error) {
	out, err := d.Run(ctx, conn.Look(builderLook))
	if err != nil {
		return buildEngine{}, d.withoutDocker(ctx, d.explain(err, "look for a builder"))
	}
	var f builderFacts
	answers := strings.SplitN(out.Stdout, "\n", 3)
	if err := json.Unmarshal([]byte(answers[0]), &f); err != nil {
		return buildEngine{}, fmt.Errorf("look for a builder on %s: docker version answered what is no JSON: %w", d.place, err)
	}
	for i, into := range []any{&f.store, &f.plugins} {
		if i+1 < len(answers) {
			_ = json.Unmarshal([]byte(answers[i+1]), into) // older clients and engines know of none
		}
	}
	if f.Client.OsArch != "" || f.Server == nil {
		return buildEngine{}, d.isPodman()
	}
	return f.choose(want, network)
}

// choose decides, or says why the wanted builder cannot be had.
func (f builderFacts) choose(want, network string) (buildEngine, error) {
	b := buildEngine{kind: buildkit, modern: atLeast(f.Server.APIVersion, 1, 42), engine: "Docker " + f.Server.Version}
	b.containerd = slices.Contains(f.store, [2]string{"driver-type", "io.containerd.snapshotter.v1"})
	lack := f.lacksBuildKit()
	custom := network != "" && network != "host" && network != "none" && network != "default"
	switch {
	case want == classic:
		b.kind = classic
	case want == buildkit && lack != nil:
		return b, module.At("builder", lack)
	case want == buildkit && custom:
		return b, module.At("network", module.Explain(fmt.Errorf("BuildKit cannot put RUN lines into the network %s", network),
			`set network to "host" or "none", or builder = "classic"`))
	case lack != nil || custom:
		b.kind = classic
	}
	return b, nil
}

// lacksBuildKit says why the engine or its client cannot build with BuildKit;
// nil when they can.
func (f builderFacts) lacksBuildKit() error {
	if f.Server.Os == "windows" || !atLeast(f.Server.APIVersion, 1, 39) {
		return fmt.Errorf("the engine, Docker %s on %s, has no BuildKit", f.Server.Version, f.Server.Os)
	}
	for _, plugin := range f.plugins {
		if plugin.Name == "buildx" && plugin.Err == "" {
			return nil
		}
	}
	if atLeast(f.Client.Version, 23, 0) {
		return module.Explain(fmt.Errorf("the docker client %s builds with BuildKit only with its buildx plugin, which is not there", f.Client.Version),
			"install docker-buildx there, or leave builder out: the classic builder will do")
	}
	return nil
}

// atLeast compares versions by their first two numbers.
func atLeast(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	have, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) < 2 {
		return false
	}
	second, _ := strconv.Atoi(parts[1])
	return have > major || have == major && second >= minor
}

// withoutDocker says of a failure for want of Docker what else is there.
func (d docker) withoutDocker(ctx context.Context, err error) error {
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return err
	}
	if strings.Contains(exit.Stderr, "image not known") || strings.Contains(exit.Stderr, "using podman") {
		return d.isPodman()
	}
	if exit.Code != 127 {
		return err
	}
	out, lookErr := d.Run(ctx, conn.Look(`command -v podman || command -v buildah || command -v nerdctl`))
	other := strings.TrimSpace(out.Stdout)
	if lookErr != nil || other == "" {
		return err
	}
	return module.Explain(fmt.Errorf("%s has %s but not docker, and image.build knows Docker's builders alone", d.place, other), elsewhere)
}

func (d docker) isPodman() error {
	return module.Explain(fmt.Errorf("the docker command on %s is podman's, and image.build knows Docker's builders alone", d.place), elsewhere)
}

const elsewhere = "build on a host with Docker Engine, and bring the image to this one with image.ship"

// lacks is an error about the first line of a Dockerfile that the builder does
// not understand.
func (b buildEngine) lacks(name string, file *dockerfile.File) error {
	for _, need := range file.Needs() {
		if b.kind == buildkit && (b.modern || !need.New || file.Syntax != "") {
			continue
		}
		err := fmt.Errorf("%s:%d uses %s, which the %s builder of %s does not know", name, need.Line, need.What, b.kind, b.engine)
		remedy := "write it without, or build on an engine of 23.0 or later with BuildKit"
		if !need.New {
			remedy = "write it without, or build with BuildKit"
		}
		return module.At("dockerfile", module.Explain(err, remedy))
	}
	return nil
}

// environment makes the docker command take this builder.
func (b buildEngine) environment() map[string]secret.Value {
	on := "0"
	if b.kind == buildkit {
		on = "1"
	}
	// what buildx attests about a build by itself differs from build to build, and is no part of an image for nodes
	return map[string]secret.Value{"DOCKER_BUILDKIT": secret.New(on), "BUILDX_NO_DEFAULT_ATTESTATIONS": secret.New("1")}
}

// dated are the arguments with which a builder dates what it makes. Only
// BuildKit can; it dates the files in the layers as well where the engine keeps
// images in containerd.
func (b buildEngine) dated(epoch int64) []string {
	if epoch == 0 || b.kind != buildkit {
		return nil
	}
	args := []string{"--build-arg", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", epoch)}
	if b.containerd {
		args = append(args, "--output", "type=image,rewrite-timestamp=true,unpack=false")
	}
	return args
}
