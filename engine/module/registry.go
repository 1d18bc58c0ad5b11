package module

import (
	"fmt"
	"maps"
	"slices"

	"github.com/adbsql/antdbctl/engine/schema"
)

// Entry is a module in the catalogue.
type Entry struct {
	Info
	*schema.Schema
	New func() Module
}

// Of makes the catalogue entry of the module type T.
func Of[T any, P interface {
	*T
	Module
}]() Entry {
	return Entry{Info: P(new(T)).Info(), Schema: schema.Of[T](), New: func() Module { return P(new(T)) }}
}

// Registry is a set of modules by name.
type Registry struct{ byName map[string]Entry }

// NewRegistry panics if two modules share a name: that is a bug, not an input.
func NewRegistry(entries ...Entry) *Registry {
	r := &Registry{map[string]Entry{}}
	for _, e := range entries {
		if _, dup := r.byName[e.Name]; dup {
			panic(fmt.Sprintf("module: two modules are called %q", e.Name))
		}
		r.byName[e.Name] = e
	}
	return r
}

// Lookup finds a module by name.
func (r *Registry) Lookup(name string) (Entry, bool) { e, ok := r.byName[name]; return e, ok }

// Names lists every module, sorted.
func (r *Registry) Names() []string { return slices.Sorted(maps.Keys(r.byName)) }
