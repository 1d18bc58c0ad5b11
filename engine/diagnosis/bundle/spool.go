// Package bundle keeps evidence: first in a folder, the spool, which is cleaned
// of secrets while it is written, then packed into one file.
//
// Secrets are what a Redactor knows, in whatever encoding and also where lines
// were broken, and what looks like one: passwords in URLs, settings, SQL and
// options, tokens, private keys, password verifiers, the data of Kubernetes
// Secrets.
package bundle

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/secret"
)

// What a spool keeps when its options do not say.
const (
	DefaultPerLog = 8 << 20
	DefaultTotal  = 2 << 30
)

// leastLog is how much of a log is worth keeping.
const leastLog = 64 << 10

// Options are a spool's.
type Options struct {
	Redactor *secret.Redactor // knows the secrets; may be nil
	Taken    time.Time        // when the evidence is taken; zero for now
	Folder   string           // where the spool's folder is made; empty for the system's temporary folder
	PerLog   int64            // bytes kept of the end of each log
	Total    int64            // bytes kept of all logs
	Clock    func() time.Time // when a fact is seen; nil for time.Now
}

// Spool is a Recorder on a folder of its own, for many collectors at once.
type Spool struct {
	options Options
	cleaner cleaner
	folder  string

	mu       sync.Mutex
	facts    jsonLines
	answers  jsonLines // the tape
	full     bool      // the tape has been told to be
	made     int       // files of logs
	reserved int64
	logs     []spooled
	gaps     []evidence.Gap
	redacted map[string]int
	err      error // the first failure to write facts
}

// spooled is a log in the spool.
type spooled struct {
	log  evidence.Log
	text kept
}

// NewSpool makes a spool; Close removes it.
func NewSpool(o Options) (*Spool, error) {
	o.PerLog = cmp.Or(o.PerLog, DefaultPerLog)
	o.Total = cmp.Or(o.Total, DefaultTotal)
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Taken.IsZero() {
		o.Taken = o.Clock()
	}
	folder, err := os.MkdirTemp(o.Folder, "antdbctl-evidence-") // mode 0700
	if err != nil {
		return nil, err
	}
	s := &Spool{options: o, cleaner: cleaner{o.Redactor}, folder: folder, redacted: map[string]int{}}
	if err := errors.Join(s.facts.create(folder, "facts"), s.answers.create(folder, "tape")); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Close removes the spool. What came from it cannot be read any more.
func (s *Spool) Close() error {
	return errors.Join(s.facts.close(), s.answers.close(), os.RemoveAll(s.folder))
}

// line is a fact as it is kept: JSON on one line.
type line struct {
	Kind  string          `json:"kind"`
	Name  string          `json:"name"`
	Place evidence.Place  `json:"place"`
	Seen  time.Time       `json:"seen,omitzero"`
	Data  json.RawMessage `json:"data"`
}

// Fact keeps a fact.
func (s *Spool) Fact(name string, place evidence.Place, data any) {
	counts := map[string]int{}
	f := evidence.Fact{Kind: evidence.KindOf(data), Name: s.cleaner.text(name, counts), Place: place, Seen: s.options.Clock(), Data: s.cleaner.data(data, counts)}
	text, err := f.MarshalData()
	if err == nil {
		text, err = json.Marshal(line{f.Kind, f.Name, f.Place, f.Seen, text})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(counts)
	if err == nil {
		err = s.facts.add(text)
	}
	if err != nil {
		s.err = cmp.Or(s.err, fmt.Errorf("fact %s %s: %w", f.Kind, f.Name, err))
	}
}

// add counts what was hidden; mu is held.
func (s *Spool) add(counts map[string]int) {
	for kind, n := range counts {
		s.redacted[kind] += n
	}
}

// Log keeps the end of a log, also of one that could not be read to its end. It
// reads all of text, whether it keeps it or not.
func (s *Spool) Log(log evidence.Log, text io.Reader) error {
	bound, path := s.reserve()
	if bound == 0 {
		s.Gap(log.Name, log.Place, fmt.Errorf("left out: all logs together have more than %d MiB", s.options.Total>>20))
		return nil
	}
	counts := map[string]int{}
	k, err := s.keep(path, bound, text, counts)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved -= bound - k.size
	s.add(counts)
	if k.size == 0 {
		return err
	}
	log.Name = s.cleaner.text(log.Name, s.redacted)
	log.Open = k.open
	s.logs = append(s.logs, spooled{log, k})
	return err
}

// reserve gives how much of the next log may be kept, and where; 0 for nothing.
func (s *Spool) reserve() (bound int64, path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	bound = min(s.options.PerLog, s.options.Total-s.reserved)
	if bound < min(leastLog, s.options.PerLog) {
		return 0, ""
	}
	s.reserved += bound
	s.made++
	return bound, filepath.Join(s.folder, fmt.Sprintf("log%d", s.made))
}

func (s *Spool) keep(path string, bound int64, text io.Reader, counts map[string]int) (kept, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return kept{}, err
	}
	r := &ring{file: file, bound: bound}
	err = s.cleaner.clean(r, text, counts)
	k, ferr := r.finish()
	if k.bytes == 0 {
		ferr = errors.Join(ferr, os.Remove(path))
	}
	return k, errors.Join(err, ferr)
}

// Gap keeps a gap; the same one is kept once.
func (s *Spool) Gap(what string, place evidence.Place, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gap := evidence.Gap{What: s.cleaner.text(what, s.redacted), Place: place, Reason: s.cleaner.text(err.Error(), s.redacted)}
	if !slices.Contains(s.gaps, gap) {
		s.gaps = append(s.gaps, gap)
	}
}

// Redacted says how many secrets were hidden so far, by kind.
func (s *Spool) Redacted() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.redacted)
}

