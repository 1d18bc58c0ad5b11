package bundle

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// largestTape bounds the answers of the site that a bundle keeps.
const largestTape = 64 << 20

// Answer keeps an answer of the site, anything that marshals into a JSON object,
// for checks that are run on the bundle: without secrets, in the order of coming.
func (s *Spool) Answer(entry any) {
	counts := map[string]int{}
	text, err := s.cleaner.json(entry, counts)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil && s.answers.size+int64(len(text)) > largestTape:
		if !s.full {
			s.full = true
			s.gaps = append(s.gaps, evidence.Gap{What: "answers of the site", Reason: fmt.Sprintf("those behind the first %d MiB are left out", largestTape>>20)})
		}
		return
	case err == nil:
		err = s.answers.add(text)
	}
	s.add(counts)
	if err != nil {
		s.err = cmp.Or(s.err, fmt.Errorf("an answer of the site: %w", err))
	}
}

// json gives v as JSON, whose strings are without secrets.
func (c cleaner) json(v any, counts map[string]int) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(text)))
	d.UseNumber()
	var tree any
	if err := d.Decode(&tree); err != nil {
		return nil, err
	}
	return json.Marshal(c.tree(tree, counts))
}

func (c cleaner) tree(v any, counts map[string]int) any {
	switch v := v.(type) {
	case string:
		return c.text(v, counts)
	case []any:
		for n := range v {
			v[n] = c.tree(v[n], counts)
		}
	case map[string]any:
		for key := range v {
			v[key] = c.tree(v[key], counts)
		}
	}
	return v
}

// ErrNoAnswers says that a bundle was made without noting what the site answers.
var ErrNoAnswers = errors.New("the bundle has no answers of the site: it serves for diagnosis alone")

// Answers gives what Answer has kept, JSON on each line: the tape.
func (b *Bundle) Answers() (io.Reader, error) {
	m, ok := b.members[tapeFile]
	if !ok || m.size == 0 {
		return nil, ErrNoAnswers
	}
	if m.whole < m.size || m.size > largestTape {
		return nil, errors.New("the bundle's answers of the site are not whole")
	}
	return b.open(m), nil
}
