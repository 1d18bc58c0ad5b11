package recovery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/adbsql/antdbctl/modules/image/history"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// StandIn replaces a RUN line, the nth of the Dockerfile counted from 0, by the
// files that its layer left, for places where the line cannot run. dir is the
// context. It gives the line as it was.
func (r *Result) StandIn(ctx context.Context, img *store.Image, dir string, nth int) (line string, err error) {
	d := r.Dockerfile
	at := -1
	for i, s := range d.Steps {
		if s.Verb == "RUN" {
			if nth--; nth < 0 {
				at = i
				break
			}
		}
	}
	if at < 0 {
		return "", errors.New("the Dockerfile has no such line")
	}
	s := d.Steps[at]
	if s.Row.Layer < 0 {
		return "", fmt.Errorf("no layer is known to be of %q", firstWords(s))
	}
	line = firstWords(s)
	p := &placer{ctx: ctx, img: img, dir: dir, claims: map[string]string{}}
	instead, err := p.whole(history.Step{Row: s.Row, Text: line}, s.Row.Layer)
	if p.root != nil {
		err = errors.Join(err, p.root.Close())
	}
	d.Steps = slices.Concat(d.Steps[:at:at], instead, d.Steps[at+1:])
	return line, err
}
