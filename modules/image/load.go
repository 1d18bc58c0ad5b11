package image

import (
	"context"
	_ "embed"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/store"
)

//go:embed load.hcl
var loadExample string

// Load reads an archive that lies on a host into the host's engine.
type Load struct {
	Path      string   `hcl:"path" doc:"Archive to load, an absolute path on the host. Of several images in it, # and a name or the beginning of an ID pick one: /tmp/all.tar#corp/antdb:1."`
	Tags      []string `hcl:"tags,optional" doc:"Further names to give the image; needed when the archive was saved by ID."`
	Runtime   string   `hcl:"runtime,optional" default:"auto" oneof:"auto,docker,containerd,podman" doc:"Container engine to load into; auto finds the one that the host's kubelet uses."`
	Namespace string   `hcl:"namespace,optional" default:"k8s.io" doc:"Namespace of containerd; the kubelet's is k8s.io."`

	ID     string   `out:"id" doc:"Content address of the image."`
	Names  []string `out:"names" doc:"Full names the image has after loading."`
	Engine string   `out:"engine" doc:"Container engine that has the image."`

	node    *node
	archive archiveFile
	image   *store.Image // nil while the engine can read the archive itself
}

func (*Load) Info() module.Info {
	return module.Info{
		Name:    "image.load",
		Summary: "Load an image from an archive on the host.",
		Doc: `Archives of ` + "`docker save`" + ` of all versions are read, and OCI layouts as podman, skopeo and buildah write them, plain or
packed with gzip or zstd. One that the host's engine does not read itself goes through this machine and back. It is not
loaded while its names mean its image already. A bad archive leaves the host's images as they were.`,
		On:      []string{conn.Docker, conn.SSH, conn.Local},
		Example: loadExample,
	}
}

// Validate asks for an absolute path and names that engines take.
func (l *Load) Validate() error {
	if !path.IsAbs(l.Path) {
		return module.At("path", fmt.Errorf("%q is no absolute path", l.Path))
	}
	return checkNames("tags", l.Tags...)
}

// Check compares what the archive says it holds with what its names mean.
func (l *Load) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	names, err := l.read(ctx, env)
	if err != nil {
		return module.NoChange, module.At("path", err)
	}
	l.Names = nil
	for _, name := range append(names, l.Tags...) {
		if name = fullName(name); !slices.Contains(l.Names, name) {
			l.Names = append(l.Names, name)
		}
	}
	if len(l.Names) == 0 {
		return module.NoChange, module.At("path", module.Explain(fmt.Errorf("%s gives the image no name: it was saved by ID", l.Path),
			"save it by its name, or set tags"))
	}
	if l.node, err = lookAt(ctx, env, l.Runtime, l.Namespace, l.ID, l.Names); err != nil {
		return module.NoChange, err
	}
	l.Engine = l.node.engine
	if l.Engine == "containerd" && len(names) == 0 && l.image == nil { // ctr imports only what has a name
		if err := l.fetch(ctx, env); err != nil {
			return module.NoChange, module.At("path", err)
		}
	}
	wrong := slices.DeleteFunc(slices.Clone(l.Names), func(name string) bool { return l.node.has(name, l.ID) })
	if len(wrong) == 0 {
		return module.NoChange, nil
	}
	change := module.Change{Action: module.Create, Summary: fmt.Sprintf("load %s (%s) into %s", strings.Join(wrong, ", "), size(l.archive.size), l.Engine)}
	if l.node.images[wrong[0]] != nil {
		change.Action = module.Update
	}
	return change, nil
}

// Destroy takes the names away that mean the image.
func (l *Load) Destroy(ctx context.Context, env *module.Env) error {
	return l.node.forget(ctx, env, l.Namespace, l.Names, l.ID)
}
