package patroni

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/modules/patroni/guc"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

func declaredOf(t *testing.T, parameters, settings map[string]cty.Value) declared {
	t.Helper()
	d, err := declare(parameters, settings)
	require.NoError(t, err)
	return d
}

func TestOnlyWhatDiffersByMeaningIsPatched(t *testing.T) {
	known := map[string]guc.Setting{
		"shared_buffers": {Name: "shared_buffers", Unit: "8kB", Type: "integer"},
		"archive_mode":   {Name: "archive_mode", Type: "enum", Enum: []string{"always", "on", "off"}},
	}
	config := map[string]any{"ttl": 30.0, "postgresql": map[string]any{"use_slots": false,
		"parameters": map[string]any{"shared_buffers": "128MB", "archive_mode": true, "Work_Mem": "4MB", "log_statement": "none"}}}
	d := declaredOf(t, map[string]cty.Value{"shared_buffers": cty.NumberIntVal(16384), "archive_mode": cty.StringVal("on"), "work_mem": cty.StringVal("8MB"),
		"log_statement": cty.NullVal(cty.String), "log_directory": cty.NullVal(cty.DynamicPseudoType)},
		map[string]cty.Value{"ttl": cty.NumberIntVal(30), "loop_wait": cty.NumberIntVal(5), "synchronous_mode": cty.True,
			"postgresql": cty.ObjectVal(map[string]cty.Value{"use_slots": cty.False, "use_pg_rewind": cty.True})})
	got := d.against(config, known)
	require.Equal(t, map[string]any{"loop_wait": 5.0, "synchronous_mode": true, "postgresql": map[string]any{"use_pg_rewind": true,
		"parameters": map[string]any{"Work_Mem": "8MB", "log_statement": nil}}}, got.patch)
	require.Equal(t, []module.Diff{
		{Path: "settings.loop_wait", After: "5"}, {Path: "settings.postgresql.use_pg_rewind", After: "on"}, {Path: "settings.synchronous_mode", After: "on"},
		{Path: "parameters.log_statement", Before: "none"}, {Path: "parameters.work_mem", Before: "4MB", After: "8MB"}}, got.diff)
	require.Empty(t, d.against(merge(config, got.patch), known).patch, "what was patched is there")
}

func TestWhatPatroniWouldIgnoreIsRefusedOffline(t *testing.T) {
	for args, want := range map[string][2]string{
		`parameters = { port = 5433 }`:                                      {"parameters", "port is set by Patroni itself"},
		`parameters = { Restore_Command = "cp" }`:                           {"parameters", "Restore_Command is set by Patroni itself"},
		`parameters = { work_mem = ["4MB"] }`:                               {"parameters", "work_mem takes one value"},
		`settings = { tll = 30 }`:                                           {"settings", `Patroni knows no setting "tll"`},
		`settings = { postgresql = { parameters = { work_mem = "4MB" } } }`: {"settings", "belong into the argument parameters"},
	} {
		requireAt(t, newFake(t, "a").step(t, configEntry, args).Validate(), want[0], want[1])
	}
	require.ErrorContains(t, newFake(t, "a").step(t, configEntry, "").Validate(), "nothing is declared")
}

func TestSettingsOfPatroniConvergeAndKeepTheOthers(t *testing.T) {
	f := newFake(t, "甲", "乙")
	out := f.step(t, configEntry, `settings = { ttl = 40, synchronous_mode = true, postgresql = { use_slots = true } }`).Converge(module.Update)
	require.Equal(t, cty.StringVal("甲"), out.GetAttr("leader"))
	require.Equal(t, []string{`PATCH 甲 /config {"postgresql":{"use_slots":true},"synchronous_mode":true,"ttl":40}`}, f.calls)
	require.Equal(t, "128MB", f.config["postgresql"].(map[string]any)["parameters"].(map[string]any)["shared_buffers"], "what is not declared stays")
	f.step(t, configEntry, `settings = { ttl = null }`).Converge(module.Update)
	require.NotContains(t, f.config, "ttl")
}

func TestTimingThatLosesTheLeaderIsRefused(t *testing.T) {
	_, _, err := newFake(t, "a").step(t, configEntry, `settings = { ttl = 25 }`).Check()
	requireAt(t, err, "settings", "ttl 25 is shorter than loop_wait + 2 × retry_timeout (10 + 2 × 10)")
}

// 409: somebody else wrote between our reading and our writing.
func TestAConflictMakesItReadAgain(t *testing.T) {
	f := newFake(t, "a", "b")
	f.conflicts = 2
	f.step(t, configEntry, `settings = { ttl = 40 }`).Converge(module.Update)
	require.Len(t, f.calls, 3)
	f.conflicts = 100
	_, _, err := f.step(t, configEntry, `settings = { ttl = 50 }`).Apply()
	require.True(t, rest.Said(err, http.StatusConflict), "%v", err)
	require.Len(t, f.calls, 8, "it does not try for ever")
}

