package sql

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// table is the answer to a query, as text and with the types of its columns.
type table struct {
	columns []column
	rows    [][]cell
}

type column struct {
	name string
	kind kind
}

type cell struct {
	text string
	null bool
}

// get is the text of a column in the first row; "" for null and for no row.
func (t *table) get(name string) string { return t.at(0, name) }

// at is the text of a column in a row.
func (t *table) at(row int, name string) string {
	for i, c := range t.columns {
		if c.name == name && row < len(t.rows) {
			return t.rows[row][i].text
		}
	}
	return ""
}

// lookup is the text of a column in the first row; false for null.
func (t *table) lookup(name string) (string, bool) {
	for i, c := range t.columns {
		if c.name == name && len(t.rows) > 0 {
			return t.rows[0][i].text, !t.rows[0][i].null
		}
	}
	return "", false
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

// value gives the rows as a list of objects; as a tuple where JSON or arrays
// give them different types.
func (t *table) value() (cty.Value, error) {
	kinds, attrs := t.kinds(), map[string]cty.Type{}
	for i, c := range t.columns {
		if _, twice := attrs[c.name]; twice {
			return cty.NilVal, fmt.Errorf("two columns of the result are called %q: name them apart with AS", c.name)
		}
		attrs[c.name] = kinds[i].cty()
	}
	rows := make([]cty.Value, len(t.rows))
	for r, row := range t.rows {
		fields := map[string]cty.Value{}
		for i, c := range t.columns {
			v, err := kinds[i].value(row[i])
			if err != nil {
				return cty.NilVal, fmt.Errorf("column %s of row %d: %w", c.name, r+1, err)
			}
			fields[c.name] = v
		}
		rows[r] = cty.ObjectVal(fields)
	}
	return listOf(rows, cty.Object(attrs)), nil
}

// kinds are the columns' types, where a column that holds NaN or Infinity is
// text: no number of the runbook language says that.
func (t *table) kinds() []kind {
	kinds := make([]kind, len(t.columns))
	for i, c := range t.columns {
		kinds[i] = c.kind
		for _, row := range t.rows {
			if _, err := kinds[i].value(row[i]); err != nil && kinds[i].of == aNumber {
				kinds[i].of = aText
			}
		}
	}
	return kinds
}

// listOf is a list where all values have one type, else a tuple.
func listOf(values []cty.Value, of cty.Type) cty.Value {
	if len(values) == 0 {
		return cty.ListValEmpty(of)
	}
	for _, v := range values {
		if !v.Type().Equals(values[0].Type()) {
			return cty.TupleVal(values)
		}
	}
	return cty.ListVal(values)
}
