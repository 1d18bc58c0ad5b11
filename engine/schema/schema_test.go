package schema

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/secret"
)

type port struct {
	Number int    `hcl:"number" doc:"Port."`
	Name   string `hcl:"name,optional" doc:"Name."`
}

// sample has a field of every kind.
type sample struct {
	Name     string                  `hcl:"name" doc:"Name."`
	Tags     []string                `hcl:"tags,optional" doc:"Tags."`
	Args     map[string]string       `hcl:"args,optional" doc:"Args."`
	Mode     string                  `hcl:"mode,optional" default:"fast" oneof:"fast,safe" doc:"Mode."`
	Wait     time.Duration           `hcl:"wait,optional" default:"5m" doc:"Wait."`
	Tries    int                     `hcl:"tries,optional" default:"3" doc:"Tries."`
	Strict   *bool                   `hcl:"strict,optional" doc:"Strict."`
	Password secret.Value            `hcl:"password,optional" doc:"Password."`
	Env      map[string]secret.Value `hcl:"env,optional" doc:"Environment."`
	Any      cty.Value               `hcl:"any,optional" doc:"Anything."`
	Ports    []port                  `hcl:"port,block" doc:"Ports."`
	Main     *port                   `hcl:"main,block" doc:"Main port."`

	ID    string            `out:"id" doc:"Identity."`
	Rows  []string          `out:"rows" doc:"Rows."`
	Free  cty.Value         `out:"free" doc:"Anything."`
	Found map[string]string `out:"found" doc:"Found."`
}

func decode(t *testing.T, text string) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	file, diags := hclparse.NewParser().ParseHCL([]byte(text), "x.hcl")
	require.False(t, diags.HasErrors(), diags.Error())
	return hcldec.Decode(file.Body, Of[sample]().Spec(), &hcl.EvalContext{})
}

func TestAStructIsFilledFromItsBody(t *testing.T) {
	v, diags := decode(t, `
name     = "x"
tags     = ["a", 1]
args     = { N = 11 }
wait     = "90s"
strict   = false
password = "hunter2"
env      = { A = "1" }
any      = { deep = [true] }
port { number = 1 }
port {
  number = 2
  name   = "two"
}
main { number = 3 }
`)
	require.False(t, diags.HasErrors(), diags.Error())
	var m sample
	require.NoError(t, Of[sample]().Set(&m, v))
	no := false
	require.Equal(t, sample{
		Name: "x", Tags: []string{"a", "1"}, Args: map[string]string{"N": "11"}, Mode: "fast", Wait: 90 * time.Second,
		Tries: 3, Strict: &no, Password: secret.New("hunter2"), Env: map[string]secret.Value{"A": secret.New("1")},
		Any: m.Any, Ports: []port{{Number: 1}, {Number: 2, Name: "two"}}, Main: &port{Number: 3},
	}, m)
	require.True(t, m.Any.GetAttr("deep").Index(cty.Zero).True())
}

func TestWhatIsLeftOutStaysZeroOrDefault(t *testing.T) {
	v, diags := decode(t, `name = "x"`)
	require.False(t, diags.HasErrors(), diags.Error())
	var m sample
	require.NoError(t, Of[sample]().Set(&m, v))
	require.Equal(t, sample{Name: "x", Mode: "fast", Wait: 5 * time.Minute, Tries: 3}, m)
}

func TestFaultsOfABodyPointAtTheirArgument(t *testing.T) {
	for text, want := range map[string]string{
		"":                               `"name"`,
		"name = \"x\"\nmode = \"slow\"":  "Write one of: fast, safe",
		"name = \"x\"\nwait = \"soon\"":  "length of time",
		"name = \"x\"\nwait = \"-1s\"":   "length of time",
		"name = \"x\"\ntries = \"many\"": "number",
		"name = \"x\"\nport {}":          `"number"`,
	} {
		_, diags := decode(t, text)
		require.True(t, diags.HasErrors(), text)
		require.Contains(t, diags.Error(), want)
		require.NotNil(t, diags[0].Subject, text)
	}
}

func TestOutputsAreUnknownWhileAChangeIsPending(t *testing.T) {
	s := Of[sample]()
	args, diags := decode(t, "name = \"x\"\npassword = \"hunter2\"")
	require.False(t, diags.HasErrors(), diags.Error())
	m := sample{ID: "sha256:1"}

	pending, err := s.Value(args, &m, true)
	require.NoError(t, err)
	require.Equal(t, cty.StringVal("sha256:1"), pending.GetAttr("id"), "what Check set is known")
	require.False(t, pending.GetAttr("rows").IsKnown())
	require.False(t, pending.GetAttr("free").IsKnown())

	done, err := s.Value(args, &m, false)
	require.NoError(t, err)
	require.Equal(t, cty.ListValEmpty(cty.String), done.GetAttr("rows"), "a nil slice is empty, not null")
	require.Equal(t, cty.MapValEmpty(cty.String), done.GetAttr("found"))
	require.True(t, done.GetAttr("free").IsNull())
	require.Equal(t, "x", done.GetAttr("name").AsString(), "arguments can be read as well")
	require.False(t, done.Type().HasAttribute("password"), "but no secrets among them")
	require.False(t, done.Type().HasAttribute("env"))
	require.True(t, s.ValueType().HasAttribute("id"))
}

func TestSecretsCanBeOutputs(t *testing.T) {
	type reader struct {
		Values map[string]secret.Value `out:"values" doc:"Values."`
	}
	v, err := Of[reader]().Value(cty.EmptyObjectVal, &reader{Values: map[string]secret.Value{"a": secret.New("hunter2")}}, false)
	require.NoError(t, err)
	require.Equal(t, secret.Type, v.GetAttr("values").Index(cty.StringVal("a")).Type())
}

func TestPagesAreReadOffTheStruct(t *testing.T) {
	page := Of[sample]().Markdown()
	for _, row := range []string{
		"| `name` | string | Name. **Required.** |",
		"| `mode` | string | Mode. One of `fast`, `safe`. Default `fast`. |",
		"| `wait` | duration | Wait. Default `5m`. |",
		"| `env` | map(secret) | Environment. |",
		"| `port` | blocks | Ports. |",
		"| `port.number` | number | Port. **Required.** |",
		"| `rows` | list(string) | Rows. |",
		"| `free` | any | Anything. |",
	} {
		require.Contains(t, page, row)
	}
	text, err := Of[sample]().JSONSchema()
	require.NoError(t, err)
	var parsed struct {
		Properties map[string]map[string]any
		Required   []string
	}
	require.NoError(t, json.Unmarshal(text, &parsed))
	require.Equal(t, []string{"name"}, parsed.Required)
	require.Equal(t, "array", parsed.Properties["tags"]["type"])
	require.Equal(t, []any{"fast", "safe"}, parsed.Properties["mode"]["enum"])
}

func TestMalformedStructsPanicWhenTheCatalogueIsMade(t *testing.T) {
	type noDoc struct {
		A string `hcl:"a"`
	}
	type twice struct {
		A string `hcl:"a" doc:"A."`
		B string `out:"a" doc:"B."`
	}
	type kind struct {
		A string `hcl:"a,sometimes" doc:"A."`
	}
	require.Panics(t, func() { Of[noDoc]() })
	require.Panics(t, func() { Of[twice]() })
	require.Panics(t, func() { Of[kind]() })
}
