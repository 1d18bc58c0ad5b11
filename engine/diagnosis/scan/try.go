package scan

import "bytes"

// try gives the current line to a pattern, which has a word of its own at
// position at; or the piece of the line that at is in.
func (sc *scanner) try(pattern, at int) {
	if sc.matched[pattern] == sc.line {
		return
	}
	if sc.inside && sc.start == sc.from || sc.end-sc.start > sc.sizes.piece {
		sc.tryPieces(pattern, at)
		return
	}
	if sc.tried[pattern] == sc.line {
		return
	}
	sc.tried[pattern] = sc.line
	line := unwrap(sc.buf[sc.start:sc.end])
	if sc.give(pattern, line, sc.line) {
		return
	}
	if before, ok := sc.lineBefore(); ok && sc.matched[pattern] != sc.line-1 {
		sc.pair(pattern, before, line, sc.line-1)
	}
	if after, ok := sc.lineAfter(); ok && !sc.over && !sc.patterns[pattern].Regexp.Match(after.text) {
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
		if at < to && sc.give(pattern, unwrap(sc.buf[from:to]), sc.line) {
			return
		}
	}
}

// give tells the hit if the pattern matches the entry.
func (sc *scanner) give(pattern int, e entry, number int) bool {
	at := sc.patterns[pattern].Regexp.FindSubmatchIndex(e.text)
	if at == nil {
		return false
	}
	sc.matched[pattern] = number
	sc.tell(pattern, e, at, number)
	return true
}

// pair gives two lines that may have been one to a pattern that matches neither.
func (sc *scanner) pair(pattern int, a, b entry, number int) {
	if sc.paired[pattern] == number || !sc.sizes.wrapped(a, b) {
		return
	}
	sc.paired[pattern] = number
	a.text = join(a, b)
	if at := sc.patterns[pattern].Regexp.FindSubmatchIndex(a.text); at != nil {
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