// Dossier is what is in the spool, also while it is being filled.
func (s *Spool) Dossier() evidence.Dossier { return dossier{s} }

type dossier struct{ *Spool }

// Taken is when the evidence was taken.
func (d dossier) Taken() time.Time { return d.options.Taken }

// Facts gives the facts by kind, name and place.
func (d dossier) Facts() iter.Seq2[evidence.Fact, error] {
	return func(yield func(evidence.Fact, error) bool) {
		text, err := d.factLines()
		if err != nil {
			yield(evidence.Fact{}, err)
			return
		}
		for l := range text {
			f, err := readFact(l)
			if !yield(f, err) {
				return
			}
		}
	}
}

// Logs gives the logs by kind, place and name.
func (d dossier) Logs() iter.Seq2[evidence.Log, error] {
	return func(yield func(evidence.Log, error) bool) {
		for _, l := range d.sorted() {
			if !yield(l.log, nil) {
				return
			}
		}
	}
}

// Gaps gives what could not be looked at.
func (d dossier) Gaps() []evidence.Gap {
	d.mu.Lock()
	gaps := slices.Clone(d.gaps)
	if d.err != nil {
		gaps = append(gaps, evidence.Gap{What: "facts", Reason: d.err.Error()})
	}
	d.mu.Unlock()
	slices.SortStableFunc(gaps, func(a, b evidence.Gap) int {
		return cmp.Or(comparePlaces(a.Place, b.Place), cmp.Compare(a.What, b.What))
	})
	return gaps
}

func comparePlaces(a, b evidence.Place) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Cluster, b.Cluster),
		cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
}

func (s *Spool) sorted() []spooled {
	s.mu.Lock()
	logs := slices.Clone(s.logs)
	s.mu.Unlock()
	slices.SortStableFunc(logs, func(a, b spooled) int {
		return cmp.Or(cmp.Compare(a.log.Kind, b.log.Kind), comparePlaces(a.log.Place, b.log.Place), strings.Compare(a.log.Name, b.log.Name))
	})
	return logs
}

// factLines gives the lines of facts there are now, sorted, since collectors
// write them in any order.
func (s *Spool) factLines() (iter.Seq[[]byte], error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text, _, err := s.facts.text()
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for l := range factLines(text) {
		all = append(all, bytes.Clone(l))
	}
	slices.SortStableFunc(all, bytes.Compare)
	return slices.Values(all), nil
}
