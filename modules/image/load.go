package image

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed load.hcl
var loadExample string

// Load reads an archive that lies on a host into the host's engine.
type Load struct {
	Path      string   `hcl:"path" doc:"Archive to load, an absolute path on the host, compressed or not."`
	Tags      []string `hcl:"tags,optional" doc:"Further names to give the image; needed when the archive was saved by ID."`
	Runtime   string   `hcl:"runtime,optional" default:"auto" oneof:"auto,docker,containerd,podman" doc:"Container engine to load into; auto finds the one that the host's kubelet uses."`
	Namespace string   `hcl:"namespace,optional" default:"k8s.io" doc:"Namespace of containerd; the kubelet's is k8s.io."`

	ID     string   `out:"id" doc:"Content address of the image."`
	Names  []string `out:"names" doc:"Full names the image has after loading."`
	Engine string   `out:"engine" doc:"Container engine that has the image."`

	node *node
}

func (*Load) Info() module.Info {
	return module.Info{
		Name:    "image.load",
		Summary: "Load an image from an archive on the host.",
		Doc:     "The archive is one of `docker save` or image.save, of one image. It is not loaded while its names mean its image already.",
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
	a, err := readArchive(ctx, env, l.Path, "")
	if err == nil {
		err = loadable(a, l.Path, env.Target.String())
	}
	if err != nil {
		return module.NoChange, module.At("path", err)
	}
	entry := a.entries[0]
	l.ID, l.Names = entry.ID(), nil
	for _, tag := range append(entry.RepoTags, l.Tags...) {
		if name := fullName(tag); !slices.Contains(l.Names, name) {
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
	if l.Engine == "containerd" && len(entry.RepoTags) == 0 {
		return module.NoChange, module.At("path", module.Explain(fmt.Errorf("%s gives the image no name, which containerd needs", l.Path),
			"save it by its name, or bring it with image.ship"))
	}
	wrong := slices.DeleteFunc(slices.Clone(l.Names), func(name string) bool { return l.node.has(name, l.ID) })
	if len(wrong) == 0 {
		return module.NoChange, nil
	}
	change := module.Change{Action: module.Create, Summary: fmt.Sprintf("load %s (%s) into %s", strings.Join(wrong, ", "), size(a.size), l.Engine)}
	if l.node.images[wrong[0]] != nil {
		change.Action = module.Update
	}
	return change, nil
}

func loadable(a archiveFile, path, place string) error {
	switch {
	case !a.exists:
		return module.Explain(fmt.Errorf("there is no %s on %s", path, place), "write it with image.save, or copy it there before this step")
	case len(a.entries) == 0:
		return module.Explain(fmt.Errorf("%s on %s is no image archive: it has no manifest.json", path, place),
			"make it with docker save, not with docker export, and copy it in binary mode")
	case len(a.entries) > 1:
		return module.Explain(fmt.Errorf("%s holds %d images", path, len(a.entries)), "save each image to an archive of its own")
	}
	return nil
}

// Scripts that load the archive $1 and give its image ($2 and on) more names.
const (
	loadDocker = `engine=$1 file=$2 id=$3
shift 3
$engine image load --input "$file" || exit 1
for name; do $engine image tag "$id" "$name" || exit 1; done`
	loadContainerd = `ns=$1 file=$2 first=$3
shift 3
case $file in
*.gz | *.tgz) gzip -dc "$file" | ctr -n "$ns" images import - || exit 1 ;;
*) ctr -n "$ns" images import "$file" || exit 1 ;;
esac
for name; do
	[ "$name" = "$first" ] || ctr -n "$ns" images tag --force "$first" "$name" || exit 1
done`
)

// Apply loads and names the image.
func (l *Load) Apply(ctx context.Context, env *module.Env) error {
	env.Phase("load")
	cmd := conn.Script(loadDocker, append([]string{l.node.engine, l.Path, l.ID}, l.Names...)...)
	if l.node.engine == "containerd" {
		cmd = l.node.ctr(loadContainerd, append([]string{l.Namespace, l.Path, l.Names[0]}, l.Names...)...)
	}
	_, err := env.Run(ctx, cmd)
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return module.At("path", explain(exit, fmt.Sprintf("load %s into %s of %s", l.Path, l.node.engine, env.Target)))
	}
	return err
}

// Destroy takes the names away that mean the image.
func (l *Load) Destroy(ctx context.Context, env *module.Env) error {
	return l.node.forget(ctx, env, l.Namespace, l.Names, l.ID)
}
