package bundle

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"regexp"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/secret"
)

// longestFact bounds a line of facts.
const longestFact = 4 << 20

// factLines gives the lines of r; of one that is too long its beginning, which
// is no JSON. What could not be read ends them.
func factLines(r io.Reader) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		b := bufio.NewReaderSize(r, 64<<10)
		var line []byte
		for {
			part, err := b.ReadSlice('\n')
			if len(line) < longestFact {
				line = append(line, part...)
			}
			if errors.Is(err, bufio.ErrBufferFull) {
				continue
			}
			if len(line) > 1 && !yield(line) || err != nil {
				return
			}
			line = line[:0]
		}
	}
}

func readFact(text []byte) (evidence.Fact, error) {
	var l line
	if err := json.Unmarshal(text, &l); err != nil {
		return evidence.Fact{}, fmt.Errorf("a fact: %w", err)
	}
	data, err := evidence.UnmarshalData(l.Kind, l.Data)
	if err != nil {
		return evidence.Fact{}, err
	}
	return evidence.Fact{Kind: l.Kind, Name: l.Name, Place: l.Place, Seen: l.Seen, Data: data}, nil
}

// secretKey knows the keys of maps whose values are secret.
var secretKey = regexp.MustCompile(`(?i)` + secretName + `$`)

// data gives a copy of a fact's data, a pointer to a struct, without secrets.
func (c cleaner) data(data any, counts map[string]int) any {
	made := reflect.New(reflect.TypeOf(data).Elem())
	made.Elem().Set(c.copy(reflect.ValueOf(data).Elem(), counts))
	return made.Interface()
}

func (c cleaner) copy(v reflect.Value, counts map[string]int) reflect.Value {
	made := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.String:
		made.SetString(c.text(v.String(), counts))
	case reflect.Struct:
		for n := range v.NumField() {
			made.Field(n).Set(c.copy(v.Field(n), counts))
		}
	case reflect.Slice:
		for n := range v.Len() {
			made = reflect.Append(made, c.copy(v.Index(n), counts))
		}
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		made.Set(reflect.MakeMap(v.Type()))
		for _, key := range v.MapKeys() {
			made.SetMapIndex(key, c.entry(key, v.MapIndex(key), counts))
		}
	default:
		made.Set(v)
	}
	return made
}

// entry hides the value of a key that says that it is secret.
func (c cleaner) entry(key, v reflect.Value, counts map[string]int) reflect.Value {
	if key.Kind() == reflect.String && v.Kind() == reflect.String && secretKey.MatchString(key.String()) && !harmless([]byte(v.String())) {
		counts["setting"]++
		return reflect.ValueOf(secret.Hidden).Convert(v.Type())
	}
	return c.copy(v, counts)
}
