package scan

import (
	"bytes"
	"regexp"
)

// try gives the current line to a pattern that has a phrase in it; or the piece
// of the line that the phrase is in.
func (sc *scanner) try(c candidate) {
	if sc.matched[c.pattern] == sc.line {
		return
	}
	if sc.inside && sc.start == sc.from || sc.end-sc.start > sc.sizes.piece {
		sc.tryPieces(c.pattern, c.at)
		return
	}
	raw := sc.buf[sc.start:sc.end]
	line := unwrap(raw)
	if c.leads && raw[0] != '{' {
		// What was taken off stands before the text, but for the line's end.
		before := len(withoutEnd(raw)) - len(line.text)
		if from := c.at - sc.start - before; from >= 0 && from <= len(line.text) {
			if sc.giveFrom(c.pattern, line, from, sc.leading[c.pattern]) {
				return
			}
			sc.tryPairs(c.pattern, line)
			return
		}
	}
	if sc.tried[c.pattern] == sc.line {
		return
	}
	sc.tried[c.pattern] = sc.line
	if !sc.give(c.pattern, line) {
		sc.tryPairs(c.pattern, line)
	}
}

// tryPairs gives the current line with the one before and the one after it to a
// pattern, where they may have been one.
func (sc *scanner) tryPairs(pattern int, line entry) {
	if before, ok := sc.lineBefore(); ok && sc.matched[pattern] != sc.line-1 {
		sc.pair(pattern, before, line, sc.line-1)
	}
	if after, ok := sc.lineAfter(); ok && !sc.over {
		sc.pair(pattern, line, after, sc.line)
	}
}

// tryPieces gives the pieces that hold position at to a pattern.
func (sc *scanner) tryPieces(pattern, at int) {
	first := max(0, (at-sc.start-sc.sizes.piece)/sc.sizes.step())
	for n := first; n*sc.sizes.step() <= at-sc.start; n++ {
		from := sc.start + n*sc.sizes.step()
		if sc.more && from+sc.sizes.piece > sc.end {
			return // the piece is in the next window
		}
		to := min(sc.end, from+sc.sizes.piece)
		if at < to && sc.give(pattern, unwrap(sc.buf[from:to])) {
			return
		}
	}
}

// give tells the hit if the pattern matches the current line, or a piece of it.
func (sc *scanner) give(pattern int, e entry) bool {
	return sc.giveFrom(pattern, e, 0, sc.patterns[pattern].Regexp)
}

// giveFrom tells the hit if the pattern's expression matches behind from.
func (sc *scanner) giveFrom(pattern int, e entry, from int, expression *regexp.Regexp) bool {
	at := expression.FindSubmatchIndex(e.text[from:])
	if at == nil {
		return false
	}
	for n := range at {
		if at[n] >= 0 {
			at[n] += from
		}
	}
	sc.matched[pattern] = sc.line
	sc.tell(pattern, e, at, sc.line)
	return true
}

// pair gives two lines that may have been one to a pattern, if it matches
// neither.
func (sc *scanner) pair(pattern int, a, b entry, number int) {
	if sc.paired[pattern] == number || !sc.sizes.wrapped(a, b) {
		return
	}
	sc.paired[pattern] = number
	expression := sc.patterns[pattern].Regexp
	if expression.Match(a.text) || expression.Match(b.text) {
		return
	}
	a.text = join(a, b)
	if at := expression.FindSubmatchIndex(a.text); at != nil {
		sc.tell(pattern, a, at, number)
	}
}

func (sc *scanner) tell(pattern int, e entry, at []int, number int) {
	h := Hit{Pattern: pattern, Line: e.text, Number: number, Time: e.stamp(sc.now)}
	for n, name := range sc.names[pattern] {
		if name == "" || at[2*n] < 0 {
			continue
		}
		if h.Groups == nil {
			h.Groups = map[string]string{}
		}
		h.Groups[name] = string(e.text[at[2*n]:at[2*n+1]])
	}
	sc.stats.Hits++
	sc.over = sc.over || !sc.hit(h)
}

// lineBefore gives the line before the current one.
func (sc *scanner) lineBefore() (entry, bool) {
	if sc.start <= sc.prev {
		return entry{}, false
	}
	from := max(sc.prev, sc.start-sc.sizes.broken)
	start := bytes.LastIndexByte(sc.buf[from:sc.start-1], '\n') + 1 + from
	if start == from && from > sc.prev {
		return entry{}, false
	}
	return unwrap(sc.buf[start:sc.start]), true
}

// lineAfter gives the line after the current one.
func (sc *scanner) lineAfter() (entry, bool) {
	if sc.end >= len(sc.buf) {
		return entry{}, false
	}
	end := sc.lineEnd(sc.end, min(len(sc.buf), sc.end+sc.sizes.broken))
	if sc.buf[end-1] != '\n' && end < len(sc.buf) {
		return entry{}, false
	}
	return unwrap(sc.buf[sc.end:end]), true
}
