package lang

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

func textFunctions() []entry {
	return []entry{
		{"chomp", textual, "The string without line breaks at its end.", stdlib.ChompFunc},
		{"endswith", textual, "Whether the string ends with suffix.", testFn(func(a []string) bool { return strings.HasSuffix(a[0], a[1]) }, "string", "suffix")},
		{"format", textual, "The values put into a format such as \"%s is %d\".", noSecrets(stdlib.FormatFunc)},
		{"formatdate", date, "A time of RFC 3339 in another form, such as \"YYYY-MM-DD\".", stdlib.FormatDateFunc},
		{"formatlist", textual, "A list of strings, one for each set of elements put into a format.", noSecrets(stdlib.FormatListFunc)},
		{"indent", textual, "The string with spaces added before every line but the first.", stdlib.IndentFunc},
		{"join", textual, "One string of all elements, separated.", stdlib.JoinFunc},
		{"lower", textual, "The string in lower case.", stdlib.LowerFunc},
		{"regex", textual, "The first match of a regular expression: a string, a list of groups, or an object of named groups. No match is an error.", stdlib.RegexFunc},
		{"regexall", textual, "All matches of a regular expression, as a list.", stdlib.RegexAllFunc},
		{"regexreplace", textual, "The string with every match of a regular expression replaced; $1 stands for a group.", stdlib.RegexReplaceFunc},
		{"replace", textual, "The string with every occurrence of a part replaced. A part between slashes, \"/x+/\", is a regular expression.", replaceFunc},
		{"split", textual, "The list of the parts between separators.", stdlib.SplitFunc},
		{"startswith", textual, "Whether the string starts with prefix.", testFn(func(a []string) bool { return strings.HasPrefix(a[0], a[1]) }, "string", "prefix")},
		{"strcontains", textual, "Whether the string contains part.", testFn(func(a []string) bool { return strings.Contains(a[0], a[1]) }, "string", "part")},
		{"strlen", textual, "The number of characters of the string.", stdlib.StrlenFunc},
		{"strrev", textual, "The string in reverse.", stdlib.ReverseFunc},
		{"substr", textual, "A part of the string, from an offset (negative: from the end) and of a length (-1: all the rest).", stdlib.SubstrFunc},
		{"timeadd", date, "A time of RFC 3339, later by a duration such as \"90m\".", stdlib.TimeAddFunc},
		{"title", textual, "The string with the first letter of each word in upper case.", stdlib.TitleFunc},
		{"trim", textual, "The string without the given characters at both ends.", stdlib.TrimFunc},
		{"trimprefix", textual, "The string without prefix.", stdlib.TrimPrefixFunc},
		{"trimspace", textual, "The string without white space at both ends.", stdlib.TrimSpaceFunc},
		{"trimsuffix", textual, "The string without suffix.", stdlib.TrimSuffixFunc},
		{"upper", textual, "The string in upper case.", stdlib.UpperFunc},
		{"versioncompare", textual, "-1, 0 or 1, as version a is older than, equal to or newer than b; numbers in versions count as numbers: \"4.10\" is newer than \"4.9\".", versionFunc},
	}
}

// replaceFunc chooses between a literal part and a regular expression by the
// slashes around it.
var replaceFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "string", Type: cty.String}, {Name: "part", Type: cty.String}, {Name: "replacement", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		part := args[1].AsString()
		if len(part) > 2 && strings.HasPrefix(part, "/") && strings.HasSuffix(part, "/") {
			return stdlib.RegexReplace(args[0], cty.StringVal(part[1:len(part)-1]), args[2])
		}
		return stdlib.Replace(args[0], args[1], args[2])
	},
})

var versionFunc = stringsFn(cty.Number, func(a []string) (cty.Value, error) {
	for _, v := range a {
		if v == "" {
			return cty.NilVal, fmt.Errorf("an empty string is no version")
		}
	}
	n := natural(strings.TrimPrefix(a[0], "v"), strings.TrimPrefix(a[1], "v"))
	return cty.NumberIntVal(int64(max(-1, min(1, n)))), nil
}, "a", "b")