func TestConfigurationIsNotTouchedWithoutOneLeader(t *testing.T) {
	for says, spoil := range map[string]func(*fake){
		"has no leader now":        func(f *fake) { f.lock = "" },
		"has 2 primaries: a, b":    func(f *fake) { f.members[1].role = "master" },
		"no dynamic configuration": func(f *fake) { f.answers["GET /config"] = answer{http.StatusBadGateway, ""} },
	} {
		f := newFake(t, "a", "b")
		spoil(f)
		_, _, err := f.step(t, configEntry, `settings = { ttl = 40 }`).Check()
		require.ErrorContains(t, err, says)
		require.Empty(t, f.calls)
	}
}

// views for the order of restarts.
func viewOf(lock string, names ...string) *view {
	v := &view{lock: lock}
	for _, name := range names {
		line := &rest.Member{Name: name, Role: "replica", State: "running", Timeline: 1, Lag: rest.Lag{Known: true}}
		if name == lock {
			line.Role, line.Lag = "leader", rest.Lag{}
		}
		v.members = append(v.members, &member{name: name, listed: line, said: &rest.Status{State: "running", Timeline: 1}})
	}
	return v
}

func TestTheOrderOfRestarts(t *testing.T) {
	all := map[string]bool{"a": true, "b": true, "c": true}
	v := viewOf("b", "a", "b", "c")
	require.Equal(t, "[restart a restart c switch over from b to a restart b]", fmt.Sprint(rolling(v, all, false)))
	require.Equal(t, "[restart b restart a restart c]", fmt.Sprint(rolling(v, all, true)), "a replica cannot have less than its primary")
	require.Equal(t, "[switch over from b to a restart b]", fmt.Sprint(rolling(v, map[string]bool{"b": true}, false)))
	require.Equal(t, "[restart c]", fmt.Sprint(rolling(v, map[string]bool{"c": true}, false)))
	require.Equal(t, "[restart a]", fmt.Sprint(rolling(viewOf("a", "a"), all, false)), "without a replica the leader is restarted in place")
	v.find("a").listed.Lag = rest.Lag{}
	require.Equal(t, "[switch over from b to c restart b]", fmt.Sprint(rolling(v, map[string]bool{"b": true}, false)))
	v.find("c").listed.Tags = map[string]any{"nofailover": true}
	require.Equal(t, "[restart b]", fmt.Sprint(rolling(v, map[string]bool{"b": true}, false)))
	require.Empty(t, rolling(v, nil, false))
}

func TestASynchronousStandbyTakesOverBeforeACloserOne(t *testing.T) {
	v := viewOf("a", "a", "b", "c")
	v.find("b").listed.Lag.Bytes = 4096
	require.Equal(t, "c", v.successor().name)
	v.find("b").listed.Role = "sync_standby"
	require.Equal(t, "b", v.successor().name)
}

// A member that does not run is waited for: what it will run with is not known.
func TestAMemberThatFailsToStartIsNotTakenForDone(t *testing.T) {
	v := viewOf("a", "a", "b")
	v.find("b").listed.State, v.find("b").said.State = "start failed", "start failed"
	c := &Config{place: &place{name: "hippo"}, Restart: "rolling", want: declaredOf(t, map[string]cty.Value{"work_mem": cty.StringVal("4MB")}, nil)}
	setting := guc.Setting{Name: "work_mem", Value: "4096", Unit: "kB", Type: "integer"}
	c.seen = &picture{view: v, survey: &survey{names: []string{"work_mem"}, running: map[string]map[string]guc.Setting{"a": {"work_mem": setting}},
		unproved: map[string]string{"b": v.ill(v.find("b"))}}}
	change := c.change(moduletest.Env(t, nil))
	require.Equal(t, module.Change{Action: module.Update, Summary: "wait for b (its database is start failed)"}, change)
	require.EqualError(t, c.unadopted(c.seen), "what b runs with cannot be seen: its database is start failed")
}

// What waits for a restart for somebody else's parameter is left alone.
func TestOnlyWhatIsDeclaredIsRestartedFor(t *testing.T) {
	v := viewOf("a", "a", "b")
	v.find("b").said.PendingRestart = true
	c := &Config{place: &place{name: "hippo"}, Restart: "rolling", want: declaredOf(t, map[string]cty.Value{"work_mem": cty.StringVal("4MB"), "max_connections": cty.NullVal(cty.String)}, nil)}
	work := guc.Setting{Name: "work_mem", Value: "4096", Unit: "kB", Type: "integer"}
	taken := map[string]guc.Setting{"work_mem": work, "max_connections": {Name: "max_connections", Value: "100", Type: "integer", Context: "postmaster"}}
	c.seen = &picture{view: v, survey: &survey{names: []string{"max_connections", "work_mem"}, running: map[string]map[string]guc.Setting{"a": taken, "b": taken}}}
	require.Equal(t, map[string]bool{"b": true}, c.waiting(), "max_connections was taken out, and the server cannot tell that it waits")
	c.want = declaredOf(t, map[string]cty.Value{"work_mem": cty.StringVal("4MB")}, nil)
	c.seen.names = []string{"work_mem"}
	require.Empty(t, c.waiting())
	require.Equal(t, module.NoChange, c.change(moduletest.Env(t, nil)))
}
