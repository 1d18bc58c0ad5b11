package sql

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
)

// The same questions by both tongues: psql learns types by name, the wire by
// number.
func TestRowsAreTypedAlikeByBothTongues(t *testing.T) {
	s := startServer(t)
	s.sql(t, "create role typist login password 't'; create type colour as enum ('red', 'dark blue')")
	tongues := map[string]string{"psql": "", "wire": "host = \"127.0.0.1\"\nuser = \"typist\"\npassword = \"t\"\n"}
	n := cty.NumberIntVal
	values := map[string]cty.Value{
		"timestamptz '2026-11-23 08:34:00.5+00' at time zone 'UTC'": cty.StringVal("2026-11-23T08:34:00.5"),
		"timestamptz '2026-11-23 08:34:00.5+00'":                    cty.StringVal("2026-11-23T08:34:00.5Z"),
		"timestamptz 'infinity'":                                    cty.StringVal("infinity"),
		"timestamptz '0044-03-15 12:00:00+00 BC'":                   cty.StringVal("0044-03-15 12:00:00+00 BC"),
		"date '2026-02-03'":                                         cty.StringVal("2026-02-03"),
		"interval '1 day 2 hours'":                                  cty.StringVal("1 day 02:00:00"),
		`'{"a": [1, "x", null], "b": {"c": true}}'::jsonb`:          cty.ObjectVal(map[string]cty.Value{"a": cty.TupleVal([]cty.Value{n(1), cty.StringVal("x"), cty.NullVal(cty.DynamicPseudoType)}), "b": cty.ObjectVal(map[string]cty.Value{"c": cty.True})}),
		`'12345678901234567890.5'::json`:                            cty.MustParseNumberVal("12345678901234567890.5"),
		"null::jsonb":                                               cty.NullVal(cty.DynamicPseudoType),
		"null::int[]":                                               cty.NullVal(cty.List(cty.Number)),
		"null::timestamptz":                                         cty.NullVal(cty.String),
		"array[1, null, 3]::int8[]":                                 cty.ListVal([]cty.Value{n(1), cty.NullVal(cty.Number), n(3)}),
		"array[]::text[]":                                           cty.ListValEmpty(cty.String),
		"array[true, false]":                                        cty.ListVal([]cty.Value{cty.True, cty.False}),
		`array['a,b', 'c"d\e', '', 'NULL', null, '密码', ' {x} ']`:    cty.ListVal([]cty.Value{cty.StringVal("a,b"), cty.StringVal(`c"d\e`), cty.StringVal(""), cty.StringVal("NULL"), cty.NullVal(cty.String), cty.StringVal("密码"), cty.StringVal(" {x} ")}),
		"array[[1,2],[3,4]]":                                        cty.ListVal([]cty.Value{cty.ListVal([]cty.Value{n(1), n(2)}), cty.ListVal([]cty.Value{n(3), n(4)})}),
		"'[0:1]={7,8}'::int[]":                                      cty.ListVal([]cty.Value{n(7), n(8)}),
		"array[1.5, 'NaN']::numeric[]":                              cty.ListVal([]cty.Value{cty.StringVal("1.5"), cty.StringVal("NaN")}),
		"array[1.25]::numeric(10,2)[]":                              cty.ListVal([]cty.Value{cty.MustParseNumberVal("1.25")}),
		`array['{"k": 1}', '[2]']::jsonb[]`:                         cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"k": n(1)}), cty.TupleVal([]cty.Value{n(2)})}),
		"array['red', 'dark blue']::colour[]":                       cty.StringVal(`{red,"dark blue"}`),
		"'red'::colour":                                             cty.StringVal("red"),
		"1::oid":                                                    n(1),
		"'x'::varchar(3)":                                           cty.StringVal("x"),
		"true":                                                      cty.True,
		"-0.000001::numeric":                                        cty.MustParseNumberVal("-0.000001"),
		"1e300::float8":                                             cty.MustParseNumberVal("1e+300"),
		"array['2026-01-02 03:04:05+00', 'infinity']::timestamptz[]": cty.ListVal([]cty.Value{cty.StringVal("2026-01-02T03:04:05Z"), cty.StringVal("infinity")}),
	}
	var columns []string
	for expr := range values {
		columns = append(columns, expr+" as "+ident(expr[:min(60, len(expr))]))
	}
	for tongue, how := range tongues {
		_, out, err := s.step(t, queryEntry, how+"sql = <<-SQL\nselect %s\nSQL", strings.Join(columns, ", ")).Check()
		require.NoError(t, err, tongue)
		row := out.GetAttr("rows").Index(cty.Zero)
		for expr, want := range values {
			got := row.GetAttr(expr[:min(60, len(expr))])
			require.True(t, got.RawEquals(want), "%s: %s is %#v", tongue, expr, got)
		}
	}
}

func TestRowsWithJSONOfDifferentShapesAreATuple(t *testing.T) {
	answer := &table{columns: []column{{"j", kind{of: aJSON}}}, rows: [][]cell{{{text: "1"}}, {{text: `"x"`}}, {{null: true}}}}
	rows, err := answer.value()
	require.NoError(t, err)
	require.True(t, rows.Type().IsTupleType())
	require.Equal(t, 3, rows.LengthInt())
	require.True(t, rows.Index(cty.NumberIntVal(1)).GetAttr("j").RawEquals(cty.StringVal("x")))
}

func TestMomentsBecomeRFC3339(t *testing.T) {
	for in, out := range map[string]string{
		"2026-11-23 08:34:00+00":       "2026-11-23T08:34:00Z",
		"2026-11-23 08:34:00.25+08":    "2026-11-23T08:34:00.25+08:00",
		"2026-11-23 08:34:00+05:30":    "2026-11-23T08:34:00+05:30",
		"1900-01-01 00:00:00+08:05:43": "1899-12-31T15:54:17Z",
		"-infinity":                    "-infinity",
	} {
		require.Equal(t, out, rfc3339(in))
	}
}

func TestBrokenArraysAreErrors(t *testing.T) {
	for _, written := range []string{"", "1,2", "{1,2", "{1}2", `{"a`, "{1 2{", `{"a"b}`, "[1:2]"} {
		_, err := readArray(written, aText)
		require.Error(t, err, written)
	}
}
