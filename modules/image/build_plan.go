package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/buildcontext"
	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// buildPlan is what a build needs and what is there already.
type buildPlan struct {
	context *buildcontext.Folder
	file    *dockerfile.File // up to the wanted stage
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
	c, err := buildcontext.Open(env.Path(b.Context), b.Dockerfile)
	if err != nil {
		return nil, module.At("context", err)
	}
	file, err := c.Read()
	if err != nil {
		return nil, module.At("dockerfile", err)
	}
	file = file.UpTo(b.Stage)
	if err := c.Missing(file, b.Args); err != nil {
		return nil, module.At("context", module.Explain(err, "put the file into the context, or correct the line"))
	}
	p := &buildPlan{context: c, file: file, bases: file.Bases(b.Args), tags: b.Tags}
	lacking := file.Unset(b.Args, nil)
	p.found, err = dockerOn(env).inspect(ctx, append(slices.Clone(b.Tags), p.bases...)...)
	if len(lacking) > 0 { // a base image may set them, which only the engine knows
		if lacking = file.Unset(b.Args, p.environment()); err != nil || len(lacking) > 0 {
			return nil, unsetError(c.Dockerfile, lacking)
		}
	}
	if err != nil {
		return nil, dockerOn(env).withoutDocker(ctx, err)
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

// digest identifies a build by all that goes into it. bases are the IDs of the
// images it starts from. The builder and its cache are no part of it.
func (b *Build) digest(c *buildcontext.Folder, bases map[string]string) (string, int64, error) {
	h := sha256.New()
	fmt.Fprintf(h, "2 %q %q %d\n", c.Dockerfile, b.Stage, b.Epoch)
	for _, part := range []map[string]string{b.Args, b.Labels, bases} {
		for _, k := range slices.Sorted(maps.Keys(part)) {
			fmt.Fprintf(h, "%q=%q\n", k, part[k])
		}
		fmt.Fprintln(h)
	}
	total, err := c.Hash(h)
	return hex.EncodeToString(h.Sum(nil)), total, err
}

func unsetError(name string, lacking []dockerfile.UnsetArg) error {
	names, evidence := make([]string, len(lacking)), make([]string, len(lacking))
	for i, u := range lacking {
		names[i], evidence[i] = u.String(), fmt.Sprintf("%s:%d: %s", name, u.Used, u.By)
	}
	err := fmt.Errorf("%s uses build arguments that have no value: %s", name, strings.Join(names, ", "))
	return module.At("args", module.Explain(err,
		fmt.Sprintf("set them: args = { %s = \"…\" }; or give the ARG line a default", lacking[0].Name), evidence...))
}
