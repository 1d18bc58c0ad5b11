package scan

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"time"
)

// sizes are of the window on the text, of the pieces of very long lines, and of
// the longest two lines that can have been one.
type sizes struct{ window, piece, overlap, broken int }

var usual = sizes{window: 512 << 10, piece: 64 << 10, overlap: 4 << 10, broken: 32 << 10}

func (s sizes) step() int { return s.piece - s.overlap }

// scanner is one Scan.
type scanner struct {
	*Set
	hit   func(Hit) bool
	now   time.Time
	stats Stats
	over  bool // hit wants no more

	buf    []byte
	prev   int  // where the line before from begins; from when there is none
	from   int  // what comes before has been searched
	number int  // lines that end before from
	inside bool // from is in a line, where a piece of it begins
	more   bool // the line that is searched goes on behind the window

	// The line that was looked at last.
	start, end int
	line       int // its number

	// By pattern, the number of the last line that matched, that was given to
	// the expression, and that was given to it with the next one.
	matched, tried, paired []int
}

// run moves the window over the text.
func (sc *scanner) run(r io.Reader) error {
	sc.buf = make([]byte, 0, sc.sizes.window)
	for {
		n, err := r.Read(sc.buf[len(sc.buf):cap(sc.buf)])
		sc.buf = sc.buf[:len(sc.buf)+n]
		if err == nil && len(sc.buf) < cap(sc.buf) {
			continue
		}
		if err != nil {
			sc.search(len(sc.buf))
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return err
		}
		sc.advance()
		if sc.over {
			return nil
		}
	}
}

// advance searches what is complete in a full window and makes room. Lines are
// complete when the one after them is there, too, or is very long.
func (sc *scanner) advance() {
	end := bytes.LastIndexByte(sc.buf, '\n') + 1
	if before := bytes.LastIndexByte(sc.buf[:max(end-1, 0)], '\n') + 1; before > sc.from {
		end = before
	}
	if end <= sc.from { // one line fills the window
		pieces := (len(sc.buf) - sc.from - sc.sizes.overlap) / sc.sizes.step()
		sc.searchPieces(pieces)
		end = sc.from
	} else {
		sc.search(end)
	}
	keep := end
	if !sc.inside {
		keep = bytes.LastIndexByte(sc.buf[:end-1], '\n') + 1
		if end-keep > sc.sizes.broken {
			keep = end
		}
	}
	sc.from = end - keep
	sc.prev = 0
	sc.buf = sc.buf[:copy(sc.buf, sc.buf[keep:])]
}

// searchPieces searches that many pieces of a line that does not end in the
// window, and leaves from at the beginning of the next piece.
func (sc *scanner) searchPieces(pieces int) {
	to := sc.from + pieces*sc.sizes.step() + sc.sizes.overlap
	sc.start, sc.end, sc.line = sc.from, to, sc.number+1
	sc.inside, sc.more = true, true
	sc.look(sc.from, to)
	sc.more = false
	sc.from += pieces * sc.sizes.step()
}

// search searches the lines before end.
func (sc *scanner) search(end int) {
	if end > sc.from {
		sc.start, sc.end, sc.line = sc.from, sc.lineEnd(sc.from, end), sc.number+1
		sc.look(sc.from, end)
		sc.stats.Lines += bytes.Count(sc.buf[sc.from:end], []byte{'\n'})
		sc.number += bytes.Count(sc.buf[sc.from:end], []byte{'\n'})
		if sc.buf[end-1] != '\n' {
			sc.stats.Lines++
		}
	}
	sc.from, sc.inside = end, false
}

// candidate is a place where a phrase is.
type candidate struct {
	at      int  // of the phrase, or of its key
	leads   bool // a match begins at at, if there is one
	pattern int
}

// look gives what may match between from and to to the expressions.
func (sc *scanner) look(from, to int) {
	var found []candidate
	text := sc.buf[from:to]
	sc.literals.Each(text, func(literal, at int) {
		for n := range sc.uses[literal] {
			u := &sc.uses[literal][n]
			switch begin := u.phrase.near(text, at); begin {
			case nowhere:
			case unknown:
				found = append(found, candidate{from + at, false, u.pattern})
			default:
				found = append(found, candidate{from + begin, u.phrase.leads, u.pattern})
			}
		}
	})
	slices.SortStableFunc(found, func(a, b candidate) int { return a.at - b.at })
	for _, c := range found {
		if sc.over {
			return
		}
		sc.move(c.at, to)
		sc.try(c)
	}
	sc.lookSlowly(from, to)
}

// lineEnd is where the line at position at ends, with its line feed.
func (sc *scanner) lineEnd(at, to int) int {
	if n := bytes.IndexByte(sc.buf[at:to], '\n'); n >= 0 {
		return at + n + 1
	}
	return to
}

// move makes the line at position at, which is not before it, the current one.
func (sc *scanner) move(at, to int) {
	if at < sc.end {
		return
	}
	start := sc.end + bytes.LastIndexByte(sc.buf[sc.end:at], '\n') + 1
	sc.line += 1 + bytes.Count(sc.buf[sc.end:start], []byte{'\n'})
	sc.start, sc.end = start, sc.lineEnd(at, to)
}

// lookSlowly gives every line to the patterns that require no words.
func (sc *scanner) lookSlowly(from, to int) {
	if len(sc.slow) == 0 {
		return
	}
	sc.start, sc.end, sc.line = from, sc.lineEnd(from, to), sc.number+1
	for at := from; at < to && !sc.over; at = sc.end {
		sc.move(at, to)
		for _, p := range sc.slow {
			for piece := sc.start; piece < sc.end; piece += sc.sizes.step() {
				sc.try(candidate{at: piece, pattern: p})
			}
		}
	}
}
