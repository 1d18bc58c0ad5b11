package lang

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// needs lists the steps that st refers to, through locals too, sorted by name.
func (r *Runbook) needs(st *Step) []Need {
	found := map[string]*Need{}
	add := func(name string, lane, expansion bool) {
		n, ok := found[name]
		if !ok {
			n = &Need{Step: name, Lane: true}
			found[name] = n
		}
		n.Lane = n.Lane && lane && !expansion
		n.Expansion = n.Expansion || expansion
	}
	collect := func(refs []ref, expansion bool) {
		for _, ref := range refs {
			switch ref.root {
			case "step":
				if r.steps[ref.name] != nil {
					add(ref.name, ref.lane, expansion)
				}
			case "local":
				if l := r.locals[ref.name]; l != nil {
					for _, name := range l.steps {
						add(name, false, expansion)
					}
				}
			}
		}
	}
	collect(st.onRefs, true)
	collect(st.eachRefs, true)
	collect(st.whenRefs, true)
	collect(st.argRefs, false)
	for _, x := range st.Expects {
		collect(x.refs, false)
	}
	collect(st.after, false)
	var needs []Need
	for _, n := range found {
		needs = append(needs, *n)
	}
	slices.SortFunc(needs, func(a, b Need) int { return strings.Compare(a.Step, b.Step) })
	return needs
}

// stepsOf lists the steps that refs need, through locals too, sorted by name.
func (r *Runbook) stepsOf(refs []ref) []string {
	var steps []string
	for _, ref := range refs {
		switch ref.root {
		case "step":
			steps = append(steps, ref.name)
		case "local":
			if l := r.locals[ref.name]; l != nil {
				steps = append(steps, l.steps...)
			}
		}
	}
	slices.Sort(steps)
	return slices.Compact(steps)
}

// cycles reports each knot of steps that wait for each other once, with the
// path through it.
func (r *Runbook) cycles() hcl.Diagnostics {
	c := &cycleFinder{run: r, state: map[string]int{}}
	for _, st := range r.Steps {
		if r.steps[st.Name] == st {
			c.visit(st)
		}
	}
	return c.diags
}

type cycleFinder struct {
	run   *Runbook
	state map[string]int // 1: on the path, 2: done
	path  []string
	diags hcl.Diagnostics
}

func (c *cycleFinder) visit(st *Step) {
	c.state[st.Name] = 1
	c.path = append(c.path, st.Name)
	for _, n := range st.Needs {
		switch c.state[n.Step] {
		case 0:
			c.visit(c.run.steps[n.Step])
		case 1:
			c.report(n.Step)
		}
	}
	c.path = c.path[:len(c.path)-1]
	c.state[st.Name] = 2
}

// report describes the cycle from a step on the path back to itself, at the
// header of the one that stands first in the source.
func (c *cycleFinder) report(name string) {
	cycle := c.path[slices.Index(c.path, name):]
	at := c.run.steps[name]
	if len(cycle) == 1 {
		c.diags = append(c.diags, fault(at.Range.Ptr(), "Step needs itself", "step.%s refers to itself. In its expect blocks, self stands for its own values.", name)...)
		return
	}
	c.diags = append(c.diags, fault(at.Range.Ptr(), "Steps that wait for each other", "%s → %s: none of them can be first. Take one of these references (or its after) away.", strings.Join(cycle, " → "), name)...)
}
