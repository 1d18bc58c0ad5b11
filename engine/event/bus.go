package event

import (
	"reflect"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Bus hands every event to all sinks, numbered, in one order, with every known
// secret taken out before any sink sees it. It is safe for concurrent use.
type Bus struct {
	run      string
	clock    func() time.Time
	redactor *secret.Redactor

	mu    sync.Mutex
	seq   uint64
	sinks []Sink
}

// NewBus makes the bus of one run. redactor may learn secrets while it runs.
func NewBus(run string, clock func() time.Time, redactor *secret.Redactor, sinks ...Sink) *Bus {
	return &Bus{run: run, clock: clock, redactor: redactor, sinks: sinks}
}

// Emit sends e to every sink.
func (b *Bus) Emit(e Event) {
	e = b.Redact(e)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.seq++
	env := Envelope{Time: b.clock(), Seq: b.seq, Run: b.run, Event: e}
	for _, s := range b.sinks {
		s.Emit(env)
	}
}

// Redact gives e without any known secret: what sinks get to see of it.
func (b *Bus) Redact(e Event) Event {
	if _, frequent := e.(StepProgress); frequent {
		return e // numbers, and an address that was redacted when the step started
	}
	return b.clean(reflect.ValueOf(e)).Interface().(Event)
}

// clean gives a deep copy of v with every string redacted. Events are plain
// data: structs, slices, maps, strings, numbers.
func (b *Bus) clean(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.String:
		return reflect.ValueOf(b.redactor.Redact(v.String())).Convert(v.Type())
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				out.Field(i).Set(b.clean(v.Field(i)))
			}
		}
		return out
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			out.Index(i).Set(b.clean(v.Index(i)))
		}
		return out
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		out := reflect.MakeMapWithSize(v.Type(), v.Len())
		for iter := v.MapRange(); iter.Next(); {
			out.SetMapIndex(b.clean(iter.Key()), b.clean(iter.Value()))
		}
		return out
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return v
		}
		if v.Kind() == reflect.Interface {
			return b.clean(v.Elem())
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(b.clean(v.Elem()))
		return out
	}
	return v
}
