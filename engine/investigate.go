package engine

import (
	"cmp"
	"context"
	"errors"

	"github.com/hashicorp/hcl/v2"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/bundle"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
)

// investigate looks at targets and at what the last run said, and asks the
// knowledge base what it makes of it. failed are the instances of this run that
// it is about, if any. The verdict is nil when there is none; it may come with
// an error that says that nothing could be looked at.
func (r *run) investigate(ctx context.Context, targets []conn.Target, failed []*lang.Instance) (v *event.Verdict, err error) {
	ctx, cancel := r.soft(ctx)
	defer cancel()
	begun := r.Clock()
	spool, err := bundle.NewSpool(bundle.Options{Redactor: r.Redactor, Clock: r.Clock})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, spool.Close()) }()
	seen, unseen := r.collect(ctx, targets, failed, spool)
	if ctx.Err() != nil {
		return nil, nil // interrupted
	}
	v, err = r.judge(ctx, spool.Dossier(), failed)
	if err != nil {
		return nil, err
	}
	v.Seconds, v.Blind = r.Clock().Sub(begun).Seconds(), unseen != nil
	for _, t := range seen {
		v.Places = append(v.Places, t.String())
	}
	return v, unseen
}

// judge asks the knowledge base about evidence.
func (r *run) judge(ctx context.Context, dossier evidence.Dossier, failed []*lang.Instance) (*event.Verdict, error) {
	opts := diagnosis.Options{Language: r.Diagnosis.Language, Since: r.Diagnosis.Since}
	v := &event.Verdict{Language: r.Diagnosis.Language, Command: r.Diagnosis.Command}
	for _, i := range failed {
		opts.Steps = append(opts.Steps, i.Step.Entry.Name)
		v.After = append(v.After, i.Address())
	}
	var err error
	v.Verdict, err = diagnosis.Run(ctx, dossier, r.knowledge().Book, opts)
	if err != nil {
		return nil, err
	}
	return v, nil
}

// collect fills rec, and says which targets it has seen; the error says that
// there was not one.
func (r *run) collect(ctx context.Context, targets []conn.Target, failed []*lang.Instance, rec evidence.Recorder) ([]conn.Target, error) {
	c := &collection{run: r, rec: newGate(rec), budget: cmp.Or(r.Diagnosis.Budget, DefaultBudget)}
	defer c.rec.close()
	looks := r.Diagnosis.lookouts(targets)
	if len(looks) > 0 && !r.looked {
		r.looked = true
		r.bus.Emit(event.Collecting{Language: r.Diagnosis.Language, Places: namesOf(looks), Looks: len(looks), Seconds: c.budget.Seconds()})
	}
	c.hear(failed)
	c.look(ctx, looks)
	seen := c.opened.sorted()
	if len(seen) == 0 && len(looks) > 0 && ctx.Err() == nil {
		return nil, module.Explain(errors.New("nothing could be looked at"), "see what is said of each place, and make one of them reachable")
	}
	return seen, nil
}

// hear records what the last run said, or this one where it is about failures of
// its own. What was said before a fix is history.
func (c *collection) hear(failed []*lang.Instance) {
	if c.fixed {
		return
	}
	testimony, err := c.lastRun()
	if len(failed) > 0 {
		testimony, err = c.thisRun()
	}
	if testimony != nil {
		c.record(testimony, c.rec)
	}
	if err != nil {
		c.rec.Gap("the last run's log", evidence.Place{}, err)
	}
}

// namesOf are the places of looks, each once.
func namesOf(looks []lookout) []string {
	var names []string
	seen := map[string]bool{}
	for _, l := range looks {
		if key := l.target.Key(); !seen[key] {
			seen[key] = true
			names = append(names, l.target.String())
		}
	}
	return names
}

// knowledge reads what is known, once. What could not be read costs nothing but
// itself.
func (r *run) knowledge() *Knowledge {
	if r.known == nil {
		var diags hcl.Diagnostics
		r.known, diags = r.Diagnosis.Learn()
		soften(diags)
		if told := diag.From(diags, r.known.sources()); len(told) > 0 {
			r.bus.Emit(event.Diagnosed{Diagnostics: told})
		}
	}
	return r.known
}

// warn shows a fault that is none of the run's.
func (r *run) warn(what string, err error) {
	r.bus.Emit(event.Diagnosed{Diagnostics: []diag.Diagnostic{{Severity: diag.Warning, Summary: what, Detail: err.Error()}}})
}
