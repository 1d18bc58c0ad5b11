package engine

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

// prior is what some collectors want to know of a cluster before they begin:
// which folders its volumes are made of, and which images its databases run.
// They say so by an argument, folders or refs.
type prior struct {
	mu      sync.Mutex
	volumes []evidence.Volume
	images  []string
	known   chan struct{} // closed when no more is to be waited for
	once    sync.Once
}

const (
	priorPart   = 3  // of the budget, this part is waited for what is to be known before
	mostFolders = 64 // of one machine
	mostImages  = 4
)

// needsPrior reports whether a collector has use for what a cluster tells.
func needsPrior(entry module.Entry) bool {
	_, folders := entry.Arg("folders")
	_, refs := entry.Arg("refs")
	return folders || refs
}

// fact hears what is recorded.
func (p *prior) fact(place evidence.Place, data any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch f := data.(type) {
	case *evidence.Volume:
		if f.Path != "" {
			p.volumes = append(p.volumes, *f)
		}
	case *evidence.Container:
		if place.Cluster != "" && place.Container == "database" && f.Image != "" && !slices.Contains(p.images, f.Image) {
			p.images = append(p.images, f.Image)
		}
	}
}

// done says that a cluster has told all it has: its logs come after its facts.
func (p *prior) done() { p.once.Do(func() { close(p.known) }) }

// wait gives a cluster some time to tell.
func (p *prior) wait(ctx context.Context, most time.Duration) {
	select {
	case <-p.known:
	case <-time.After(most):
	case <-ctx.Done():
	}
}

// args are the arguments of l that p has something for.
func (p *prior) args(l lookout, targets []conn.Target) map[string]cty.Value {
	p.mu.Lock()
	defer p.mu.Unlock()
	args := map[string]cty.Value{}
	give := func(name string, texts []string, most int) {
		if _, has := l.entry.Arg(name); !has || len(texts) == 0 {
			return
		}
		slices.Sort(texts)
		texts = slices.Compact(texts)
		var list []cty.Value
		for _, text := range texts[:min(len(texts), most)] {
			list = append(list, cty.StringVal(text))
		}
		args[name] = cty.ListVal(list)
	}
	var folders []string
	for _, v := range p.volumes {
		if mayHold(l.target, v.Nodes, targets) {
			folders = append(folders, v.Path)
		}
	}
	give("folders", folders, mostFolders)
	give("refs", slices.Clone(p.images), mostImages)
	return args
}

// mayHold reports whether a volume of nodes may lie on t: on one of nodes where
// targets are called as nodes are, else on any.
func mayHold(t conn.Target, nodes []string, targets []conn.Target) bool {
	named := func(t conn.Target) bool { return slices.Contains(nodes, t.Name) }
	return named(t) || !slices.ContainsFunc(targets, named)
}
