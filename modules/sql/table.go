package sql

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// table is the answer to a query, as text and with just enough of types.
type table struct {
	columns []column
	rows    [][]cell
}

type column struct {
	name string
	kind cty.Type // Number, Bool, or String for all else
}

type cell struct {
	text string
	null bool
}

// get is the text of a column in the first row; "" for null and for no row.
func (t *table) get(name string) string {
	for i, c := range t.columns {
		if c.name == name && len(t.rows) > 0 {
			return t.rows[0][i].text
		}
	}
	return ""
}

// readTable reads psql's unaligned output: name and type of each column in
// head, the rows in body, every field ended by a zero byte.
func readTable(head, body, null string) (*table, error) {
	t := &table{}
	if !strings.HasSuffix(head, "\x00") {
		return t, nil // psql says in words that there are no columns
	}
	described := strings.Split(strings.TrimSuffix(head, "\x00"), "\x00")
	for i := 0; i+1 < len(described); i += 2 {
		t.columns = append(t.columns, column{described[i], kindOfName(described[i+1])})
	}
	if body == "" {
		return t, nil
	}
	fields := strings.Split(strings.TrimSuffix(body, "\x00"), "\x00")
	if len(fields)%len(t.columns) != 0 {
		return nil, fmt.Errorf("psql gave %d fields for %d columns", len(fields), len(t.columns))
	}
	for len(fields) > 0 {
		row := make([]cell, len(t.columns))
		for i := range row {
			row[i] = cell{text: fields[i], null: fields[i] == null}
			if row[i].null {
				row[i].text = ""
			}
		}
		t.rows, fields = append(t.rows, row), fields[len(row):]
	}
	return t, nil
}

// kindOfName reads a type as format_type writes it: "numeric(10,2)".
func kindOfName(name string) cty.Type {
	name, _, _ = strings.Cut(name, "(")
	switch name {
	case "smallint", "integer", "bigint", "oid", "real", "double precision", "numeric":
		return cty.Number
	case "boolean":
		return cty.Bool
	}
	return cty.String
}

// kindOfOID does the same by the numbers of pg_type, which never change.
func kindOfOID(oid uint32) cty.Type {
	switch oid {
	case 20, 21, 23, 26, 700, 701, 1700:
		return cty.Number
	case 16:
		return cty.Bool
	}
	return cty.String
}

// value gives the rows as a list of objects.
func (t *table) value() (cty.Value, error) {
	kinds, attrs := t.kinds(), map[string]cty.Type{}
	for i, c := range t.columns {
		if _, twice := attrs[c.name]; twice {
			return cty.NilVal, fmt.Errorf("two columns of the result are called %q: name them apart with AS", c.name)
		}
		attrs[c.name] = kinds[i]
	}
	if len(t.rows) == 0 {
		return cty.ListValEmpty(cty.Object(attrs)), nil
	}
	rows := make([]cty.Value, len(t.rows))
	for r, row := range t.rows {
		fields := map[string]cty.Value{}
		for i, c := range t.columns {
			fields[c.name] = row[i].value(kinds[i])
		}
		rows[r] = cty.ObjectVal(fields)
	}
	return cty.ListVal(rows), nil
}

// kinds are the columns' types, where a column that holds NaN or Infinity is
// text: no number of the runbook language says that.
func (t *table) kinds() []cty.Type {
	kinds := make([]cty.Type, len(t.columns))
	for i, c := range t.columns {
		kinds[i] = c.kind
		for _, row := range t.rows {
			if kinds[i] == cty.Number && !row[i].null {
				if _, err := cty.ParseNumberVal(row[i].text); err != nil || strings.Contains(row[i].text, "Inf") {
					kinds[i] = cty.String
				}
			}
		}
	}
	return kinds
}

func (c cell) value(kind cty.Type) cty.Value {
	switch {
	case c.null:
		return cty.NullVal(kind)
	case kind == cty.Bool:
		return cty.BoolVal(c.text == "t")
	case kind == cty.Number:
		return cty.MustParseNumberVal(c.text) // kinds has tried it
	}
	return cty.StringVal(c.text)
}
