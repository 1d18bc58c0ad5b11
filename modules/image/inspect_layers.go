package image

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// LayerFacts is what one layer of an image does.
type LayerFacts struct {
	Number  int    `cty:"number" json:"number"`
	Digest  string `cty:"digest" json:"digest"`
	Command string `cty:"command" json:"command"`
	Size    int64  `cty:"size" json:"size"`
	Added   int    `cty:"added" json:"added"`
	Changed int    `cty:"changed" json:"changed"`
	Deleted int    `cty:"deleted" json:"deleted"`
	Wasted  int64  `cty:"wasted" json:"wasted"`
}

// WasteFacts is a file whose bytes nobody needs. Layers count from 1.
type WasteFacts struct {
	Path  string `cty:"path" json:"path"`
	Size  int64  `cty:"size" json:"size"`
	Why   string `cty:"why" json:"why"`
	Layer int    `cty:"layer" json:"layer"`
	By    int    `cty:"by" json:"by"`
	Same  string `cty:"same" json:"same"`
}

// maxWaste is how many wasted files are told.
const maxWaste = 100

// detail tells of the layers and of what is wasted.
func (i *Inspect) detail(ctx context.Context, env *module.Env) error {
	wasted, err := i.tree.Waste(ctx, func(done, total int64) { env.Progress(done, total, "B") })
	if err != nil {
		return err
	}
	i.Wasted, i.Waste, i.Notes = wasted.Bytes, []WasteFacts{}, []string{}
	for _, w := range wasted.Files[:min(maxWaste, len(wasted.Files))] {
		i.Waste = append(i.Waste, WasteFacts{w.Path, w.Size, string(w.Why), w.Layer + 1, w.By + 1, w.Same})
	}
	commands, err := i.Commands()
	if err != nil {
		i.Notes = append(i.Notes, err.Error())
	}
	i.History = []LayerFacts{}
	for n, l := range i.tree.Layers {
		i.History = append(i.History, LayerFacts{n + 1, l.Digest, commands[n], l.Size, l.Added, l.Changed, l.Deleted, wasted.Layers[n]})
		if len(l.Odd) > 0 {
			i.Notes = append(i.Notes, fmt.Sprintf("layer %d has names that no builder writes, such as %q", n+1, l.Odd[0]))
		}
	}
	return nil
}

// Commands are the steps of the build, one for each layer. Where the image does
// not tell, they are empty, and the error says why.
func (i *Inspect) Commands() ([]string, error) {
	out := make([]string, len(i.tree.Layers))
	steps, err := rootfs.History(i.config)
	for n, step := range steps {
		out[n] = rootfs.Command(step)
	}
	return out, err
}

// archiveInfo is what docker would tell of an image if it had it.
func archiveInfo(s *sight) imageInfo {
	c := s.config
	info := imageInfo{ID: s.id, Architecture: c.Architecture, Os: c.OS}
	if s.tree.Image != nil {
		info.RepoTags = s.tree.Image.Names
	}
	if !c.Created.IsZero() {
		info.Created = c.Created.UTC().Format(time.RFC3339Nano)
	}
	for _, l := range s.tree.Layers {
		info.Size += l.Size
		info.RootFS.Layers = append(info.RootFS.Layers, l.Digest)
	}
	from, to := c.Config, &info.Config
	to.User, to.Env, to.Entrypoint, to.Cmd = from.User, from.Env, from.Entrypoint, from.Cmd
	to.WorkingDir, to.Labels, to.Volumes, to.ExposedPorts = from.WorkingDir, from.Labels, from.Volumes, from.ExposedPorts
	return info
}

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
