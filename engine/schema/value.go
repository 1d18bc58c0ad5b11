package schema

import (
	"fmt"
	"reflect"
	"time"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Set copies a wholly known value, as decoded by Spec, into the struct that
// target points at. Arguments that are null keep the field's zero value.
func (s *Schema) Set(target any, v cty.Value) error {
	return s.set(reflect.ValueOf(target).Elem(), v)
}

func (s *Schema) set(dst reflect.Value, v cty.Value) error {
	for _, f := range s.Args {
		val := v.GetAttr(f.Name)
		if val.IsNull() {
			continue
		}
		if err := f.set(dst.Field(f.index), val); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
	}
	return nil
}

func (f Field) set(dst reflect.Value, v cty.Value) error {
	switch {
	case f.Block != nil && f.Many:
		for _, item := range v.AsValueSlice() {
			elem := reflect.New(dst.Type().Elem()).Elem()
			if err := f.Block.set(elem, item); err != nil {
				return err
			}
			dst.Set(reflect.Append(dst, elem))
		}
		return nil
	case f.Block != nil && dst.Kind() == reflect.Pointer:
		dst.Set(reflect.New(dst.Type().Elem()))
		return f.Block.set(dst.Elem(), v)
	case f.Block != nil:
		return f.Block.set(dst, v)
	case dst.Type() == valueType:
		dst.Set(reflect.ValueOf(v))
		return nil
	case dst.Type() == secretType:
		dst.Set(reflect.ValueOf(v.EncapsulatedValue()).Elem())
		return nil
	case dst.Type() == durationType:
		d, err := time.ParseDuration(v.AsString())
		dst.SetInt(int64(d))
		return err
	case dst.Kind() == reflect.Map && dst.Type().Elem() == secretType:
		m := map[string]secret.Value{}
		for k, sv := range v.AsValueMap() {
			m[k] = *sv.EncapsulatedValue().(*secret.Value)
		}
		dst.Set(reflect.ValueOf(m))
		return nil
	case dst.Kind() == reflect.Map && dst.Type().Elem() == valueType:
		dst.Set(reflect.ValueOf(v.AsValueMap()))
		return nil
	}
	return gocty.FromCtyValue(v, dst.Addr().Interface())
}

// Value is what other steps see of a step whose arguments are args (as decoded
// by Spec) and whose outputs stand in module. While a change is pending, an
// output still at its zero value is not known yet.
func (s *Schema) Value(args cty.Value, module any, pending bool) (cty.Value, error) {
	src, attrs := reflect.ValueOf(module).Elem(), map[string]cty.Value{}
	for _, f := range s.Args {
		if f.visible() {
			attrs[f.Name] = args.GetAttr(f.Name)
		}
	}
	for _, f := range s.Outputs {
		field := src.Field(f.index)
		if pending && field.IsZero() {
			attrs[f.Name] = cty.UnknownVal(f.Type)
			continue
		}
		v, err := toCty(field, f.Type)
		if err != nil {
			return cty.NilVal, fmt.Errorf("output %s: %w", f.Name, err)
		}
		attrs[f.Name] = v
	}
	return cty.ObjectVal(attrs), nil
}

func toCty(field reflect.Value, ty cty.Type) (cty.Value, error) {
	switch v := field.Interface().(type) {
	case cty.Value:
		if v == cty.NilVal {
			return cty.NullVal(cty.DynamicPseudoType), nil
		}
		return v, nil
	case map[string]cty.Value:
		return cty.ObjectVal(v), nil
	case secret.Value:
		return v.Cty(), nil
	case map[string]secret.Value:
		return secretsToCty(v), nil
	case time.Duration:
		return cty.StringVal(v.String()), nil
	}
	if empty := field.IsZero() && (ty.IsListType() || ty.IsMapType()); empty {
		return emptyOf(ty), nil
	}
	return gocty.ToCtyValue(field.Interface(), ty)
}

// secretsToCty does what gocty cannot: elements of a map have no address.
func secretsToCty(m map[string]secret.Value) cty.Value {
	if len(m) == 0 {
		return cty.MapValEmpty(secret.Type)
	}
	out := map[string]cty.Value{}
	for name, v := range m {
		out[name] = v.Cty()
	}
	return cty.MapVal(out)
}

// emptyOf makes a nil slice or map an empty collection, which expressions can
// iterate, and not null, which they can't.
func emptyOf(ty cty.Type) cty.Value {
	if ty.IsMapType() {
		return cty.MapValEmpty(ty.ElementType())
	}
	return cty.ListValEmpty(ty.ElementType())
}
