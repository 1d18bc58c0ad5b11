package sql

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// readArray reads an array as the server writes it: {1,NULL,"a \"b\""}, nested
// for more dimensions, with bounds before it where those do not begin at 1.
func readArray(written string, of scalar) (cty.Value, error) {
	if strings.HasPrefix(written, "[") {
		_, written, _ = strings.Cut(written, "=")
	}
	a := &arrayReader{rest: written, of: of}
	v, err := a.list()
	if err == nil && a.rest != "" {
		err = fmt.Errorf("%q is no array", written)
	}
	return v, err
}

type arrayReader struct {
	rest string
	of   scalar
}

func (a *arrayReader) take(token string) bool {
	rest, ok := strings.CutPrefix(a.rest, token)
	a.rest = rest
	return ok
}

func (a *arrayReader) list() (cty.Value, error) {
	if !a.take("{") {
		return cty.NilVal, fmt.Errorf("an array begins with a brace, not with %.20q", a.rest)
	}
	var items []cty.Value
	if a.take("}") {
		return listOf(nil, a.of.cty()), nil
	}
	for {
		item, err := a.item()
		if err != nil {
			return cty.NilVal, err
		}
		items = append(items, item)
		if a.take("}") {
			return listOf(items, a.of.cty()), nil
		}
		if !a.take(",") {
			return cty.NilVal, fmt.Errorf("an array goes on with a comma, not with %.20q", a.rest)
		}
	}
}

func (a *arrayReader) item() (cty.Value, error) {
	switch {
	case strings.HasPrefix(a.rest, "{"):
		return a.list()
	case a.take(`"`):
		item, err := a.quoted()
		if err != nil {
			return cty.NilVal, err
		}
		return a.of.value(item)
	}
	end := strings.IndexAny(a.rest, ",}")
	if end < 0 {
		return cty.NilVal, fmt.Errorf("an array ends with a brace")
	}
	item := a.rest[:end]
	a.rest = a.rest[end:]
	if item == "NULL" {
		return cty.NullVal(a.of.cty()), nil
	}
	return a.of.value(item)
}

func (a *arrayReader) quoted() (string, error) {
	var b strings.Builder
	for i := 0; i < len(a.rest); i++ {
		switch a.rest[i] {
		case '\\':
			if i++; i < len(a.rest) {
				b.WriteByte(a.rest[i])
			}
		case '"':
			a.rest = a.rest[i+1:]
			return b.String(), nil
		default:
			b.WriteByte(a.rest[i])
		}
	}
	return "", fmt.Errorf("a quote is open in an array")
}
