package image

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

//go:embed inspect.hcl
var inspectExample string

// Inspect looks into an image without starting anything.
type Inspect struct {
	Image    string              `hcl:"image,optional" doc:"Image to look into: an ID or a name. Either this or archive is needed."`
	Archive  string              `hcl:"archive,optional" doc:"Archive to look into instead: a file or an OCI layout folder on this machine, compressed or not. Of several images in it, \"file#name\" picks one."`
	Paths    []string            `hcl:"paths,optional" doc:"Absolute paths to look for in the image's file system. Symbolic links in them are followed."`
	Contents []string            `hcl:"contents,optional" doc:"Absolute paths of text files whose content is wanted, up to 1 MiB each."`
	Symbols  map[string][]string `hcl:"symbols,optional" doc:"Symbols to look for: for each absolute path of a program or library a list of names."`
	Details  bool                `hcl:"details,optional" doc:"Also tell what each layer did and what is wasted. That reads the files that may be equal."`

	ID       string             `out:"id" doc:"Content address of the image."`
	Names    []string           `out:"names" doc:"Names the image has."`
	Digest   string             `out:"digest" doc:"Digest in a registry; empty for an image that never was in one."`
	Size     int64              `out:"size" doc:"Size of the unpacked image in bytes."`
	Created  string             `out:"created" doc:"When it was built (RFC 3339)."`
	Os       string             `out:"os" doc:"Operating system, such as linux."`
	Arch     string             `out:"arch" doc:"Architecture, such as amd64."`
	Layers   []string           `out:"layers" doc:"Digests of the uncompressed layers, from the base up."`
	Config   Config             `out:"config" doc:"How containers of it start: entrypoint, cmd, user, workdir, env, labels, volumes, exposed."`
	Files    map[string]Found   `out:"files" doc:"What is at each of the paths: exists, type (file, directory, other), size in bytes, mode in octal, uid, gid, path without links, layer (from 1) that it comes from."`
	Texts    map[string]string  `out:"texts" doc:"Content of each of the files in contents."`
	Programs map[string]Program `out:"programs" doc:"Of each path in paths and symbols that is a program or library: kind, arch, needed (libraries), missing (what it wants and the image has not), glibc (newest version wanted, such as 2.17), symbols (for each name: defined, wanted, or none)."`
	History  []LayerFacts       `out:"history" doc:"With details, one for each layer: number (from 1), digest, command (of the build; empty when the image does not say), size, added, changed and deleted files, wasted bytes."`
	Wasted   int64              `out:"wasted" doc:"With details: bytes that every node stores and nobody needs."`
	Waste    []WasteFacts       `out:"waste" doc:"With details, the largest of it: path, size, why (deleted, overwritten, rewritten with the same content, copy), layer where the bytes lie, by (the layer that deleted or overwrote it), same (another path with that content)."`
	Notes    []string           `out:"notes" doc:"With details, what is odd about the image: a history that does not match its layers, names that point outside."`

	tree   *rootfs.Tree
	config *v1.ConfigFile
}

// Config is how containers of an image start.
type Config struct {
	Entrypoint []string          `cty:"entrypoint" json:"entrypoint"`
	Cmd        []string          `cty:"cmd" json:"cmd"`
	User       string            `cty:"user" json:"user"`
	Workdir    string            `cty:"workdir" json:"workdir"`
	Env        map[string]string `cty:"env" json:"env"`
	Labels     map[string]string `cty:"labels" json:"labels"`
	Volumes    []string          `cty:"volumes" json:"volumes"`
	Exposed    []string          `cty:"exposed" json:"exposed"`
}

func (*Inspect) Info() module.Info {
	return module.Info{
		Name:    "image.inspect",
		Summary: "Look into an image: its settings, layers and files.",
		Doc: `No container is started. Settings come from docker at once. For anything else the layers are read: where they lie, if
this machine's own Docker has the image and may be looked into; else as ` + "`docker save`" + ` gives them, once: then the
image's parts stay in this machine's cache, where image.ship finds them too.`,
		On:       []string{conn.Docker, conn.Local, conn.SSH},
		Example:  inspectExample,
		ReadOnly: true,
	}
}

// Validate asks for one source and absolute paths.
func (i *Inspect) Validate() error {
	switch {
	case i.Image == "" && i.Archive == "":
		return module.At("image", errors.New("no image is named: set image or archive"))
	case i.Image != "" && i.Archive != "":
		return module.At("archive", errors.New("an image comes from docker or from an archive: set image or archive, not both"))
	}
	for _, list := range []struct {
		arg   string
		paths []string
	}{{"paths", i.Paths}, {"contents", i.Contents}, {"symbols", slices.Sorted(maps.Keys(i.Symbols))}} {
		for _, p := range list.paths {
			if !path.IsAbs(p) {
				return module.At(list.arg, fmt.Errorf("%q is no absolute path", p))
			}
		}
	}
	return nil
}

// Check reads everything.
func (i *Inspect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	if i.Image != "" {
		info, err := dockerOn(env).one(ctx, i.Image)
		if err != nil {
			return module.NoChange, module.At("image", err)
		}
		i.settings(info)
		if len(i.Paths)+len(i.Contents)+len(i.Symbols) == 0 && !i.Details {
			return module.NoChange, nil
		}
	}
	if err := i.open(ctx, env); err != nil {
		return module.NoChange, err
	}
	env.Phase("look into files")
	if err := i.look(ctx); err != nil {
		return module.NoChange, err
	}
	if !i.Details {
		return module.NoChange, nil
	}
	env.Phase("compare files")
	return module.NoChange, i.detail(ctx, env)
}

// open reads the image's tree.
func (i *Inspect) open(ctx context.Context, env *module.Env) error {
	arg := "image"
	if i.Archive != "" {
		arg = "archive"
	}
	seen, err := openSight(ctx, env, i.Image, i.Archive)
	if err != nil {
		return module.At(arg, err)
	}
	i.tree, i.config = seen.tree, seen.config
	if i.Archive != "" {
		i.settings(archiveInfo(seen))
	}
	return nil
}

// Tree is the image's file system, once Check has read it.
func (i *Inspect) Tree() *rootfs.Tree { return i.tree }

func (i *Inspect) settings(info imageInfo) {
	i.ID, i.Names, i.Size, i.Created = info.ID, append([]string{}, info.RepoTags...), info.Size, info.Created
	i.Os, i.Arch, i.Layers = info.Os, info.Architecture, info.RootFS.Layers
	if len(info.RepoDigests) > 0 {
		_, i.Digest, _ = strings.Cut(info.RepoDigests[0], "@")
	}
	i.Config = info.config()
}

// look answers what was asked about paths.
func (i *Inspect) look(ctx context.Context) error {
	i.Files = map[string]Found{}
	for _, p := range i.Paths {
		i.Files[p] = find(i.tree, p)
	}
	var err error
	if i.Texts, err = texts(ctx, i.tree, i.Contents); err != nil {
		return module.At("contents", err)
	}
	i.Programs, err = programs(ctx, i.tree, i.Config.Env["LD_LIBRARY_PATH"], i.Paths, i.Symbols)
	return module.At("symbols", err)
}

// Apply is never called.
func (*Inspect) Apply(context.Context, *module.Env) error { return nil }
