package lang

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFunctions read files of this machine; relative paths start at dir.
func fileFunctions(dir string) []entry {
	path := func(p string) string { return resolvePath(dir, p) }
	return []entry{
		{"abspath", files, "The path as an absolute one; relative paths start at the runbook's folder.", textFn(func(a []string) (string, error) { return filepath.Abs(path(a[0])) }, "path")},
		{"basename", files, "The last part of a path.", textFn(func(a []string) (string, error) { return filepath.Base(a[0]), nil }, "path")},
		{"dirname", files, "The path without its last part.", textFn(func(a []string) (string, error) { return filepath.Dir(a[0]), nil }, "path")},
		{"file", files, "The text of a file.", textFn(func(a []string) (string, error) { return readText(path(a[0])) }, "path")},
		{"filebase64", files, "The content of a file in base64.", textFn(func(a []string) (string, error) {
			data, err := readLimited(path(a[0]))
			return base64.StdEncoding.EncodeToString(data), err
		}, "path")},
		{"fileexists", files, "Whether there is a file of this path.", stringsFn(cty.Bool, func(a []string) (cty.Value, error) {
			info, err := os.Stat(path(a[0]))
			if errors.Is(err, fs.ErrNotExist) {
				return cty.False, nil
			}
			return cty.BoolVal(err == nil && info.Mode().IsRegular()), err
		}, "path")},
		{"pathexpand", files, "The path with the home folder for ~ at its start.", textFn(func(a []string) (string, error) {
			if a[0] == "~" || len(a[0]) > 1 && a[0][:2] == "~/" {
				return path(a[0]), nil
			}
			return a[0], nil
		}, "path")},
		{"templatefile", files, "The text of a file with its ${…} and %{…} evaluated; vars are the names that it may use. Secrets are refused.", templateFunc(dir)},
	}
}

// largestFile bounds what file functions read into memory.
const largestFile = 16 << 20

func readLimited(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file", name)
	}
	if info.Size() > largestFile {
		return nil, fmt.Errorf("%s is too large (more than 16 MiB)", name)
	}
	return os.ReadFile(name)
}

func readText(name string) (string, error) {
	data, err := readLimited(name)
	if err == nil && !utf8.Valid(data) {
		err = fmt.Errorf("%s is no text in UTF-8: use filebase64", name)
	}
	return string(data), err
}

// templateFunc renders templates with all functions but itself, which could
// never end.
func templateFunc(dir string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "vars", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if t := args[1].Type(); hasSecret(t) {
				return cty.NilType, function.NewArgErrorf(1, "a secret cannot become part of a text")
			} else if !t.IsObjectType() && !t.IsMapType() && t != cty.DynamicPseudoType {
				return cty.NilType, function.NewArgErrorf(1, "an object of names and values is required")
			}
			return cty.String, nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := resolvePath(dir, args[0].AsString())
			text, err := readText(name)
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			expr, diags := hclsyntax.ParseTemplate([]byte(text), name, hcl.InitialPos)
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgError(0, diags)
			}
			functions := functionTable{}
			for _, e := range entries(dir) {
				if e.name != "templatefile" {
					functions[e.name] = e.fn
				}
			}
			v, diags := expr.Value(&hcl.EvalContext{Variables: args[1].AsValueMap(), Functions: functions})
			if diags.HasErrors() {
				return cty.NilVal, function.NewArgError(0, diags)
			}
			s, err := stringOf(v)
			return cty.StringVal(s), err
		},
	})
}
