package schema

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Markdown is the reference table of the arguments and outputs.
func (s *Schema) Markdown() string {
	var b strings.Builder
	b.WriteString("| argument | type | |\n| --- | --- | --- |\n")
	s.rows(&b, "")
	if len(s.Outputs) > 0 {
		b.WriteString("\n| output | type | |\n| --- | --- | --- |\n")
		for _, f := range s.Outputs {
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, f.TypeName(), f.Doc)
		}
	}
	return b.String()
}

func (s *Schema) rows(b *strings.Builder, prefix string) {
	for _, f := range s.Args {
		fmt.Fprintf(b, "| `%s%s` | %s | %s%s |\n", prefix, f.Name, f.TypeName(), f.Doc, f.note())
		if f.Block != nil {
			f.Block.rows(b, prefix+f.Name+".")
		}
	}
}

func (f Field) note() string {
	var notes []string
	if f.Required {
		notes = append(notes, "**Required.**")
	}
	if f.OneOf != nil {
		notes = append(notes, "One of `"+strings.Join(f.OneOf, "`, `")+"`.")
	}
	if f.Default != "" {
		notes = append(notes, "Default `"+f.Default+"`.")
	}
	if len(notes) == 0 {
		return ""
	}
	return " " + strings.Join(notes, " ")
}

// TypeName is the field's type in the words of the runbook language.
func (f Field) TypeName() string {
	switch {
	case f.Block != nil && f.Many:
		return "blocks"
	case f.Block != nil:
		return "block"
	case f.duration:
		return "duration"
	}
	return typeName(f.Type)
}

func typeName(t cty.Type) string {
	switch {
	case t == secret.Type:
		return "secret"
	case t == cty.DynamicPseudoType:
		return "any"
	case t.IsListType():
		return "list(" + typeName(t.ElementType()) + ")"
	case t.IsMapType():
		return "map(" + typeName(t.ElementType()) + ")"
	case t.IsObjectType() && t.HasAttribute("kind") && t.HasAttribute("config"):
		return "target"
	case t.IsObjectType():
		return "object"
	}
	return t.FriendlyName()
}

// JSONSchema describes the arguments for editors (JSON Schema 2020-12).
func (s *Schema) JSONSchema() ([]byte, error) {
	return json.MarshalIndent(s.jsonSchema(), "", "  ")
}

func (s *Schema) jsonSchema() map[string]any {
	props, required := map[string]any{}, []string{}
	for _, f := range s.Args {
		props[f.Name] = f.jsonSchema()
		if f.Required {
			required = append(required, f.Name)
		}
	}
	return map[string]any{"type": "object", "properties": props, "required": required, "additionalProperties": false}
}

func (f Field) jsonSchema() map[string]any {
	var p map[string]any
	switch {
	case f.Block != nil && f.Many:
		p = map[string]any{"type": "array", "items": f.Block.jsonSchema()}
	case f.Block != nil:
		p = f.Block.jsonSchema()
	default:
		p = jsonType(f.Type)
	}
	p["description"] = f.Doc
	if f.OneOf != nil {
		p["enum"] = f.OneOf
	}
	if f.Default != "" {
		p["default"] = f.Default
	}
	return p
}

func jsonType(t cty.Type) map[string]any {
	switch {
	case t == cty.Bool:
		return map[string]any{"type": "boolean"}
	case t == cty.Number:
		return map[string]any{"type": "number"}
	case t.IsListType(), t.IsSetType():
		return map[string]any{"type": "array", "items": jsonType(t.ElementType())}
	case t.IsMapType():
		return map[string]any{"type": "object", "additionalProperties": jsonType(t.ElementType())}
	case t.IsObjectType():
		return map[string]any{"type": "object"}
	case t == cty.DynamicPseudoType:
		return map[string]any{}
	}
	return map[string]any{"type": "string"}
}
