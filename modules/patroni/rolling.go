package patroni

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/guc"
)

// act is one step of a rolling restart.
type act struct {
	member string
	to     string // set: member hands over to it; else: member is restarted
}

func (a act) String() string {
	if a.to != "" {
		return fmt.Sprintf("switch over from %s to %s", a.member, a.to)
	}
	return "restart " + a.member
}

// rolling is the order in which members are restarted. Replicas come first;
// then the leader hands over and is restarted as a replica, so that writing
// stops for a switchover and not for a restart. leaderFirst is for values that
// a replica cannot have before its primary.
func rolling(v *view, members map[string]bool, leaderFirst bool) []act {
	var replicas, leader []act
	for _, m := range v.members {
		if members[m.name] && m.name != v.lock {
			replicas = append(replicas, act{member: m.name})
		}
	}
	if !members[v.lock] {
		return replicas
	}
	next := v.successor()
	if leaderFirst || next == nil {
		leader = []act{{member: v.lock}}
	} else {
		leader = []act{{member: v.lock, to: next.name}, {member: v.lock}}
	}
	if leaderFirst {
		return append(leader, replicas...)
	}
	return append(replicas, leader...)
}

// boundToPrimary are the parameters of which a replica must have at least as
// much as its primary, or it does not start.
var boundToPrimary = []string{"max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_transactions", "max_locks_per_transaction"}

// shrinks reports that the leader shall run with less of what binds replicas.
func (c *Config) shrinks() bool {
	for _, d := range c.seen.off {
		if d.member != c.seen.lock || !slices.Contains(boundToPrimary, strings.ToLower(d.setting.Name)) {
			continue
		}
		if want, err := d.setting.Canonical(d.want); err == nil && less(want, d.setting.Value) {
			return true
		}
	}
	return false
}

// less compares whole numbers of any size, as pg_settings writes them.
func less(a, b string) bool { return len(a) < len(b) || len(a) == len(b) && a < b }

// adopt waits until each member runs with what is declared, or says that it
// waits for a restart. Members learn of a new configuration within a loop.
func (c *Config) adopt(ctx context.Context, env *module.Env) error {
	env.Phase("reload")
	wait := 10*time.Second + 4*c.loop()
	var last error
	before, asked := c.seen, time.Now()
	err := c.place.until(ctx, wait, func(v *view) bool {
		pic, err := c.look(ctx, v)
		if last = err; err != nil {
			return false
		}
		c.seen, last = pic, c.unadopted(pic)
		// What a value that was taken out falls back to may be the same value, so
		// there is not always something to see.
		return last == nil && (before.reacted(pic) || time.Since(asked) > c.loop()+2*time.Second)
	})
	if err == nil {
		return nil
	}
	return module.Explain(fmt.Errorf("the members of %s do not take the configuration: %w", c.place.name, errors.Join(last, err)),
		"what a configuration file of the member or ALTER SYSTEM sets comes before Patroni's configuration: take it out there", c.evidence()...)
}

// reacted reports that each parameter that was taken out of the configuration
// has another value than before, or waits for a restart, on every member.
func (before *picture) reacted(now *picture) bool {
	for _, d := range before.lacks.diff {
		name, isParameter := strings.CutPrefix(d.Path, "parameters.")
		if !isParameter || d.After != "" {
			continue
		}
		for _, m := range now.members {
			was, is := before.running[m.name][strings.ToLower(name)], now.running[m.name][strings.ToLower(name)]
			if was.Value == is.Value && !awaitsRestart(m, is) {
				return false
			}
		}
	}
	return true
}

// loop is the time between two looks of Patroni at its store.
func (c *Config) loop() time.Duration {
	if n, ok := c.seen.config["loop_wait"].(float64); ok {
		return time.Duration(n * float64(time.Second))
	}
	return 10 * time.Second
}

// unadopted says who neither runs with a value nor waits for a restart.
func (c *Config) unadopted(pic *picture) error {
	for _, d := range pic.off {
		m := pic.find(d.member)
		if !d.setting.NeedsRestart() || !m.waits() && !d.setting.Pending {
			return errors.New(d.String())
		}
	}
	for _, name := range slices.Sorted(maps.Keys(pic.unproved)) {
		return fmt.Errorf("what %s runs with cannot be seen: %s", name, pic.unproved[name])
	}
	return nil
}

// waits reports that the member's database waits for a restart.
func (m *member) waits() bool {
	return m.said != nil && m.said.PendingRestart || m.listed != nil && m.listed.PendingRestart
}

func (c *Config) evidence() []string {
	var lines []string
	for _, d := range c.seen.off {
		lines = append(lines, d.String())
	}
	return append(lines, c.seen.problems()...)
}

// roll restarts what waits for it, one member at a time, until none does. It
// looks again after each: roles change, and a member may come back waiting.
func (c *Config) roll(ctx context.Context, env *module.Env) error {
	for n := 0; ; n++ {
		acts := rolling(c.seen.view, c.waiting(), c.shrinks())
		if len(acts) == 0 {
			return nil
		}
		if n >= 4*len(c.seen.members) {
			return module.Explain(fmt.Errorf("%s still waits for a restart after %d", acts[0].member, n), "", c.evidence()...)
		}
		if err := c.act(ctx, env, acts[0]); err != nil {
			return err
		}
		if err := c.adopt(ctx, env); err != nil {
			return err
		}
	}
}

// waiting are the members to be restarted: those that run with another value,
// and those that lost one that took a restart.
func (c *Config) waiting() map[string]bool {
	members := restarts(c.seen.off)
	for _, m := range c.seen.members {
		for _, name := range c.seen.names {
			if c.want.parameters[name] == nil && awaitsRestart(m, c.seen.running[m.name][strings.ToLower(name)]) {
				members[m.name] = true
			}
		}
	}
	return members
}

// onCommandLine are the parameters that Patroni gives the server on its command
// line, where the server itself does not see that they wait for a restart.
var onCommandLine = append([]string{"wal_level", "track_commit_timestamp", "max_replication_slots"}, boundToPrimary...)

func awaitsRestart(m *member, s guc.Setting) bool {
	return s.NeedsRestart() && (s.Pending || m.waits() && slices.Contains(onCommandLine, strings.ToLower(s.Name)))
}

func (c *Config) act(ctx context.Context, env *module.Env, a act) error {
	env.Logf("%s", a)
	if a.to != "" {
		return handover{from: a.member, to: a.to, wait: c.Wait}.run(ctx, c.place, c.seen.view)
	}
	env.Phase("restart " + a.member)
	call, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	words, err := c.seen.find(a.member).api.Restart(call)
	if err != nil {
		return fmt.Errorf("restart %s: %w", a.member, err)
	}
	env.Logf("%s: %s", a.member, words)
	return c.back(ctx, a.member)
}

// back waits until a restarted member serves, and follows where it is a
// replica.
func (c *Config) back(ctx context.Context, name string) error {
	state := ""
	err := c.place.until(ctx, c.Wait, func(v *view) bool {
		m := v.find(name)
		switch {
		case m == nil:
			state = "it is gone"
		case v.leader() == nil:
			state = "no member leads"
		default:
			state = v.ill(m)
		}
		return state == ""
	})
	if err != nil {
		return fmt.Errorf("%s was restarted and is not back: %s: %w", name, state, err)
	}
	return nil
}
