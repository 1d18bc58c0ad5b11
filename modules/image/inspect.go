package image

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

//go:embed inspect.hcl
var inspectExample string

// Inspect looks into an image without starting anything.
type Inspect struct {
	Image string   `hcl:"image" doc:"Image to look into: an ID or a name."`
	Paths []string `hcl:"paths,optional" doc:"Absolute paths to look for in the image's file system. Symbolic links in them are followed."`

	ID      string           `out:"id" doc:"Content address of the image."`
	Names   []string         `out:"names" doc:"Names the image has."`
	Digest  string           `out:"digest" doc:"Digest in a registry; empty for an image that never was in one."`
	Size    int64            `out:"size" doc:"Size of the unpacked image in bytes."`
	Created string           `out:"created" doc:"When it was built (RFC 3339)."`
	Os      string           `out:"os" doc:"Operating system, such as linux."`
	Arch    string           `out:"arch" doc:"Architecture, such as amd64."`
	Layers  []string         `out:"layers" doc:"Digests of the uncompressed layers, from the base up."`
	Config  Config           `out:"config" doc:"How containers of it start: entrypoint, cmd, user, workdir, env, labels, volumes, exposed."`
	Files   map[string]Found `out:"files" doc:"What is at each of the paths: exists, type (file, directory, other), size in bytes, mode in octal."`
}

// Config is how containers of an image start.
type Config struct {
	Entrypoint []string          `cty:"entrypoint"`
	Cmd        []string          `cty:"cmd"`
	User       string            `cty:"user"`
	Workdir    string            `cty:"workdir"`
	Env        map[string]string `cty:"env"`
	Labels     map[string]string `cty:"labels"`
	Volumes    []string          `cty:"volumes"`
	Exposed    []string          `cty:"exposed"`
}

// Found is what an image has at a path.
type Found struct {
	Exists bool   `cty:"exists"`
	Type   string `cty:"type"`
	Size   int64  `cty:"size"`
	Mode   string `cty:"mode"`
}

func (*Inspect) Info() module.Info {
	return module.Info{
		Name:    "image.inspect",
		Summary: "Look into an image: its settings, layers and files.",
		Doc: `No container is started. With ` + "`paths`" + ` the image is read as ` + "`docker save`" + ` gives it, once: its parts stay in this
machine's cache, where image.ship finds them too.`,
		On:       []string{conn.Docker, conn.Local, conn.SSH},
		Example:  inspectExample,
		ReadOnly: true,
	}
}

// Validate asks for absolute paths.
func (i *Inspect) Validate() error {
	for _, p := range i.Paths {
		if !path.IsAbs(p) {
			return module.At("paths", fmt.Errorf("%q is no absolute path", p))
		}
	}
	return nil
}

// Check reads everything.
func (i *Inspect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	d := dockerOn(env)
	info, err := d.one(ctx, i.Image)
	if err != nil {
		return module.NoChange, module.At("image", err)
	}
	i.ID, i.Names, i.Size, i.Created = info.ID, info.RepoTags, info.Size, info.Created
	i.Os, i.Arch, i.Layers = info.Os, info.Architecture, info.RootFS.Layers
	if len(info.RepoDigests) > 0 {
		_, i.Digest, _ = strings.Cut(info.RepoDigests[0], "@")
	}
	i.Config = info.config()
	if len(i.Paths) == 0 {
		return module.NoChange, nil
	}
	img, err := fetch(ctx, env, d, info)
	if err != nil {
		return module.NoChange, module.At("image", err)
	}
	env.Phase("look for files")
	tree, err := rootfs.Read(ctx, img)
	if err != nil {
		return module.NoChange, module.At("image", err)
	}
	i.Files = map[string]Found{}
	for _, p := range i.Paths {
		i.Files[p] = find(tree, p)
	}
	return module.NoChange, nil
}

func find(t *rootfs.Tree, p string) Found {
	e, ok := t.Stat(p)
	if !ok {
		return Found{}
	}
	f := Found{Exists: true, Type: "other", Size: e.Size, Mode: e.Octal()}
	switch {
	case e.IsDir():
		f.Type = "directory"
	case e.Mode.IsRegular():
		f.Type = "file"
	}
	return f
}

// Apply is never called.
func (*Inspect) Apply(context.Context, *module.Env) error { return nil }

func (info imageInfo) config() Config {
	c := info.Config
	out := Config{
		Entrypoint: append([]string{}, c.Entrypoint...),
		Cmd:        append([]string{}, c.Cmd...),
		User:       c.User,
		Workdir:    c.WorkingDir,
		Env:        map[string]string{},
		Labels:     map[string]string{},
		Volumes:    append([]string{}, slices.Sorted(maps.Keys(c.Volumes))...),
		Exposed:    append([]string{}, slices.Sorted(maps.Keys(c.ExposedPorts))...),
	}
	for _, pair := range c.Env {
		name, value, _ := strings.Cut(pair, "=")
		out.Env[name] = value
	}
	maps.Copy(out.Labels, c.Labels)
	return out
}
