package sql

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// dateStyle is how sessions of ours have the server write dates.
const dateStyle = "ISO"

// scalar is what the text of a value means to a runbook.
type scalar int

const (
	aText scalar = iota
	aNumber
	aBool
	aJSON
	anInstant // a moment with its zone
	aMoment   // a date and a time of day
)

// kind is the type of a column.
type kind struct {
	of    scalar
	array bool
}

// types are those of which more is known than that they print as text. Their
// numbers in pg_type never change. An array of any other type is text as well.
var types = []struct {
	name       string
	oid, array uint32
	of         scalar
}{
	{"boolean", 16, 1000, aBool},
	{"smallint", 21, 1005, aNumber}, {"integer", 23, 1007, aNumber}, {"bigint", 20, 1016, aNumber}, {"oid", 26, 1028, aNumber},
	{"real", 700, 1021, aNumber}, {"double precision", 701, 1022, aNumber}, {"numeric", 1700, 1231, aNumber},
	{"json", 114, 199, aJSON}, {"jsonb", 3802, 3807, aJSON},
	{"timestamp with time zone", 1184, 1185, anInstant}, {"timestamp without time zone", 1114, 1115, aMoment},
	{"text", 25, 1009, aText}, {"character varying", 1043, 1015, aText}, {"character", 1042, 1014, aText}, {"name", 19, 1003, aText},
	{`"char"`, 18, 1002, aText}, {"uuid", 2950, 2951, aText}, {"inet", 869, 1041, aText}, {"cidr", 650, 651, aText},
	{"date", 1082, 1182, aText}, {"time without time zone", 1083, 1183, aText}, {"interval", 1186, 1187, aText},
	{"bytea", 17, 1001, aText}, {"aclitem", 1033, 1034, aText}, {"pg_lsn", 3220, 3221, aText}, {"regclass", 2205, 2210, aText},
}

var precision = regexp.MustCompile(`\([^)]*\)`)

// kindOfName reads a type as format_type writes it: "numeric(10,2)[]".
func kindOfName(name string) kind {
	name, array := strings.CutSuffix(precision.ReplaceAllString(name, ""), "[]")
	for _, t := range types {
		if t.name == name {
			return kind{t.of, array}
		}
	}
	return kind{}
}

// kindOfOID does the same by the number of the type.
func kindOfOID(oid uint32) kind {
	for _, t := range types {
		if t.oid == oid || t.array == oid {
			return kind{t.of, t.array == oid}
		}
	}
	return kind{}
}

// cty is the type of such values, as far as it is known without one.
func (k kind) cty() cty.Type {
	if k.array {
		return cty.List(k.of.cty())
	}
	return k.of.cty()
}

func (s scalar) cty() cty.Type {
	switch s {
	case aNumber:
		return cty.Number
	case aBool:
		return cty.Bool
	case aJSON:
		return cty.DynamicPseudoType
	}
	return cty.String
}

func (k kind) value(c cell) (cty.Value, error) {
	switch {
	case c.null:
		return cty.NullVal(k.cty()), nil
	case k.array:
		return readArray(c.text, k.of)
	}
	return k.of.value(c.text)
}

func (s scalar) value(written string) (cty.Value, error) {
	switch s {
	case aBool:
		return cty.BoolVal(written == "t"), nil
	case aNumber:
		v, err := cty.ParseNumberVal(written)
		if err == nil && strings.Contains(written, "Inf") {
			err = fmt.Errorf("%s is no number here", written)
		}
		return v, err
	case aJSON:
		t, err := ctyjson.ImpliedType([]byte(written))
		if err != nil {
			return cty.NilVal, err
		}
		return ctyjson.Unmarshal([]byte(written), t)
	case anInstant:
		return cty.StringVal(rfc3339(written)), nil
	case aMoment:
		return cty.StringVal(strings.Replace(written, " ", "T", 1)), nil
	}
	return cty.StringVal(written), nil
}

// rfc3339 turns "2026-11-23 08:34:00.5+00" into what the functions of the
// runbook language take. What is no such moment (infinity, years before
// Christ) stays as it is.
func rfc3339(written string) string {
	for _, zone := range []string{"-07", "-07:00"} {
		if t, err := time.Parse("2006-01-02 15:04:05.999999"+zone, written); err == nil {
			return t.Format(time.RFC3339Nano)
		}
	}
	if t, err := time.Parse("2006-01-02 15:04:05.999999-07:00:00", written); err == nil {
		return t.UTC().Format(time.RFC3339Nano) // a zone of old, counted in seconds
	}
	return written
}
