package patroni

import (
	"testing"

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
	t.Run("status sees leader and replica", func(t *testing.T) {
		_, out, err := r.step(t, statusEntry, "").Check()
		require.NoError(t, err)
		require.Equal(t, cty.StringVal("a"), out.GetAttr("leader"))
		require.Equal(t, cty.StringVal("演练"), out.GetAttr("scope"))
		require.Equal(t, cty.NumberIntVal(1), out.GetAttr("replicas"))
		require.Equal(t, cty.True, out.GetAttr("healthy"), "%#v", out.GetAttr("problems"))
	})
	t.Run("a value that needs no restart is set on both members", func(t *testing.T) {
		out := r.step(t, configEntry, "parameters = { work_mem = \"8MB\", log_statement = null }\n"+realLogin).Converge(module.Update)
		require.Equal(t, cty.StringVal("8MB"), out.GetAttr("running").Index(cty.StringVal("work_mem")))
		require.Equal(t, cty.StringVal("a"), out.GetAttr("leader"))
	})
	t.Run("the same value written differently is no change", func(t *testing.T) {
		change, _, err := r.step(t, configEntry, "parameters = { work_mem = \"8192kB\", shared_buffers = 2048, fsync = false }\n"+realLogin).Check()
		require.NoError(t, err)
		require.Equal(t, module.None, change.Action, change.Summary)
	})
	t.Run("a value that takes a restart is rolled out by way of a switchover", func(t *testing.T) {
		step := r.step(t, configEntry, "parameters = { shared_buffers = \"32MB\", max_connections = 60 }\n"+realLogin)
		change, _, err := step.Check()
		require.NoError(t, err)
		require.Equal(t, "set 2 values of 演练; restart 乙; switch over from a to 乙; restart a", change.Summary)
		out := step.Converge(module.Update)
		require.Equal(t, cty.StringVal("乙"), out.GetAttr("leader"))
		require.Equal(t, cty.StringVal("32MB"), out.GetAttr("running").Index(cty.StringVal("shared_buffers")))
	})
}
