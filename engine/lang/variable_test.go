package lang

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/secret"
)

func env(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := pairs[name]; return v, ok }
}

func TestTheStrongestSourceOfAVariableWins(t *testing.T) {
	dir := folder(t, map[string]string{
		"main.hcl": `
			variable "a" { default = "default" }
			variable "b" { default = "default" }
			variable "c" { default = "default" }
			variable "d" { default = "default" }
			variable "e" { default = "default" }`,
		"one.vars":   "b = \"first file\"\nc = \"first file\"\nd = \"first file\"\n",
		"two.json":   `{"c": "second file ${x}", "d": "second file"}`,
		"ignore.txt": "",
	})
	r, diags := Load(filepath.Join(dir, "main.hcl"), Options{
		Vars:      []string{"d=first", "d=command = line"},
		VarFiles:  []string{filepath.Join(dir, "one.vars"), filepath.Join(dir, "two.json")},
		LookupEnv: env(map[string]string{"ANTDBCTL_VAR_a": "environment", "ANTDBCTL_VAR_b": "environment", "ANTDBCTL_VAR_unknown": "x"}),
	})
	noFaults(t, diags)
	got := map[string]string{}
	from := map[string]string{}
	for _, v := range r.Variables {
		got[v.Name], from[v.Name] = v.Value.AsString(), filepath.Base(v.From)
	}
	require.Equal(t, map[string]string{"a": "environment", "b": "first file", "c": "second file ${x}", "d": "command = line", "e": "default"}, got)
	require.Equal(t, map[string]string{"a": "ANTDBCTL_VAR_a", "b": "one.vars", "c": "two.json", "d": "--var", "e": "default"}, from)
}

func TestTextOfACommandLineTakesTheTypeOfTheVariable(t *testing.T) {
	for _, c := range []struct {
		block, text string
		want        cty.Value
	}{
		{``, `5`, cty.StringVal("5")},
		{`type = string`, `["a"]`, cty.StringVal(`["a"]`)},
		{`type = number`, `5`, cty.NumberIntVal(5)},
		{`type = bool`, `true`, cty.True},
		{`type = list(string)`, `["a", 1]`, cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("1")})},
		{`type = map(number)`, `{a = 1}`, cty.MapVal(map[string]cty.Value{"a": cty.NumberIntVal(1)})},
		{`type = list(string)`, `split(",", "a,b")`, cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")})},
		{`type = object({a = string, b = optional(number, 7)})`, `{a = "x"}`, cty.ObjectVal(map[string]cty.Value{"a": cty.StringVal("x"), "b": cty.NumberIntVal(7)})},
		{`type = any`, `node1`, cty.StringVal("node1")},
		{`type = any`, `[1]`, cty.TupleVal([]cty.Value{cty.NumberIntVal(1)})},
		{`default = 3`, `5`, cty.NumberIntVal(5)},
		{`default = "3"`, `5`, cty.StringVal("5")},
		{`default = null`, `5`, cty.StringVal("5")},
	} {
		r := load(t, "variable \"x\" {\n"+c.block+"\n}", func(o *Options) { o.Vars = []string{"x=" + c.text} })
		require.Equal(t, c.want.GoString(), r.Variables[0].Value.GoString(), "%s given %s", c.block, c.text)
	}
}

func TestFaultsOfGivenValues(t *testing.T) {
	dir := folder(t, map[string]string{
		"main.hcl":  "variable \"nodes\" { type = list(string) }\nvariable \"port\" { type = number }\nvariable \"pw\" {\n  type = number\n  sensitive = true\n}",
		"site.vars": "\nndoes = []\nport = [80]\nof_another_runbook = 1\n",
	})
	file := filepath.Join(dir, "site.vars")
	_, diags := Load(filepath.Join(dir, "main.hcl"), Options{
		LookupEnv: noEnv, VarFiles: []string{file},
		Vars: []string{"nodes=n1,n2", "prot=1", "nonsense", "pw=hunter2"},
	})
	var said []string
	for _, d := range diags {
		said = append(said, d.Error())
	}
	require.Equal(t, []string{
		`<nil>: Invalid --var; Write --var name=value, not "nonsense".`,
		`<nil>: Unknown variable "prot"; --var sets it, but the runbook declares no such variable. Did you mean "port"?`,
		dir + `/main.hcl:1,1-17: Wrong type of variable "nodes"; Its type is list(string); the value that --var gives: it is no expression such as ["a", "b"] or {k = "v"} (extra characters after expression).`,
		dir + `/main.hcl:3,1-14: Wrong type of variable "pw"; Its type is number; the value that --var gives: the value does not fit.`,
		file + `:2,1-6: Unknown variable "ndoes"; This file sets it, but the runbook declares no such variable. Did you mean "nodes"?`,
		file + `:3,8-12: Wrong type of variable "port"; The type of "port", declared at main.hcl line 2, is number: number required, but have tuple.`,
	}, said)
}

func TestSensitiveVariablesAreSecrets(t *testing.T) {
	r := load(t, `
variable "pw" { sensitive = true }
variable "all" {
  type      = object({ user = string, port = number, more = set(string) })
  sensitive = true
}
step "sql.role" "a" {
  role     = "x"
  password = var.pw
  secrets  = { user = var.all.user }
  limit    = var.all.port
}`, func(o *Options) { o.Vars = []string{"pw=hunter2", `all={user="anton", port=5, more=["inner1"]}`} })
	require.Equal(t, secret.Type, r.Variables[0].Value.Type())
	require.NotContains(t, r.Variables[0].Value.GoString()+r.Variables[1].Value.GoString(), "hunter2")
	var hidden secret.Redactor
	noFaults(t, r.ResolveSecrets(t.Context(), &hidden))
	require.Equal(t, "(secret) (secret) (secret)", hidden.Redact("hunter2 anton inner1"))
	ex, diags := r.Step("a").Expand(r.Scope())
	noFaults(t, diags)
	args, diags := ex.Instances[0].Decode(r.Scope())
	noFaults(t, diags)
	require.Equal(t, "hunter2", args.GetAttr("password").EncapsulatedValue().(*secret.Value).Reveal())
	require.Equal(t, "5", args.GetAttr("limit").AsBigFloat().String())
}
