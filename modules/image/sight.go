package image

import (
	"bytes"
	"context"
	"errors"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/layerdb"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// sight is an image to look into.
type sight struct {
	id     string // of its configuration
	config *v1.ConfigFile
	tree   *rootfs.Tree
}

// openSight opens an image for looks alone, from one of two sources as
// openSource does. One that this machine's own Docker has is read where it
// lies: saving it takes as long as its size says, and looking takes a moment.
func openSight(ctx context.Context, env *module.Env, image, archive string) (*sight, error) {
	if image != "" && archive == "" {
		s, err := openHere(ctx, env, image)
		if s != nil || err != nil {
			return s, err
		}
	}
	img, err := openSource(ctx, env, image, archive)
	if err != nil {
		return nil, err
	}
	env.Phase("read layers")
	config, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	tree, err := rootfs.Read(ctx, img)
	return &sight{img.ID, config, tree}, err
}

// openHere reads an image in Docker's own folder; nil where it cannot.
func openHere(ctx context.Context, env *module.Env, image string) (*sight, error) {
	d := dockerOn(env)
	info, err := d.one(ctx, image)
	if err != nil {
		return nil, module.At("image", err)
	}
	if s, err := store.Open(); err == nil {
		if _, err := s.Lookup(s.ConfigOf(info.ID)); err == nil {
			return nil, nil // there is a copy already, each part under its digest
		}
	}
	folder, driver, err := d.folder(ctx)
	if err != nil {
		return nil, err
	}
	here, err := layerdb.Find(folder, driver, info.ID, info.RootFS.Layers)
	if errors.Is(err, layerdb.ErrNotHere) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	env.Phase("read layers")
	config, err := v1.ParseConfigFile(bytes.NewReader(here.Config))
	if err != nil {
		return nil, err
	}
	tree, err := rootfs.ReadFrom(ctx, info.ID, here)
	return &sight{info.ID, config, tree}, err
}

// folder is where the engine keeps its images, and the driver that does.
func (d docker) folder(ctx context.Context) (dir, driver string, err error) {
	out, err := d.Run(ctx, conn.Command("docker", "info", "--format", "{{.Driver}} {{.DockerRootDir}}"))
	if err != nil {
		return "", "", d.explain(err, "look for its folder")
	}
	driver, dir, _ = strings.Cut(strings.TrimSpace(out.Stdout), " ")
	return dir, driver, nil
}
