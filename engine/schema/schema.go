// Package schema reads a module's struct and says what it means: how HCL is
// decoded into it, how it is documented, and what it exports.
//
// A field is an argument when it has an `hcl` tag and an output when it has an
// `out` tag; both need a `doc` tag:
//
//	Tags    []string      `hcl:"tags" doc:"Names for the image."`              // required
//	Mode    string        `hcl:"mode,optional" default:"0644" doc:"…"`         // optional, with default
//	Via     string        `hcl:"via,optional" oneof:"auto,star" doc:"…"`       // one of a set
//	Wait    time.Duration `hcl:"wait,optional" default:"5m" doc:"…"`           // "90s", "1h30m"
//	Port    []Port        `hcl:"port,block" doc:"…"`                           // nested blocks, repeatable
//	TLS     *TLS          `hcl:"tls,block" doc:"…"`                            // nested block, at most one
//	ID      string        `out:"id" doc:"Content address."`                    // output
//
// Types: string, bool, ints, floats, time.Duration, secret.Value, slices and
// string maps of these, structs with `cty` tags, and cty.Value for anything.
package schema

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Schema is everything the engine knows about a module's struct.
type Schema struct {
	Args    []Field // what a runbook may write
	Outputs []Field // what other steps may read
}

// Field is one argument or output.
type Field struct {
	Name     string
	Type     cty.Type // cty.NilType for blocks
	Doc      string
	Required bool
	Default  string // as written in the tag; "" for none
	OneOf    []string
	Block    *Schema // set for nested blocks
	Many     bool    // a block that may repeat

	index    int
	duration bool
}

var (
	secretType   = reflect.TypeFor[secret.Value]()
	durationType = reflect.TypeFor[time.Duration]()
	valueType    = reflect.TypeFor[cty.Value]()
)

// Of derives the schema of T. A malformed tag is a bug in the program, so Of
// panics; it runs once, when the catalogue is built.
func Of[T any]() *Schema { return of(reflect.TypeFor[T]()) }

func of(t reflect.Type) *Schema {
	s, seen := &Schema{}, map[string]bool{}
	for i := range t.NumField() {
		f, kind := fieldOf(t, t.Field(i))
		if kind == ignored {
			continue
		}
		if f.Doc == "" {
			panic(fmt.Sprintf("schema: %s.%s has no doc tag", t, t.Field(i).Name))
		}
		if seen[f.Name] {
			panic(fmt.Sprintf("schema: %s has two fields called %q", t, f.Name))
		}
		seen[f.Name], f.index = true, i
		if kind == output {
			s.Outputs = append(s.Outputs, f)
		} else {
			s.Args = append(s.Args, f)
		}
	}
	return s
}

type role int

const (
	ignored role = iota
	argument
	output
)

func fieldOf(t reflect.Type, sf reflect.StructField) (Field, role) {
	f := Field{Doc: sf.Tag.Get("doc"), Default: sf.Tag.Get("default"), duration: sf.Type == durationType}
	if list := sf.Tag.Get("oneof"); list != "" {
		f.OneOf = strings.Split(list, ",")
	}
	if name, ok := sf.Tag.Lookup("out"); ok {
		f.Name, f.Type = name, ctyType(sf.Type)
		return f, output
	}
	tag, ok := sf.Tag.Lookup("hcl")
	if !ok {
		return f, ignored
	}
	name, kind, _ := strings.Cut(tag, ",")
	f.Name = name
	switch kind {
	case "", "optional":
		f.Type = ctyType(sf.Type)
		f.Required = kind == ""
	case "block":
		elem := sf.Type
		if elem.Kind() == reflect.Slice {
			f.Many, elem = true, elem.Elem()
		} else if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		f.Block = of(elem)
	default:
		panic(fmt.Sprintf("schema: %s.%s: unknown kind %q", t, sf.Name, kind))
	}
	return f, argument
}

func ctyType(t reflect.Type) cty.Type {
	switch {
	case t == secretType:
		return secret.Type
	case t == durationType:
		return cty.String
	case t == valueType:
		return cty.DynamicPseudoType
	case t.Kind() == reflect.Map && t.Elem() == secretType:
		return cty.Map(secret.Type)
	case t.Kind() == reflect.Map && t.Elem() == valueType:
		return cty.DynamicPseudoType
	}
	ty, err := gocty.ImpliedType(reflect.New(t).Interface())
	if err != nil {
		panic(fmt.Sprintf("schema: %s cannot appear in a runbook: %s", t, err))
	}
	return ty
}

// Arg finds an argument by name.
func (s *Schema) Arg(name string) (Field, bool) {
	for _, f := range s.Args {
		if f.Name == name {
			return f, true
		}
	}
	return Field{}, false
}

// ValueType is what other steps see of a step: its arguments, secrets and
// blocks left out, and its outputs. An output wins over an argument of its name.
func (s *Schema) ValueType() cty.Type {
	attrs := map[string]cty.Type{}
	for _, f := range s.Args {
		if f.visible() {
			attrs[f.Name] = f.Type
		}
	}
	for _, f := range s.Outputs {
		attrs[f.Name] = f.Type
	}
	return cty.Object(attrs)
}

// visible reports whether other steps may read the argument.
func (f Field) visible() bool {
	return f.Block == nil && f.Type != secret.Type && !f.Type.Equals(cty.Map(secret.Type))
}
