package lang

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

func TestEveryFunctionIsDocumented(t *testing.T) {
	docs, functions := FunctionDocs(), Functions()
	require.Len(t, docs, len(functions), "a name stands twice in the tables")
	for i, d := range docs {
		require.Contains(t, functions, d.Name)
		require.True(t, strings.HasPrefix(d.Signature, d.Name+"("), d.Signature)
		require.True(t, strings.HasSuffix(d.Description, "."), "%s: %s", d.Name, d.Description)
		require.NotEmpty(t, d.Category, d.Name)
		require.True(t, i == 0 || docs[i-1].Name < d.Name, "sorted")
	}
}

// evaluate gives the value of an expression as JSON, or "error: …".
func evaluate(t *testing.T, dir, text string) string {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "test", hcl.InitialPos)
	noFaults(t, diags)
	v, diags := expr.Value(&hcl.EvalContext{Functions: functionsIn(dir), Variables: map[string]cty.Value{"secret": placeholder, "unknown": cty.DynamicVal}})
	if diags.HasErrors() {
		return "error: " + diags[0].Detail
	}
	if !v.IsWhollyKnown() {
		return "unknown"
	}
	data, err := ctyjson.SimpleJSONValue{Value: v}.MarshalJSON()
	require.NoError(t, err)
	return string(data)
}

