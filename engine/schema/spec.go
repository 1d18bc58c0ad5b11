package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// Spec is the decoder of the struct. References, types, unknowns and source
// ranges all come from it.
func (s *Schema) Spec() hcldec.ObjectSpec {
	spec := hcldec.ObjectSpec{}
	for _, f := range s.Args {
		spec[f.Name] = f.spec()
	}
	return spec
}

func (f Field) spec() hcldec.Spec {
	switch {
	case f.Block != nil && f.Many:
		return &hcldec.BlockTupleSpec{TypeName: f.Name, Nested: f.Block.Spec()}
	case f.Block != nil:
		return &hcldec.BlockSpec{TypeName: f.Name, Nested: f.Block.Spec()}
	}
	var spec hcldec.Spec = &hcldec.AttrSpec{Name: f.Name, Type: f.Type, Required: f.Required}
	if f.Default != "" {
		v, err := f.defaultValue()
		if err != nil {
			panic(fmt.Sprintf("schema: default of %s: %s", f.Name, err))
		}
		spec = &hcldec.DefaultSpec{Primary: spec, Default: &hcldec.LiteralSpec{Value: v}}
	}
	if len(f.OneOf) > 0 {
		spec = &hcldec.ValidateSpec{Wrapped: spec, Func: f.checkOneOf}
	}
	if f.duration {
		spec = &hcldec.ValidateSpec{Wrapped: spec, Func: f.checkDuration}
	}
	return spec
}

func (f Field) defaultValue() (cty.Value, error) {
	if f.Type == cty.Bool {
		b, err := strconv.ParseBool(f.Default)
		return cty.BoolVal(b), err
	}
	return convert.Convert(cty.StringVal(f.Default), f.Type)
}

func (f Field) checkOneOf(v cty.Value) hcl.Diagnostics {
	if v.IsNull() || !v.IsKnown() || slices.Contains(f.OneOf, v.AsString()) {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("Unknown %s %q", f.Name, v.AsString()),
		Detail:   fmt.Sprintf("Write one of: %s.", strings.Join(f.OneOf, ", ")),
	}}
}

func (f Field) checkDuration(v cty.Value) hcl.Diagnostics {
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	if d, err := time.ParseDuration(v.AsString()); err == nil && d >= 0 {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  fmt.Sprintf("Invalid duration %q", v.AsString()),
		Detail:   fmt.Sprintf("The argument %q takes a length of time such as \"90s\", \"15m\" or \"1h30m\".", f.Name),
	}}
}
