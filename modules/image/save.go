package image

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed save.hcl
var saveExample string

// Save writes an image to an archive beside the engine that has it.
type Save struct {
	Image string `hcl:"image" doc:"Image to save. Saved by name, it has that name when it is loaded; saved by ID it has none."`
	Path  string `hcl:"path" doc:"Archive to write, an absolute path where docker runs. Ending in .gz or .tgz it is compressed."`

	ID     string `out:"id" doc:"Content address of the image."`
	Size   int64  `out:"size" doc:"Size of the archive in bytes."`
	SHA256 string `out:"sha256" doc:"Checksum of the archive, to prove a transfer. Two archives of one image may differ."`
}

func (*Save) Info() module.Info {
	return module.Info{
		Name:    "image.save",
		Summary: "Write an image to an archive.",
		Doc:     "An archive that holds this very image under this name already is left as it is. It appears whole or not at all.",
		On:      []string{conn.Docker, conn.Local, conn.SSH},
		Example: saveExample,
	}
}

// Validate asks for an absolute path.
func (s *Save) Validate() error {
	if !path.IsAbs(s.Path) {
		return module.At("path", fmt.Errorf("%q is no absolute path", s.Path))
	}
	return nil
}

// Check compares the image with what the archive says it holds.
func (s *Save) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	s.Size, s.SHA256 = 0, ""
	d := dockerOn(env)
	info, err := d.one(ctx, s.Image)
	if err != nil {
		return module.NoChange, module.At("image", err)
	}
	s.ID = info.ID
	a, err := readArchive(ctx, env, s.Path, info.ID)
	if err != nil {
		return module.NoChange, module.At("path", err)
	}
	switch {
	case s.inside(a, info):
		s.Size, s.SHA256 = a.size, a.sha256
		return module.NoChange, nil
	case a.exists:
		return module.Change{Action: module.Replace, Summary: fmt.Sprintf("save %s over %s, which holds something else", s.Image, s.Path)}, nil
	}
	return module.Change{Action: module.Create, Summary: fmt.Sprintf("save %s (%s) to %s", s.Image, size(info.Size), s.Path)}, nil
}

// inside reports whether the archive holds the image alone, under its name.
func (s *Save) inside(a archiveFile, info imageInfo) bool {
	if len(a.entries) != 1 || a.sha256 == "" || a.entries[0].ID() != info.ID {
		return false
	}
	return isID(s.Image) || slices.ContainsFunc(a.entries[0].RepoTags, func(tag string) bool { return sameName(tag, s.Image) })
}

// saveScript writes beside the archive and renames. Compressing is a step of
// its own, so that no failure hides in a pipe.
const saveScript = `tmp=$2.antdbctl-$$
trap 'rm -f "$tmp" "$tmp.gz"' EXIT
trap 'exit 1' HUP INT TERM
docker image save --output "$tmp" "$1" || exit 1
if [ "$3" = gzip ]; then gzip -n "$tmp" && mv -f "$tmp.gz" "$2"; else mv -f "$tmp" "$2"; fi`

// Apply writes the archive.
func (s *Save) Apply(ctx context.Context, env *module.Env) error {
	how := "plain"
	if gzipped(s.Path) {
		how = "gzip"
	}
	env.Phase("save")
	_, err := env.Run(ctx, conn.Script(saveScript, s.Image, s.Path, how))
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return module.At("path", explain(exit, fmt.Sprintf("save %s to %s on %s", s.Image, s.Path, env.Target)))
	}
	return err
}

// Destroy removes the archive if it holds the image.
func (s *Save) Destroy(ctx context.Context, env *module.Env) error {
	if s.SHA256 == "" {
		return nil
	}
	_, err := env.Run(ctx, conn.Command("rm", "-f", "--", s.Path))
	return err
}
