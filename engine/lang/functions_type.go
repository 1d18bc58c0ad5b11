package lang

import (
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func numberFunctions() []entry {
	return []entry{
		{"abs", numeric, "The number without its sign.", stdlib.AbsoluteFunc},
		{"ceil", numeric, "The next whole number that is not smaller.", stdlib.CeilFunc},
		{"floor", numeric, "The next whole number that is not larger.", stdlib.FloorFunc},
		{"log", numeric, "The logarithm of the number to a base.", stdlib.LogFunc},
		{"max", numeric, "The largest of the numbers.", stdlib.MaxFunc},
		{"min", numeric, "The smallest of the numbers.", stdlib.MinFunc},
		{"parseint", numeric, "The whole number that a string writes in a base from 2 to 62.", stdlib.ParseIntFunc},
		{"pow", numeric, "The number to a power.", stdlib.PowFunc},
		{"signum", numeric, "-1, 0 or 1, the sign of the number.", stdlib.SignumFunc},
	}
}

func typeFunctions() []entry {
	return []entry{
		{"can", conversion, "Whether an expression can be evaluated without error.", tryfunc.CanFunc},
		{"tobool", conversion, "The value as true or false.", stdlib.MakeToFunc(cty.Bool)},
		{"tolist", conversion, "The value as a list.", stdlib.MakeToFunc(cty.List(cty.DynamicPseudoType))},
		{"tomap", conversion, "The value as a map.", stdlib.MakeToFunc(cty.Map(cty.DynamicPseudoType))},
		{"tonumber", conversion, "The value as a number.", stdlib.MakeToFunc(cty.Number)},
		{"toset", conversion, "The value as a set: without order and repetitions.", stdlib.MakeToFunc(cty.Set(cty.DynamicPseudoType))},
		{"tostring", conversion, "The value as a string.", stdlib.MakeToFunc(cty.String)},
		{"try", conversion, "The first of several expressions that can be evaluated without error.", tryfunc.TryFunc},
		{"typename", conversion, "The name of the value's type.", typeNameFunc},
	}
}

var typeNameFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		return cty.StringVal(args[0].Type().FriendlyName()), nil
	},
})
