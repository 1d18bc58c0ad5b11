package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

// collection is a look around: every collector on every target of its kinds,
// all at once, each failing alone, within one time.
type collection struct {
	*run
	rec      *gate
	budget   time.Duration
	opened   keeper[conn.Target] // by its key
	unopened keeper[conn.Target]
	targets  []conn.Target // of all collectors
	telling  int           // collectors of clusters under way
}

// lookout is one collector at one target.
type lookout struct {
	entry  module.Entry
	target conn.Target
	args   map[string]cty.Value
}

// grace is how long collectors may take to put down what they have when their
// time is up.
const grace = 500 * time.Millisecond

// lookouts pairs collectors with those of targets that they work on.
func (d *Diagnosis) lookouts(targets []conn.Target) []lookout {
	var all []lookout
	for _, name := range d.Modules.Names() {
		entry, _ := d.Modules.Lookup(name)
		if _, collects := entry.New().(module.Collector); !collects {
			continue
		}
		for _, t := range targets {
			if slices.Contains(entry.On, t.Kind) {
				all = append(all, lookout{entry: entry, target: t, args: d.given(entry)})
			}
		}
	}
	return all
}

// given is what the operator's wishes mean for a collector.
func (d *Diagnosis) given(entry module.Entry) map[string]cty.Value {
	args := map[string]cty.Value{}
	if _, ok := entry.Arg("since"); ok && d.Since > 0 {
		args["since"] = cty.StringVal(d.Since.String())
	}
	return args
}

// look runs all of looks, until they are done or ctx is. What was not done by
// then is a gap.
func (c *collection) look(ctx context.Context, looks []lookout) {
	timed, cancel := context.WithTimeout(ctx, c.budget)
	defer cancel()
	type ended struct {
		n   int
		err error
	}
	results := make(chan ended, len(looks))
	slots := make(chan struct{}, c.Parallel)
	c.expect(looks)
	for n, l := range looks {
		go func() {
			if needsPrior(l.entry) {
				c.rec.prior.wait(timed, c.budget/priorPart)
			}
			select {
			case slots <- struct{}{}:
				defer func() { <-slots }()
				results <- ended{n, c.at(timed, l)}
			case <-timed.Done():
				results <- ended{n, timed.Err()}
			}
		}()
	}
	open := map[int]bool{}
	for n := range looks {
		open[n] = true
	}
	late := make(chan struct{})
	stopLate := context.AfterFunc(timed, func() { time.AfterFunc(grace, func() { close(late) }) })
	defer stopLate()
	for len(open) > 0 {
		select {
		case e := <-results:
			delete(open, e.n)
			c.ended(looks[e.n])
			c.note(timed, looks[e.n], e.err)
		case <-late:
			for n := range looks {
				if open[n] {
					c.note(timed, looks[n], timed.Err())
				}
			}
			return
		}
	}
}

// expect counts the collectors that may tell others what to look at.
func (c *collection) expect(looks []lookout) {
	for _, l := range looks {
		if l.target.Kind == conn.Kubernetes {
			c.telling++
		}
		c.targets = append(c.targets, l.target)
	}
	if c.telling == 0 {
		c.rec.prior.done()
	}
}

func (c *collection) ended(l lookout) {
	if l.target.Kind == conn.Kubernetes {
		if c.telling--; c.telling == 0 {
			c.rec.prior.done()
		}
	}
}

// note records what came of a collector that saw nothing, or not all.
func (c *collection) note(ctx context.Context, l lookout, err error) {
	switch {
	case err == nil:
	case errors.Is(err, errElsewhere): // noted once for the target
	case ctx.Err() != nil:
		c.rec.Gap(l.entry.Name, placeOf(l.target), c.notReached())
	default:
		c.rec.Gap(l.entry.Name, placeOf(l.target), err)
	}
}

func (c *collection) notReached() error {
	return fmt.Errorf("not reached within %s", sayDuration(c.budget))
}

// sayDuration says 10 s, 1m30s.
func sayDuration(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%g s", d.Seconds())
	}
	return d.String()
}

// errElsewhere says of a collector that its target's fault is noted already.
var errElsewhere = errors.New("noted")

// at runs one collector. A collector that panics is one that fails: a diagnosis
// must not end what it was to explain.
func (c *collection) at(ctx context.Context, l lookout) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("bug in %s: %v", l.entry.Name, p)
		}
	}()
	m := l.entry.New()
	args, diags := hcldec.Decode(hcl.EmptyBody(), l.entry.Spec(), nil)
	if diags.HasErrors() {
		return diags
	}
	attrs := args.AsValueMap()
	maps.Copy(attrs, l.args)
	maps.Copy(attrs, c.rec.prior.args(l, c.targets))
	if err := l.entry.Set(m, cty.ObjectVal(attrs)); err != nil {
		return err
	}
	host, err := c.pool.Dial(ctx, l.target)
	if err != nil {
		c.unreached(ctx, l.target, err)
		return errElsewhere
	}
	c.opened.keep(l.target.Key(), l.target)
	return m.(module.Collector).Collect(ctx, &module.Env{
		Host: counted{host, &c.trips}, Target: l.target, Dialer: dialer{c.run}, Dir: c.book.Dir,
		Progress: func(int64, int64, string) {}, Phase: func(string) {}, Logf: func(string, ...any) {},
	}, c.rec)
}

// unreached notes a target that could not be opened, once for all collectors.
func (c *collection) unreached(ctx context.Context, t conn.Target, err error) {
	if !c.unopened.first(t.Key(), t) {
		return
	}
	place := placeOf(t)
	if ctx.Err() != nil {
		c.rec.Gap(called(t), place, c.notReached())
		return
	}
	switch t.Kind {
	case conn.SSH:
		c.rec.Fact(t.Name, place, &evidence.Reach{Error: reason(err)})
	case conn.Kubernetes:
		c.rec.Fact(called(t), evidence.Place{}, &evidence.APIServer{Error: reason(err)})
	}
	c.rec.Gap(called(t), place, errors.New(reason(err)))
}

// reason is an error without the name of the place, which stands beside it.
func reason(err error) string {
	if u := (*conn.Unreachable)(nil); errors.As(err, &u) {
		return cmp.Or(u.Err.Error(), u.Error())
	}
	return err.Error()
}
