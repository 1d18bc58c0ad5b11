package image

import (
	"context"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/recovery"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// knownBase finds, among the named images of docker, the one with the most
// layers that are this image's first ones. nil when there is none.
func knownBase(ctx context.Context, env *module.Env, img *store.Image) (*recovery.Known, error) {
	d := dockerOn(env)
	out, err := d.Run(ctx, conn.Look("docker image ls --no-trunc --quiet --filter dangling=false"))
	if err != nil {
		return nil, d.explain(err, "list images")
	}
	ids := strings.Fields(out.Stdout)
	slices.Sort(ids)
	found, err := d.inspect(ctx, slices.Compact(ids)...)
	if err != nil {
		return nil, err
	}
	var best imageInfo
	for _, id := range ids {
		info := found[id]
		if len(info.RepoTags) == 0 || !prefixOf(info.RootFS.Layers, img.Layers) || id == img.ID {
			continue
		}
		if n := len(info.RootFS.Layers); n > len(best.RootFS.Layers) {
			best = info
		}
	}
	if best.ID == "" {
		return nil, nil
	}
	rows, err := d.Run(ctx, conn.Command("docker", "image", "history", "--quiet", "--no-trunc", best.ID))
	if err != nil {
		return nil, d.explain(err, "history of "+best.RepoTags[0])
	}
	return &recovery.Known{Name: best.RepoTags[0], Layers: len(best.RootFS.Layers), Rows: len(strings.Fields(rows.Stdout))}, nil
}

// prefixOf reports whether the layers are some, but not all, of the image's
// first ones.
func prefixOf(layers []string, all []store.Blob) bool {
	if len(layers) == 0 || len(layers) >= len(all) {
		return false
	}
	for i, l := range layers {
		if all[i].Digest != l {
			return false
		}
	}
	return true
}
