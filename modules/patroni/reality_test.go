package patroni

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
)

var (
	statusEntry     = module.Of[Status]()
	configEntry     = module.Of[Config]()
	switchoverEntry = module.Of[Switchover]()
)

// One real cluster for all, for it takes seconds to start: the parts follow
// each other.
func TestRealPatroni(t *testing.T) {
	r := startReal(t)
	for _, part := range []struct {
		name string
		run  func(t *testing.T, r *real)
	}{
		{"status sees leader and replica", realStatus},
		{"what the server would refuse is an error in the plan", realRefusals},
		{"a value that needs no restart is set on both members", realReload},
		{"values that take a restart are rolled out by way of a switchover", realRolling},
		{"what binds replicas shrinks on the leader first", realShrink},
		{"restart = never leaves them waiting", realNever},
		{"ALTER SYSTEM is found out", realAlterSystem},
		{"switching over and back", realSwitchover},
	} {
		t.Run(part.name, func(t *testing.T) { part.run(t, r) })
		r.settled(t)
	}
}

func realStatus(t *testing.T, r *real) {
	_, out, err := r.step(t, statusEntry, "").Check()
	require.NoError(t, err)
	require.Equal(t, cty.StringVal("a"), out.GetAttr("leader"))
	require.Equal(t, cty.StringVal("演练"), out.GetAttr("scope"))
	require.Equal(t, cty.NumberIntVal(1), out.GetAttr("replicas"))
	require.Equal(t, cty.True, out.GetAttr("healthy"), "%#v", out.GetAttr("problems"))
}

func realRefusals(t *testing.T, r *real) {
	for parameters, says := range map[string]string{
		`work_memory = "4MB"`:      `the server knows no parameter "work_memory"`,
		`work_mem = "4mb"`:         `it takes no unit "mb"`,
		`max_connections = 0`:      "out of its range, 1 to 262143",
		`block_size = 4096`:        "block_size cannot be set",
		`log_statement = "always"`: "log_statement takes one of none, ddl, mod, all",
	} {
		_, _, err := r.step(t, configEntry, "parameters = { %s }\n%s", parameters, realLogin).Check()
		requireAt(t, err, "parameters", says)
	}
	_, _, err := r.step(t, configEntry, "parameters = { work_mem = \"4MB\" }\npassword = \"wrong\"\nsslmode = \"disable\"").Check()
	requireAt(t, err, "password", "password authentication failed")
	_, _, err = r.step(t, configEntry, "parameters = { work_mem = \"4MB\" }\ndatabase = \"nosuch\"\n"+realLogin).Check()
	requireAt(t, err, "database", `database "nosuch" does not exist`)
}

func realReload(t *testing.T, r *real) {
	out := r.step(t, configEntry, "parameters = { work_mem = \"8MB\", log_statement = null }\n"+realLogin).Converge(module.Update)
	require.Equal(t, cty.StringVal("8MB"), out.GetAttr("running").Index(cty.StringVal("work_mem")))
	require.Equal(t, cty.StringVal("a"), out.GetAttr("leader"), "nothing was restarted")
	change, _, err := r.step(t, configEntry, "parameters = { work_mem = \"8192kB\", shared_buffers = 2048, fsync = false }\n"+realLogin).Check()
	require.NoError(t, err)
	require.Equal(t, module.None, change.Action, "the same written differently: %s", change.Summary)
}

func realRolling(t *testing.T, r *real) {
	step := r.step(t, configEntry, "parameters = { shared_buffers = \"32MB\", max_connections = 60 }\n"+realLogin)
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, "set 2 values of 演练; restart 乙; switch over from a to 乙; restart a", change.Summary)
	out := step.Converge(module.Update)
	require.Equal(t, cty.StringVal("乙"), out.GetAttr("leader"))
	require.Equal(t, cty.StringVal("32MB"), out.GetAttr("running").Index(cty.StringVal("shared_buffers")))
}

func realShrink(t *testing.T, r *real) {
	step := r.step(t, configEntry, "parameters = { max_connections = 40 }\n"+realLogin)
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, "set 1 value of 演练; restart 乙; restart a", change.Summary)
	require.Equal(t, cty.StringVal("乙"), step.Converge(module.Update).GetAttr("leader"))
}

func realNever(t *testing.T, r *real) {
	args := "parameters = { shared_buffers = \"24MB\" }\n" + realLogin
	out := r.step(t, configEntry, args+"restart = \"never\"").Converge(module.Update)
	require.Equal(t, cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("乙")}), out.GetAttr("pending"))
	_, status, err := r.step(t, statusEntry, "").Check()
	require.NoError(t, err)
	require.Equal(t, out.GetAttr("pending"), status.GetAttr("pending_restart"))
	change, _, err := r.step(t, configEntry, args).Check()
	require.NoError(t, err)
	require.Equal(t, "restart a; switch over from 乙 to a; restart 乙", change.Summary)
	require.Equal(t, []module.Diff{{Path: "a: shared_buffers", Before: "32MB", After: "24MB"}, {Path: "乙: shared_buffers", Before: "32MB", After: "24MB"}}, change.Diff)
	// Taken out of the configuration it falls back to the server's own default,
	// which takes the restart as well.
	r.step(t, configEntry, "parameters = { shared_buffers = null }\n"+realLogin).Converge(module.Update)
	require.Equal(t, "128MB", r.sql(t, "乙", "show shared_buffers"))
	require.Equal(t, "128MB", r.sql(t, "a", "show shared_buffers"))
}

func realAlterSystem(t *testing.T, r *real) {
	leader := r.view(t).lock
	r.sql(t, leader, "alter system set work_mem = '3MB'")
	r.sql(t, leader, "select pg_reload_conf()")
	t.Cleanup(func() {
		r.sql(t, leader, "alter system reset work_mem")
		r.sql(t, leader, "select pg_reload_conf()")
	})
	require.Eventually(t, func() bool { return r.sql(t, leader, "show work_mem") == "3MB" }, 20*time.Second, 100*time.Millisecond)
	_, _, err := r.step(t, configEntry, "parameters = { work_mem = \"8MB\" }\n"+realLogin).Apply()
	require.ErrorContains(t, err, leader+" runs with work_mem = 3MB, not 8MB")
	require.ErrorContains(t, err, "postgresql.auto.conf, line 3")
}

func realSwitchover(t *testing.T, r *real) {
	v := r.view(t)
	from, before := v.lock, v.timeline()
	to := map[string]string{"a": "乙", "乙": "a"}[from]
	out := r.step(t, switchoverEntry, "candidate = %q", to).Converge(module.Update)
	require.Equal(t, cty.StringVal(to), out.GetAttr("leader"))
	require.Equal(t, cty.NumberIntVal(int64(before+1)), out.GetAttr("timeline"))
	r.step(t, configEntry, "settings = { pause = true }").Converge(module.Update)
	require.Equal(t, []string{"Patroni is paused: nothing fails over by itself"}, r.view(t).problems())
	out = r.step(t, switchoverEntry, "from = %q", to).Converge(module.Update)
	require.Equal(t, cty.StringVal(from), out.GetAttr("leader"))
	r.step(t, configEntry, "settings = { pause = null }").Converge(module.Update)
}
