// Package secret keeps values that must never be printed.
//
// A secret is a type, not a mark: in a runbook it is a capsule, so it can only
// flow into an argument that declares it takes one, and putting it into a
// template is a type error that points at the template.
package secret

import (
	"fmt"
	"log/slog"
	"reflect"

	"github.com/zclconf/go-cty/cty"
)

// Hidden is what every printed form of a secret says instead of its text.
const Hidden = "(secret)"

// Value is a string that prints as "(secret)" everywhere. Its text leaves the
// process through Reveal alone, so every leak is one grep away.
type Value struct{ text string }

// Type is how a Value appears to runbook expressions. A plain string converts
// to it (an argument that takes a secret also takes a string); nothing
// converts back.
var Type = cty.CapsuleWithOps("secret", reflect.TypeFor[Value](), &cty.CapsuleOps{
	GoString:     func(any) string { return Hidden },
	TypeGoString: func(reflect.Type) string { return "secret.Type" },
	RawEquals:    func(a, b any) bool { return *a.(*Value) == *b.(*Value) },
	Equals:       func(a, b any) cty.Value { return cty.BoolVal(*a.(*Value) == *b.(*Value)) },
	ConversionTo: func(from cty.Type) func(cty.Value, cty.Path) (any, error) {
		if from != cty.String {
			return nil
		}
		return func(v cty.Value, _ cty.Path) (any, error) {
			s := New(v.AsString())
			return &s, nil
		}
	},
})

// New wraps text.
func New(text string) Value { return Value{text} }

// Reveal gives the text. Call it only where the text leaves for its one
// rightful destination: a child's environment, a stdin, a protocol's password.
func (v Value) Reveal() string { return v.text }

// IsZero reports whether no secret was given.
func (v Value) IsZero() bool { return v.text == "" }

// Cty wraps v for use in an evaluation context.
func (v Value) Cty() cty.Value { return cty.CapsuleVal(Type, &v) }

func (Value) String() string               { return Hidden }
func (Value) GoString() string             { return Hidden }
func (Value) MarshalText() ([]byte, error) { return []byte(Hidden), nil }
func (Value) LogValue() slog.Value         { return slog.StringValue(Hidden) }

// Format answers every fmt verb, so that no verb reaches the field by reflection.
func (Value) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Hidden)) }
