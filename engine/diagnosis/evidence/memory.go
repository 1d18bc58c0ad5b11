package evidence

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"
)

// InMemory is a Recorder and a Dossier that keeps everything in memory: for the
// looks of playbooks, and for tests. It redacts nothing.
type InMemory struct {
	taken time.Time
	bound int64

	mu    sync.Mutex
	facts []Fact
	logs  []Log
	gaps  []Gap
}

// NewMemory keeps bound bytes of the end of each log; with 0 it does not read
// any, so that a log that is fetched by reading it is not fetched.
func NewMemory(taken time.Time, bound int64) *InMemory { return &InMemory{taken: taken, bound: bound} }

// Look is what a playbook sees of what collect finds: the facts by kind, as
// Objects gives them, and a sentence for each gap. No log is read.
func Look(taken time.Time, collect func(Recorder) error) (facts cty.Value, gaps []string, err error) {
	m := NewMemory(taken, 0)
	if err := collect(m); err != nil {
		return cty.NilVal, nil, err
	}
	for _, gap := range m.Gaps() {
		gaps = append(gaps, gap.String())
	}
	facts, err = Objects(m.Facts())
	return facts, gaps, err
}

// Fact keeps a fact.
func (m *InMemory) Fact(name string, place Place, data any) {
	f := Fact{Kind: KindOf(data), Name: name, Place: place, Seen: m.taken, Data: data}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.facts = append(m.facts, f)
}

// Log keeps the end of a log, also of one that could not be read to its end.
func (m *InMemory) Log(log Log, text io.Reader) error {
	if m.bound <= 0 {
		return nil
	}
	kept, err := Tail(text, m.bound)
	if len(kept) > 0 {
		log.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(kept)), nil }
		m.mu.Lock()
		m.logs = append(m.logs, log)
		m.mu.Unlock()
	}
	return err
}

// Gap keeps a gap; the same one is kept once.
func (m *InMemory) Gap(what string, place Place, err error) {
	gap := Gap{What: what, Place: place, Reason: err.Error()}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !slices.Contains(m.gaps, gap) {
		m.gaps = append(m.gaps, gap)
	}
}

// Taken is when the evidence was taken.
func (m *InMemory) Taken() time.Time { return m.taken }

// Facts gives the facts by kind, place and name.
func (m *InMemory) Facts() iter.Seq2[Fact, error] {
	m.mu.Lock()
	facts := slices.Clone(m.facts)
	m.mu.Unlock()
	slices.SortStableFunc(facts, func(a, b Fact) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Place.compare(b.Place), cmp.Compare(a.Name, b.Name))
	})
	return sure(facts)
}

// Logs gives the logs by kind, place and name.
func (m *InMemory) Logs() iter.Seq2[Log, error] {
	m.mu.Lock()
	logs := slices.Clone(m.logs)
	m.mu.Unlock()
	slices.SortStableFunc(logs, func(a, b Log) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), a.Place.compare(b.Place), cmp.Compare(a.Name, b.Name))
	})
	return sure(logs)
}

// Gaps gives what could not be looked at.
func (m *InMemory) Gaps() []Gap {
	m.mu.Lock()
	gaps := slices.Clone(m.gaps)
	m.mu.Unlock()
	slices.SortStableFunc(gaps, func(a, b Gap) int {
		return cmp.Or(a.Place.compare(b.Place), cmp.Compare(a.What, b.What))
	})
	return gaps
}

func sure[T any](all []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, one := range all {
			if !yield(one, nil) {
				return
			}
		}
	}
}

func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Node, q.Node), cmp.Compare(p.Namespace, q.Namespace), cmp.Compare(p.Cluster, q.Cluster),
		cmp.Compare(p.Pod, q.Pod), cmp.Compare(p.Container, q.Container))
}

// String says the gap in a sentence.
func (g Gap) String() string {
	if g.Place == (Place{}) {
		return g.What + ": " + g.Reason
	}
	return fmt.Sprintf("%s of %s: %s", g.What, g.Place, g.Reason)
}

// Tail reads all of text and gives its last bound bytes, from the beginning of
// a line where one begins in them.
func Tail(text io.Reader, bound int64) ([]byte, error) {
	var kept []byte
	cut, chunk := false, make([]byte, 64<<10)
	for {
		n, err := text.Read(chunk)
		kept = append(kept, chunk[:n]...)
		if int64(len(kept)) > 2*bound || err != nil && int64(len(kept)) > bound {
			kept = append(kept[:0], kept[int64(len(kept))-bound:]...)
			cut = true
		}
		if err == nil {
			continue
		}
		if at := bytes.IndexByte(kept, '\n'); cut && at >= 0 && at+1 < len(kept) {
			kept = kept[at+1:]
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return kept, err
	}
}

// Objects is what expressions see of facts: an object with a list for each
// kind, dots replaced by underscores. A fact has its name, its place and the
// attributes of its kind; where the kind has a name itself, that one counts.
func Objects(facts iter.Seq2[Fact, error]) (cty.Value, error) {
	lists := map[string][]cty.Value{}
	for f, err := range facts {
		if err != nil {
			return cty.NilVal, err
		}
		object, err := f.Object()
		if err != nil {
			return cty.NilVal, err
		}
		lists[f.Kind] = append(lists[f.Kind], object)
	}
	attrs := map[string]cty.Value{}
	for _, k := range kinds {
		list := cty.ListValEmpty(objectType(k.ctype))
		if len(lists[k.name]) > 0 {
			list = cty.ListVal(lists[k.name])
		}
		attrs[strings.ReplaceAll(k.name, ".", "_")] = list
	}
	return cty.ObjectVal(attrs), nil
}

// Object is the fact for expressions: its data, with its name and place.
func (f Fact) Object() (cty.Value, error) {
	v, err := f.Value()
	if err != nil {
		return cty.NilVal, err
	}
	attrs := map[string]cty.Value{"name": cty.StringVal(f.Name), "place": f.Place.Value()}
	for name, attr := range v.AsValueMap() {
		attrs[name] = attr
	}
	return cty.ObjectVal(attrs), nil
}

// Value is the place for expressions.
func (p Place) Value() cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"node": cty.StringVal(p.Node), "namespace": cty.StringVal(p.Namespace),
		"cluster": cty.StringVal(p.Cluster), "pod": cty.StringVal(p.Pod), "container": cty.StringVal(p.Container)})
}

func objectType(kind cty.Type) cty.Type {
	attrs := map[string]cty.Type{"name": cty.String, "place": Place{}.Value().Type()}
	for name, t := range kind.AttributeTypes() {
		attrs[name] = t
	}
	return cty.Object(attrs)
}
