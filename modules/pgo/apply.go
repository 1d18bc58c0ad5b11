package pgo

import (
	"context"
	"errors"
	"fmt"

	"github.com/adbsql/antdbctl/engine/module"
)

// passes is how often a cluster may differ from what is asked for after it
// came up: a new one gets first what the operator can do at once, then the rest.
const passes = 3

// Apply makes the cluster, or goes on where an earlier run was cut short.
func (c *Cluster) Apply(ctx context.Context, env *module.Env) error {
	p, err := c.home(ctx, env)
	if err != nil {
		return err
	}
	v := c.seen
	if v.leaving() {
		if p.names.resumes { // it keeps what it was to keep
			if err := p.driver.remove(ctx, env, false, false); err != nil {
				return c.locate(err)
			}
		}
		if err := p.awaitGone(ctx, env, c, true, true); err != nil {
			return err
		}
		v = &view{name: c.Name, names: &p.names}
	}
	if v.record == nil {
		if err := c.create(ctx, env, p, v); err != nil {
			return err
		}
	} else if err := errors.Join(p.startAnew(ctx, env, v), p.again(ctx, env, v)); err != nil {
		return err
	}
	return c.settle(ctx, env, p, v)
}

// settle brings a cluster that is there, or will be, to what is asked for.
func (c *Cluster) settle(ctx context.Context, env *module.Env, p *place, v *view) error {
	for range passes {
		if v.record != nil {
			diff, err := p.driver.diff(ctx, c, v)
			if err == nil && len(diff) > 0 {
				err = p.driver.update(ctx, env, c, v, diff)
			}
			if err != nil {
				return c.locate(err)
			}
		}
		var err error
		if v, err = c.await(ctx, env, p); err != nil {
			return err
		}
		if diff, err := p.driver.diff(ctx, c, v); err != nil {
			return c.locate(err)
		} else if len(diff) == 0 {
			return c.remember(ctx, env, p, v)
		}
	}
	return fmt.Errorf("cluster %s does not come to what is asked for: see the plan for what still differs", c.Name)
}

func (c *Cluster) create(ctx context.Context, env *module.Env, p *place, v *view) error {
	env.Phase(phaseRequest)
	ctx, cancel := context.WithTimeout(ctx, c.limit(phaseRequest))
	defer cancel()
	if err := c.clear(ctx, env, p, v); err != nil {
		return err
	}
	return c.locate(p.driver.create(ctx, env, c))
}
