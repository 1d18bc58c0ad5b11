package corpus

import (
	"bytes"
	"io"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// Flood gives a recorder the case's site with about size bytes of logs: those
// of its own, after a flood of what its pods write while they serve, and those
// of the rest of the site, which writes as much more as it takes.
func (c Case) Flood(rec evidence.Recorder, size int64) error {
	n := newNoise(c)
	for _, f := range append(append([]evidence.Fact(nil), c.Facts...), n.facts()...) {
		rec.Fact(f.Name, f.Place, f.Data)
	}
	usual := int64(0)
	if err := newNoise(c).logs(1, func(t Text) error { usual += int64(len(t.Content)); return nil }); err != nil {
		return err
	}
	var talk []byte // of a busy database
	density := int(size * 3 / 4 / usual)
	err := n.logs(max(1, density), func(t Text) error {
		if t.Kind == evidence.ContainerLog && talk == nil {
			talk = t.Content
		}
		return rec.Log(t.Log, bytes.NewReader(t.Content))
	})
	if err != nil {
		return err
	}
	for _, t := range c.Logs {
		before := io.LimitReader(bytes.NewReader(talk), size/4/int64(len(c.Logs)))
		if err := rec.Log(t.Log, io.MultiReader(before, strings.NewReader("\n"), bytes.NewReader(t.Content))); err != nil {
			return err
		}
	}
	return nil
}
