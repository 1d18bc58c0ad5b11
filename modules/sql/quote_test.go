package sql

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestQuotesNamesAndTexts(t *testing.T) {
	require.Equal(t, `"a"`, ident("a"))
	require.Equal(t, `"we""ird Name"`, ident(`we"ird Name`))
	require.Equal(t, `'it''s'`, literal("it's"))
	require.Equal(t, ` E'a\\b''c'`, literal(`a\b'c`))
	require.Equal(t, `'a', 'b'`, literals([]string{"a", "b"}))
}

func TestSingleStatement(t *testing.T) {
	for in, out := range map[string]string{
		"select 1":                    "select 1",
		"select 1;":                   "select 1",
		" select ';' ; -- done;\n":    " select ';' ",
		"select $$a;b$$, $x$;$$;$x$;": "select $$a;b$$, $x$;$$;$x$",
		`select E'\';', 'a\'`:         `select E'\';', 'a\'`,
		`select ";"`:                  `select ";"`,
		"/* ; /* ; */ ; */ select 1":  "/* ; /* ; */ ; */ select 1",
		"select 'x''; y'":             "select 'x''; y'",
		"select a$b$ from c$b$":       "select a$b$ from c$b$",
	} {
		got, err := single(in)
		require.NoError(t, err, in)
		require.Equal(t, out, got)
	}
	for in, text := range map[string]string{
		"":                           "no statement",
		" -- nothing":                "no statement",
		";select 1":                  "no statement before the semicolon",
		"select 1;\n drop table t":   "second statement, at line 2, column 2",
		"select 1 \\! rm -rf /":      `\! at line 1, column 10 is a command of the psql shell`,
		"select 'a\\'; drop table t": "second statement",
	} {
		_, err := single(in)
		require.ErrorContains(t, err, text, in)
	}
}
