package pgo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

// home is where the cluster lives; the driver is chosen the first time.
func (c *Cluster) home(ctx context.Context, env *module.Env) (*place, error) {
	if c.at != nil {
		return c.at, nil
	}
	cluster, err := kube.Of(env.Host)
	if err != nil {
		return nil, err
	}
	p := &place{pace: cmp.Or(c.pace, time.Second), kube: cluster, name: c.Name,
		namespace: firstOf(c.Namespace, env.Target.Namespace, cluster.Namespace())}
	if err := p.choose(ctx, env, c); err != nil {
		return nil, err
	}
	c.at = p
	return p, nil
}

// first looks at the cluster, and lets the apiserver correct the guess about
// its generation.
func (c *Cluster) first(ctx context.Context, env *module.Env) (*place, *view, error) {
	p, err := c.home(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	v, err := p.look(ctx, false)
	if other := (*otherVersion)(nil); errors.As(err, &other) {
		if err := c.reconsider(p, env, other); err != nil {
			return nil, nil, err
		}
		v, err = p.look(ctx, false)
	}
	if err != nil {
		return nil, nil, c.locate(err)
	}
	p.guessed = false
	return p, v, module.Refuse(p.driver.lacks(c))
}

func (c *Cluster) reconsider(p *place, env *module.Env, other *otherVersion) error {
	if p.guessed {
		return p.byVersion(env, c, other.server)
	}
	if strings.HasPrefix(other.server, c.Generation+".") {
		p.api.speaks = other.server // another patch of the generation that was said
		return p.use(env, c, c.Generation)
	}
	return module.At("generation", fmt.Errorf("the PGO apiserver is %s, not %s", other.server, c.Generation))
}

// Check compares without waiting.
func (c *Cluster) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	p, v, err := c.first(ctx, env)
	c.seen = v
	if err != nil {
		return module.NoChange, err
	}
	change, err := c.wanted(ctx, p, v)
	if err == nil && !change.Wanted() {
		c.export(env, p, v)
	}
	return change, err
}

func (c *Cluster) wanted(ctx context.Context, p *place, v *view) (module.Change, error) {
	update := func(diff []module.Diff, format string, args ...any) (module.Change, error) {
		return module.Change{Action: module.Update, Summary: fmt.Sprintf(format, args...), Diff: diff}, nil
	}
	switch {
	case v.leaving():
		return update(nil, "wait until the old %s is gone, then create it", c.Name)
	case v.record == nil:
		return c.creation(ctx, p, v)
	}
	diff, err := p.driver.diff(ctx, c, v)
	if err != nil {
		return module.NoChange, c.locate(err)
	}
	if len(diff) > 0 {
		return update(diff, "%s: %s", c.Name, summary(diff))
	}
	if phase := v.phase(c.WaitBackup, c.Replicas); phase != "" {
		return update(nil, "wait for %s: %s", c.Name, v.describe(phase, c.Replicas))
	}
	return module.NoChange, nil
}

// creation is the change where there is no cluster: with what is left of an
// earlier one, and what becomes of it.
func (c *Cluster) creation(ctx context.Context, p *place, v *view) (module.Change, error) {
	if err := c.sidecarsThere(ctx, p); err != nil {
		return module.NoChange, err
	}
	if f, ok := p.driver.(foreseer); ok {
		if err := f.foresee(ctx, c); err != nil {
			return module.NoChange, err
		}
	}
	left, err := c.leftovers(ctx, p, v)
	return module.Change{Action: module.Create, Diff: shownLeftovers(left),
		Summary: fmt.Sprintf("create %s (%s, %s)", c.Name, c.ref().plain(), count(c.Replicas, "replica"))}, err
}

// summary tells in a line what differs; the differences themselves stand below
// it.
func summary(diff []module.Diff) string {
	var parts, changed []string
	for _, d := range diff {
		if d.Path != "replicas" {
			changed = append(changed, d.Path)
			continue
		}
		have, _ := strconv.Atoi(d.Before)
		want, _ := strconv.Atoi(d.After)
		if want > have {
			parts = append(parts, "add "+count(want-have, "replica"))
		} else {
			parts = append(parts, "take away "+count(have-want, "replica"))
		}
	}
	if len(changed) > 0 {
		parts = slices.Insert(parts, 0, "change "+strings.Join(slices.Compact(changed), ", "))
	}
	return strings.Join(parts, ", ")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
