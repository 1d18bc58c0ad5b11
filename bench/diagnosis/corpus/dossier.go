package corpus

import (
	"bytes"
	"io"
	"iter"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// Dossier is the evidence of the case's site, its noise included: the same at
// every call.
func (c Case) Dossier() evidence.Dossier {
	d := &dossier{taken: c.Taken, facts: c.Facts, gaps: c.Gaps, logs: c.Logs}
	if c.Busy {
		n := newNoise(c)
		d.facts = append(append([]evidence.Fact(nil), c.Facts...), n.facts()...)
		d.logs = n.mixed(c.Logs)
	}
	return d
}

type dossier struct {
	taken time.Time
	facts []evidence.Fact
	gaps  []evidence.Gap
	logs  []Text
}

func (d *dossier) Taken() time.Time     { return d.taken }
func (d *dossier) Gaps() []evidence.Gap { return d.gaps }

func (d *dossier) Facts() iter.Seq2[evidence.Fact, error] {
	return func(yield func(evidence.Fact, error) bool) {
		for _, f := range d.facts {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (d *dossier) Logs() iter.Seq2[evidence.Log, error] {
	return func(yield func(evidence.Log, error) bool) {
		for _, text := range d.logs {
			log := text.Log
			log.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text.Content)), nil }
			if !yield(log, nil) {
				return
			}
		}
	}
}
