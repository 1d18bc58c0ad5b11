package lang

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// FunctionDoc describes a function for people.
type FunctionDoc struct {
	Name        string
	Signature   string // "join(separator string, lists list(string)...)"
	Description string
	Category    string
}

type functionTable = map[string]function.Function

// entry is one function of the language. The tables of entries are the only
// list there is: functions and their documentation both come from it.
type entry struct {
	name, category, description string
	fn                          function.Function
}

const (
	textual    = "text"
	collection = "collections"
	numeric    = "numbers"
	encoding   = "encoding"
	files      = "files"
	network    = "network"
	conversion = "types"
	hashing    = "hashes"
	date       = "time"
)

// Functions are the functions of the language; relative paths start at the
// working directory.
func Functions() map[string]function.Function { return functionsIn(".") }

// functionsIn are the functions for a runbook in folder dir.
func functionsIn(dir string) functionTable {
	table := functionTable{}
	for _, e := range entries(dir) {
		table[e.name] = e.fn
	}
	return table
}

func entries(dir string) []entry {
	return slices.Concat(textFunctions(), collectionFunctions(), numberFunctions(), codecFunctions(), typeFunctions(),
		networkFunctions(), fileFunctions(dir))
}

// FunctionDocs describes all functions, sorted by name.
func FunctionDocs() []FunctionDoc {
	var docs []FunctionDoc
	for _, e := range entries(".") {
		docs = append(docs, FunctionDoc{Name: e.name, Signature: signature(e), Description: e.description, Category: e.category})
	}
	slices.SortFunc(docs, func(a, b FunctionDoc) int { return strings.Compare(a.Name, b.Name) })
	return docs
}

func signature(e entry) string {
	var params []string
	for _, p := range e.fn.Params() {
		params = append(params, p.Name+" "+paramType(p.Type))
	}
	if p := e.fn.VarParam(); p != nil {
		params = append(params, p.Name+" "+paramType(p.Type)+"...")
	}
	return e.name + "(" + strings.Join(params, ", ") + ")"
}

func paramType(t cty.Type) string {
	switch {
	case t == cty.DynamicPseudoType:
		return "any"
	case t.IsListType():
		return "list(" + paramType(t.ElementType()) + ")"
	case t.IsMapType():
		return "map(" + paramType(t.ElementType()) + ")"
	case t.IsSetType():
		return "set(" + paramType(t.ElementType()) + ")"
	case t.IsCapsuleType():
		return "expression" // try and can look at it before it is evaluated
	}
	return t.FriendlyName()
}

// noSecrets is f without secrets in its arguments: for functions that make text
// of any value, and would make text of a secret.
func noSecrets(f function.Function) function.Function {
	params := slices.Clone(f.Params())
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      params,
		VarParam:    f.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			for i, a := range args {
				if hasSecret(a.Type()) {
					return cty.NilType, function.NewArgErrorf(i, "a secret cannot become part of a text")
				}
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return f.Call(args) },
	})
}

// textFn makes a function of strings that gives a string.
func textFn(impl func(args []string) (string, error), params ...string) function.Function {
	return stringsFn(cty.String, func(args []string) (cty.Value, error) {
		s, err := impl(args)
		return cty.StringVal(s), err
	}, params...)
}

// testFn makes a function of strings that gives a bool.
func testFn(impl func(args []string) bool, params ...string) function.Function {
	return stringsFn(cty.Bool, func(args []string) (cty.Value, error) { return cty.BoolVal(impl(args)), nil }, params...)
}

func stringsFn(t cty.Type, impl func(args []string) (cty.Value, error), params ...string) function.Function {
	spec := &function.Spec{
		Type: function.StaticReturnType(t),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			texts := make([]string, len(args))
			for i, a := range args {
				texts[i] = a.AsString()
			}
			return impl(texts)
		},
	}
	for _, p := range params {
		spec.Params = append(spec.Params, function.Parameter{Name: p, Type: cty.String})
	}
	return function.New(spec)
}
