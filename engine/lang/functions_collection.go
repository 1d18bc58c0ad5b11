package lang

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func collectionFunctions() []entry {
	return []entry{
		{"alltrue", collection, "Whether all elements are true; true for none.", boolsFn(true)},
		{"anytrue", collection, "Whether any element is true; false for none.", boolsFn(false)},
		{"chunklist", collection, "The list cut into lists of at most size elements.", stdlib.ChunklistFunc},
		{"coalesce", collection, "The first argument that is not null.", stdlib.CoalesceFunc},
		{"coalescelist", collection, "The first list that is not empty.", stdlib.CoalesceListFunc},
		{"compact", collection, "The list without empty strings.", stdlib.CompactFunc},
		{"concat", collection, "One list of all the lists' elements.", stdlib.ConcatFunc},
		{"contains", collection, "Whether the list or set has the value.", stdlib.ContainsFunc},
		{"distinct", collection, "The list without repetitions.", stdlib.DistinctFunc},
		{"element", collection, "An element of the list; the index wraps around.", stdlib.ElementFunc},
		{"flatten", collection, "The list with lists in it replaced by their elements.", stdlib.FlattenFunc},
		{"hasindex", collection, "Whether a list, map or object has an index or key.", stdlib.HasIndexFunc},
		{"index", collection, "The position of the value in the list; its absence is an error.", indexFunc},
		{"keys", collection, "The keys of the map or object, sorted.", stdlib.KeysFunc},
		{"length", collection, "The number of elements, or of characters of a string.", lengthFunc},
		{"lookup", collection, "The value at a key of the map, or the default.", stdlib.LookupFunc},
		{"merge", collection, "One map or object of all; later ones win.", stdlib.MergeFunc},
		{"one", collection, "The only element of a list or set; null for an empty one; more is an error.", oneFunc},
		{"range", collection, "The numbers from start up to, not including, limit, by step.", stdlib.RangeFunc},
		{"reverse", collection, "The list in reverse.", stdlib.ReverseListFunc},
		{"setintersection", collection, "The set of what all the sets have.", stdlib.SetIntersectionFunc},
		{"setproduct", collection, "All combinations of one element of each.", stdlib.SetProductFunc},
		{"setsubtract", collection, "The set a without what b has.", stdlib.SetSubtractFunc},
		{"setunion", collection, "The set of what any of the sets has.", stdlib.SetUnionFunc},
		{"slice", collection, "The elements from start up to, not including, end.", stdlib.SliceFunc},
		{"sort", collection, "The strings in order.", stdlib.SortFunc},
		{"sum", collection, "The sum of the numbers.", sumFunc},
		{"values", collection, "The values of the map or object, in the order of its keys.", stdlib.ValuesFunc},
		{"zipmap", collection, "A map of a list of keys and a list of values.", stdlib.ZipmapFunc},
	}
}

// boolsFn is "all are true", or "any is true" for all = false.
func boolsFn(all bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			unknown := false
			for _, v := range args[0].AsValueSlice() {
				switch {
				case !v.IsKnown():
					unknown = true
				case v.IsNull():
					return cty.NilVal, function.NewArgErrorf(0, "an element is null")
				case v.True() != all:
					return cty.BoolVal(!all), nil
				}
			}
			if unknown {
				return cty.UnknownVal(cty.Bool), nil
			}
			return cty.BoolVal(all), nil
		},
	})
}

// elementsIn are the elements of a list, set or tuple.
func elementsIn(v cty.Value) ([]cty.Value, error) {
	if t := v.Type(); !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
		return nil, function.NewArgErrorf(0, "a list or set is required")
	}
	return v.AsValueSlice(), nil
}

var anyParam = []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}}

var oneFunc = function.New(&function.Spec{
	Params: anyParam,
	Type: func(args []cty.Value) (cty.Type, error) {
		t := args[0].Type()
		switch {
		case t.IsListType() || t.IsSetType():
			return t.ElementType(), nil
		case t.IsTupleType() && t.Length() == 0:
			return cty.DynamicPseudoType, nil
		case t.IsTupleType() && t.Length() == 1:
			return t.TupleElementType(0), nil
		case t.IsTupleType():
			return cty.NilType, function.NewArgErrorf(0, "it has %d elements", t.Length())
		}
		return cty.NilType, function.NewArgErrorf(0, "a list or set is required")
	},
	Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
		items, err := elementsIn(args[0])
		switch {
		case err != nil:
			return cty.NilVal, err
		case len(items) == 0:
			return cty.NullVal(t), nil
		case len(items) > 1:
			return cty.NilVal, function.NewArgErrorf(0, "it has %d elements", len(items))
		}
		return items[0], nil
	},
})

var sumFunc = function.New(&function.Spec{
	Params: anyParam,
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		items, err := elementsIn(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		total := cty.Zero
		for _, item := range items {
			n, err := convert.Convert(item, cty.Number)
			if err != nil || n.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "its elements must be numbers")
			}
			total = total.Add(n)
		}
		return total, nil
	},
})

var indexFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}, {Name: "value", Type: cty.DynamicPseudoType}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		items, err := elementsIn(args[0])
		if err != nil {
			return cty.NilVal, err
		}
		for i, item := range items {
			equal, err := stdlib.Equal(item, args[1])
			if err != nil {
				return cty.NilVal, err
			}
			if !equal.IsKnown() {
				return cty.UnknownVal(cty.Number), nil
			}
			if equal.True() {
				return cty.NumberIntVal(int64(i)), nil
			}
		}
		return cty.NilVal, fmt.Errorf("the list does not have this value")
	},
})

var lengthFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
	Type: func(args []cty.Value) (cty.Type, error) {
		t := args[0].Type()
		if t == cty.String || t == cty.DynamicPseudoType || t.IsTupleType() || t.IsObjectType() || t.IsCollectionType() {
			return cty.Number, nil
		}
		return cty.NilType, function.NewArgErrorf(0, "a string, list, set, map or object is required")
	},
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		v := args[0]
		switch t := v.Type(); {
		case t == cty.DynamicPseudoType:
			return cty.UnknownVal(cty.Number), nil
		case t == cty.String:
			return stdlib.Strlen(v)
		case t.IsObjectType():
			return cty.NumberIntVal(int64(len(t.AttributeTypes()))), nil
		case t.IsTupleType():
			return cty.NumberIntVal(int64(t.Length())), nil
		}
		return v.Length(), nil
	},
})
