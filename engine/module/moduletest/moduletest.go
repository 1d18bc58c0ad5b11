// Package moduletest holds modules to their contract in tests.
package moduletest

import (
	"context"
	"errors"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// Step is one step of a runbook in the hands of a test.
type Step struct {
	t     testing.TB
	entry module.Entry
	args  cty.Value
	env   *module.Env
}

// New decodes args (the body of a step, in HCL) for the module that entry
// describes. vars are what the expressions in args may refer to.
func New(t testing.TB, entry module.Entry, host conn.Host, args string, vars map[string]cty.Value) *Step {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(args), "step.hcl")
	require.False(t, diags.HasErrors(), diags.Error())
	val, diags := hcldec.Decode(file.Body, entry.Spec(), &hcl.EvalContext{Variables: vars})
	require.False(t, diags.HasErrors(), diags.Error())
	return &Step{t: t, entry: entry, args: val, env: Env(t, host)}
}

// Env is an environment for one module call that logs to the test.
func Env(t testing.TB, host conn.Host) *module.Env {
	return &module.Env{
		Host:     host,
		Target:   conn.Target{Kind: conn.Local, Name: "test"},
		Dir:      t.TempDir(),
		Progress: func(int64, int64, string) {},
		Phase:    func(name string) { t.Log("phase:", name) },
		Logf:     t.Logf,
	}
}

// Env lets a test adjust the environment of the step's calls.
func (s *Step) Env() *module.Env { return s.env }

// Module makes a fresh module with the step's arguments.
func (s *Step) Module() module.Module {
	s.t.Helper()
	m := s.entry.New()
	require.NoError(s.t, s.entry.Set(m, s.args))
	return m
}

// Validate runs the module's own rules.
func (s *Step) Validate() error {
	if v, ok := s.Module().(module.Validator); ok {
		return v.Validate()
	}
	return nil
}

// Check runs Check on a fresh module and gives its outputs as a runbook sees them.
func (s *Step) Check() (module.Change, cty.Value, error) {
	s.t.Helper()
	m := s.Module()
	change, err := m.Check(context.Background(), s.env)
	if err != nil {
		return change, cty.NilVal, err
	}
	out, err := s.entry.Value(s.args, m, change.Wanted())
	require.NoError(s.t, err)
	return change, out, nil
}

// Apply does what the engine does: Check, Apply if a change is wanted, Check
// again on the same module, which must want nothing more unless the change was
// a Run. It gives the first change and the final value.
func (s *Step) Apply() (module.Change, cty.Value, error) {
	s.t.Helper()
	ctx, m := context.Background(), s.Module()
	change, err := m.Check(ctx, s.env)
	if err != nil {
		return change, cty.NilVal, err
	}
	if change.Wanted() {
		require.False(s.t, s.entry.ReadOnly, "%s is read-only and wants %q", s.entry.Name, change.Summary)
		if err := m.Apply(ctx, s.env); err != nil {
			return change, cty.NilVal, err
		}
		if change.Action != module.Run {
			again, err := m.Check(ctx, s.env)
			require.NoError(s.t, err)
			require.False(s.t, again.Wanted(), "did not converge: still wants %q", again.Summary)
		}
	}
	out, err := s.entry.Value(s.args, m, false)
	require.NoError(s.t, err)
	return change, out, nil
}

// Converge applies twice: the first must want action, the second nothing.
func (s *Step) Converge(action module.Action) cty.Value {
	s.t.Helper()
	change, out, err := s.Apply()
	require.NoError(s.t, err)
	require.Equal(s.t, action.String(), change.Action.String(), change.Summary)
	again, _, err := s.Apply()
	require.NoError(s.t, err)
	require.Equal(s.t, module.None, again.Action, "second apply wants %q", again.Summary)
	return out
}

// Destroy runs Check and then Destroy on the same module.
func (s *Step) Destroy() error {
	s.t.Helper()
	m := s.Module()
	d, ok := m.(module.Destroyer)
	require.True(s.t, ok, "%s cannot be destroyed", s.entry.Name)
	change, err := m.Check(context.Background(), s.env)
	if err != nil && !errors.As(err, new(*module.Refusal)) || change.Action == module.Create {
		return err
	}
	return d.Destroy(context.Background(), s.env)
}

// Example requires that the entry's example parses and that every argument in
// its steps of this module is one of the module's.
func Example(t testing.TB, entry module.Entry) {
	t.Helper()
	require.NotEmpty(t, entry.Example, "%s has no example", entry.Name)
	file, diags := hclparse.NewParser().ParseHCL([]byte(entry.Example), entry.Name+".hcl")
	require.False(t, diags.HasErrors(), diags.Error())
	found := false
	for _, block := range file.Body.(*hclsyntax.Body).Blocks {
		if block.Type != "step" || block.Labels[0] != entry.Name {
			continue
		}
		found = true
		for name := range block.Body.Attributes {
			_, isArg := entry.Arg(name)
			require.True(t, isArg || common[name], "the example of %s sets %q, which is no argument", entry.Name, name)
		}
		for _, arg := range entry.Args {
			_, set := block.Body.Attributes[arg.Name]
			require.True(t, set || !arg.Required || arg.Block != nil, "the example of %s leaves out %q", entry.Name, arg.Name)
		}
	}
	require.True(t, found, "the example of %s has no such step", entry.Name)
}

// common are the arguments that every step has.
var common = map[string]bool{"on": true, "after": true, "for_each": true, "when": true, "retry": true, "timeout": true, "confirm": true}
