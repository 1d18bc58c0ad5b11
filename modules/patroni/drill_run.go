package patroni

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/writer"
)

const (
	drillTable = "public.antdbctl_drill"
	// warmUp is how many writes are acknowledged before the accident, so that it
	// falls into a steady stream.
	warmUp = 20
	// after is how long the writer goes on when all is well again, to see that
	// it stays so.
	after = 2 * time.Second
	// haste is how long a member may take to answer while it is measured who
	// leads: one that hangs must not hide the others.
	haste = 3 * time.Second
)

// Apply drills. The table goes in any case.
func (d *Drill) Apply(ctx context.Context, env *module.Env) (err error) {
	l, err := d.login(ctx)
	if err != nil {
		return err
	}
	open, err := d.opener(ctx, env, l)
	if err != nil {
		return err
	}
	w := &writer.Writer{Open: open, Table: drillTable, Every: d.Interval, Patience: d.Patience}
	env.Phase("prepare")
	if err := d.prepare(ctx, w); err != nil {
		return l.refused(err)
	}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, d.drop(clean, w))
	}()
	r, log, err := d.measure(ctx, env, w)
	if err != nil {
		return err
	}
	if err := d.count(ctx, env, w, r, log); err != nil {
		return err
	}
	d.export(r)
	for _, f := range d.Facts {
		env.Logf("%s: %s", f.Name, f.Value)
	}
	env.Logf("%s", d.Verdict)
	if err := d.place.keep(ctx, r); err != nil {
		return err
	}
	return d.judge(r)
}

// measure makes the accident and watches until the cluster is whole.
func (d *Drill) measure(ctx context.Context, env *module.Env, w *writer.Writer) (*record, writer.Log, error) {
	d.place.patience = haste
	w.Start(ctx)
	r, err := d.accident(ctx, env, w)
	if err == nil {
		env.Phase("afterwards")
		select {
		case <-time.After(after):
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	log := w.Stop()
	if err != nil {
		var lines []string
		for _, f := range log.Faults[max(0, len(log.Faults)-6):] {
			lines = append(lines, "the writer, "+f.At.Format(time.TimeOnly)+": "+f.Text)
		}
		return nil, log, module.Explain(err, "", lines...)
	}
	return r, log, nil
}

func (d *Drill) accident(ctx context.Context, env *module.Env, w *writer.Writer) (*record, error) {
	env.Phase("write")
	if err := await(ctx, 30*time.Second, func() bool { return len(w.Log().Acks) >= warmUp }); err != nil {
		return nil, fmt.Errorf("the writer does not get going: %w", err)
	}
	v, err := d.place.again(ctx) // what was seen at the plan may be long ago
	if err != nil {
		return nil, err
	}
	d.seen = v
	leader, err := d.able()
	if err != nil {
		return nil, err
	}
	a, err := d.prepareAccident(ctx, env, leader)
	if err != nil {
		return nil, err
	}
	r := &record{By: d.By, OldLeader: leader.name, TimelineBefore: v.timeline()}
	env.Phase(d.By)
	env.Logf("%s %s", d.deed(), leader.name)
	r.At = time.Now()
	err = a.begin(ctx)
	if err == nil {
		err = d.recover(ctx, env, w, r, leader.said.PostmasterStart, a)
	}
	if err != nil {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		return nil, errors.Join(err, a.end(clean))
	}
	return r, nil
}

// recover waits for a leader, then for the writer, then for the replicas.
func (d *Drill) recover(ctx context.Context, env *module.Env, w *writer.Writer, r *record, started string, a *accident) error {
	before, state := len(d.seen.standbys()), ""
	env.Phase("fail over")
	ended := false
	err := d.place.until(ctx, d.Wait, func(v *view) bool {
		leader := v.leader()
		switch {
		case leader == nil:
			state = "no member leads"
			return false
		case leader.said.State != "running" || leader.said.PostmasterStart == "":
			state = leader.name + " leads, and its database is " + leader.said.State
			return false
		case leader.name == r.OldLeader && leader.said.PostmasterStart == started && !ended && time.Since(r.At) < d.held():
			state = r.OldLeader + " still leads"
			return false
		}
		if r.PromotedMS == 0 {
			r.PromotedMS, r.NewLeader = int(time.Since(r.At).Milliseconds()), leader.name
			env.Logf("%s leads after %s", leader.name, time.Since(r.At).Round(time.Millisecond))
		}
		if w.Log().Last().Before(r.At) {
			state = leader.name + " leads, and the writer cannot write"
			return false
		}
		if !ended {
			ended = true
			if err := a.end(ctx); err != nil {
				env.Logf("warning: the accident ends by itself: %s", err)
			}
			env.Phase("replicas")
		}
		r.NewLeader, r.TimelineAfter = leader.name, v.timeline()
		state = fmt.Sprintf("%d of %d replicas follow %s", len(v.standbys()), before, leader.name)
		return len(v.standbys()) >= before && len(v.primaries()) == 1 && v.labelled()
	})
	if err != nil {
		return fmt.Errorf("%s after the accident: %s: %w", d.place.name, state, err)
	}
	r.RestoredMS = int(time.Since(r.At).Milliseconds())
	return nil
}

// held is how long the old leader is given to be given up.
func (d *Drill) held() time.Duration {
	if d.By == "freeze" || d.By == "network" {
		return d.Hold
	}
	return d.Wait
}

// count compares the writer's log with the rows that are there.
func (d *Drill) count(ctx context.Context, env *module.Env, w *writer.Writer, r *record, log writer.Log) error {
	env.Phase("count")
	found, err := w.Rows(ctx)
	if err != nil {
		return fmt.Errorf("count the rows of %s: %w", drillTable, err)
	}
	gaps := log.Gaps(r.At, 0)
	for _, g := range gaps {
		if g.Length() > time.Second {
			r.OutageMS += int(g.Length().Milliseconds())
		}
	}
	lost, longest := log.Lost(found), writer.Longest(gaps)
	r.DowntimeMS = int(longest.Length().Milliseconds())
	// A write that was acknowledged tells of a leader sooner than looking does.
	if served := int(longest.To.Sub(r.At).Milliseconds()); served > 0 {
		r.PromotedMS = min(r.PromotedMS, served)
	}
	r.Acknowledged, r.Lost, r.Unanswered = len(log.Acks), len(lost), len(log.Unsure)
	env.Logf("%d writes acknowledged, %d without an answer, of which %d are there", len(log.Acks), len(log.Unsure), log.Surfaced(found))
	if len(lost) > 0 {
		env.Logf("acknowledged and gone: %s", numbers(lost))
	}
	for _, f := range log.Faults {
		env.Logf("the writer saw, %s after the accident: %s", f.At.Sub(r.At).Round(time.Millisecond), f.Text)
	}
	return nil
}

// numbers are the first of a list.
func numbers(list []int64) string {
	var parts []string
	for i, n := range list {
		if i == 20 {
			return strings.Join(parts, ", ") + fmt.Sprintf(" and %d more", len(list)-i)
		}
		parts = append(parts, strconv.FormatInt(n, 10))
	}
	return strings.Join(parts, ", ")
}

// await polls until done.
func await(ctx context.Context, wait time.Duration, done func() bool) error {
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for !done() {
		select {
		case <-limit.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("not done after %s", wait)
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