func TestFunctions(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.txt":     "text",
		"sub/t.tpl": "%{ for h in hosts }${upper(h)} %{ endfor }${file(\"a.txt\")}",
		"again.tpl": "${templatefile(\"again.tpl\", {})}",
		"bin":       "\xff\x00",
	})
	home, err := os.UserHomeDir()
	require.NoError(t, err)
	for text, want := range map[string]string{
		`startswith("abc", "ab")`:                      `true`,
		`endswith("abc", "ab")`:                        `false`,
		`strcontains("abc", "b")`:                      `true`,
		`replace("a.b.c", ".", "-")`:                   `"a-b-c"`,
		`replace("a1b22", "/[0-9]+/", "x")`:            `"axbx"`,
		`regex("v(\\d+)", "v12")`:                      `["12"]`,
		`versioncompare("4.10.1", "4.9")`:              `1`,
		`versioncompare("v1.27", "1.27")`:              `0`,
		`versioncompare("1.19.3", "1.20")`:             `-1`,
		`alltrue([true, false])`:                       `false`,
		`alltrue([])`:                                  `true`,
		`anytrue([false, "true"])`:                     `true`,
		`anytrue([])`:                                  `false`,
		`one([])`:                                      `null`,
		`one(["a"])`:                                   `"a"`,
		`one(toset(["a"]))`:                            `"a"`,
		`one(["a", "b"])`:                              `error: Invalid value for "list" parameter: it has 2 elements.`,
		`sum([1, 2.5, "3"])`:                           `6.5`,
		`sum([])`:                                      `0`,
		`index(["a", "b"], "b")`:                       `1`,
		`length("héé")`:                                `3`,
		`length({ a = 1 })`:                            `1`,
		`length(toset(["a", "a"]))`:                    `1`,
		`length(5)`:                                    `error: Invalid value for "value" parameter: a string, list, set, map or object is required.`,
		`length(unknown)`:                              `unknown`,
		`base64decode(base64encode("ä"))`:              `"ä"`,
		`base64decode("/w==")`:                         `error: Call to function "base64decode" failed: the data is no text in UTF-8.`,
		`urlencode("a b=c")`:                           `"a+b%3Dc"`,
		`urldecode("a+b%3Dc")`:                         `"a b=c"`,
		`shellquote("it's")`:                           `"'it'\\''s'"`,
		`sha256("abc")`:                                `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`,
		`md5("abc")`:                                   `"900150983cd24fb0d6963f7d28e17f72"`,
		`yamldecode("a: [1, 2]")`:                      `{"a":[1,2]}`,
		`yamldecode(yamlencode({ a = ["x"] }))`:        `{"a":["x"]}`,
		`jsondecode(jsonencode({ a = ["x"] }))`:        `{"a":["x"]}`,
		`format("%s-%03d", "a", 7)`:                    `"a-007"`,
		`formatlist("%s:%d", ["a", "b"], 1)`:           `["a:1","b:1"]`,
		`try(unknown_name, "else")`:                    `"else"`,
		`can(tonumber("x"))`:                           `false`,
		`typename(["a"])`:                              `"tuple"`,
		`merge({ a = 1 }, { b = 2 })`:                  `{"a":1,"b":2}`,
		`flatten([["a"], [["b"]]])`:                    `["a","b"]`,
		`cidrhost("10.1.0.0/16", 258)`:                 `"10.1.1.2"`,
		`cidrhost("10.1.0.7/24", -1)`:                  `"10.1.0.255"`,
		`cidrhost("10.1.0.0/24", 256)`:                 `error: Call to function "cidrhost" failed: 10.1.0.0/24 has no address of this number: it has 256.`,
		`cidrhost("fd00::/64", 16)`:                    `"fd00::10"`,
		`cidrsubnet("10.0.0.0/8", 8, 3)`:               `"10.3.0.0/16"`,
		`cidrsubnet("10.0.0.0/8", 8, 256)`:             `error: Call to function "cidrsubnet" failed: with 8 more bits 10.0.0.0/8 has parts 0 to 255.`,
		`cidrsubnet("10.0.0.0/30", 3, 0)`:              `error: Call to function "cidrsubnet" failed: 10.0.0.0/30 has room for 0 to 2 more bits.`,
		`cidrnetmask("172.16.0.0/12")`:                 `"255.240.0.0"`,
		`cidrcontains("10.0.0.0/8", "10.9.9.9")`:       `true`,
		`cidrcontains("10.0.0/8", "10.9.9.9")`:         `error: Call to function "cidrcontains" failed: "10.0.0/8" is no network such as "10.0.0.0/8".`,
		`file("a.txt")`:                                `"text"`,
		`file("bin")`:                                  `error: Call to function "file" failed: ` + dir + `/bin is no text in UTF-8: use filebase64.`,
		`filebase64("bin")`:                            `"/wA="`,
		`fileexists("a.txt")`:                          `true`,
		`fileexists("none")`:                           `false`,
		`abspath("sub/../a.txt")`:                      quoted(filepath.Join(dir, "a.txt")),
		`pathexpand("~/x")`:                            quoted(filepath.Join(home, "x")),
		`pathexpand("x")`:                              `"x"`,
		`basename("/a/b.c")`:                           `"b.c"`,
		`dirname("/a/b.c")`:                            `"/a"`,
		`templatefile("sub/t.tpl", { hosts = ["a"] })`: `"A text"`,
		`timeadd("2026-01-01T00:00:00Z", "90m")`:       `"2026-01-01T01:30:00Z"`,
	} {
		assert.Equal(t, want, evaluate(t, dir, text), text)
	}
	require.Contains(t, evaluate(t, dir, `templatefile("again.tpl", {})`), "no function named")
	require.Contains(t, evaluate(t, dir, `file("/dev/zero")`), "no regular file")
}

func quoted(s string) string {
	data, _ := json.Marshal(s) // a string always marshals
	return string(data)
}

func TestNoFunctionMakesTextOfASecret(t *testing.T) {
	dir := folder(t, map[string]string{"t.tpl": "${x}"})
	for _, text := range []string{
		`jsonencode({ a = secret })`, `yamlencode([secret])`, `format("%v", secret)`, `formatlist("%v", [secret])`,
		`templatefile("t.tpl", { x = secret })`, `tostring(secret)`, `upper(secret)`, `sha256(secret)`, `join("", [secret])`,
		`base64encode(secret)`, `length(secret)`, `shellquote(secret)`, `"${secret}x"`,
	} {
		require.Contains(t, evaluate(t, dir, text), "error: ", text)
	}
	require.Contains(t, evaluate(t, dir, `coalesce(null, secret) == secret`), "true", "passing a secret on is allowed")
}
