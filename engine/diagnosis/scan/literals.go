package scan

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// Literal is a text to look for. Fold ignores the case of ASCII letters.
type Literal struct {
	Text string
	Fold bool
}

// Literals looks for many texts at once. It is safe for concurrent use.
//
// It samples: when the shortest text has m bytes, every occurrence of any of
// them covers a whole group of four bytes that begins at a multiple of m-3, so
// only those groups are looked up, in a set of bits that fits into the fastest
// cache. No lookup waits for the one before, unlike in algorithms that skip by
// what they have just seen. Texts of less than four bytes are looked for one by
// one.
type Literals struct {
	texts  []Literal
	stride int
	seen   [1 << hashBits]uint8 // whether any group has the hash
	slot   []uint32             // by hash: 1 + index into groups of its first, 0 for none
	groups []group
	short  []int // texts of less than four bytes
}

// group is four bytes of a text.
type group struct {
	text, at int
	last     bool // of its hash
}

const (
	hashBits = 15
	// foldMask maps upper case onto lower case, and some other bytes onto each
	// other, which is good enough for a filter.
	foldMask = 0x20202020
	// longestStride is a bound on how many groups of a text are kept.
	longestStride = 12
)

func hash(four uint32) uint32 { return (four | foldMask) * 0x9E3779B1 >> (32 - hashBits) }

// NewLiterals prepares a search for texts, none of them empty.
func NewLiterals(texts []Literal) *Literals {
	l := &Literals{texts: texts, slot: make([]uint32, 1<<hashBits)}
	shortest := longestStride + 3
	for n, t := range texts {
		if len(t.Text) < 4 {
			l.short = append(l.short, n)
		} else {
			shortest = min(shortest, len(t.Text))
		}
	}
	l.stride = shortest - 3
	byHash := map[uint32][]group{}
	for n, t := range texts {
		if len(t.Text) < 4 {
			continue
		}
		first := rarest(t.Text, l.stride)
		for at := first; at < first+l.stride; at++ {
			h := hash(binary.LittleEndian.Uint32([]byte(t.Text[at:])))
			byHash[h] = append(byHash[h], group{text: n, at: at})
			l.seen[h] = 1
		}
	}
	for h, seen := range l.seen {
		if seen != 0 {
			l.slot[h] = uint32(len(l.groups) + 1)
			l.groups = append(l.groups, byHash[uint32(h)]...)
			l.groups[len(l.groups)-1].last = true
		}
	}
	return l
}

// Each calls found for every occurrence of every text; of those that begin with
// different bytes the order is not exact.
func (l *Literals) Each(text []byte, found func(literal, at int)) {
	for _, n := range l.short {
		l.eachShort(text, n, found)
	}
	if len(l.groups) == 0 {
		return
	}
	i := 0
	if l.stride == 1 {
		i = l.eachByte(text, found)
	}
	// Four samples at a time, so that there is one branch for all of them.
	for s := l.stride; i+3*s+4 <= len(text); i += 4 * s {
		a := hash(binary.LittleEndian.Uint32(text[i:]))
		b := hash(binary.LittleEndian.Uint32(text[i+s:]))
		c := hash(binary.LittleEndian.Uint32(text[i+2*s:]))
		d := hash(binary.LittleEndian.Uint32(text[i+3*s:]))
		if l.seen[a] != 0 || l.seen[b] != 0 || l.seen[c] != 0 || l.seen[d] != 0 {
			l.check(text, i, a, found)
			l.check(text, i+s, b, found)
			l.check(text, i+2*s, c, found)
			l.check(text, i+3*s, d, found)
		}
	}
	for ; i+4 <= len(text); i += l.stride {
		l.check(text, i, hash(binary.LittleEndian.Uint32(text[i:])), found)
	}
}

// eachByte looks up the groups at every byte, five for each load, and gives the
// position of the first that it has not.
func (l *Literals) eachByte(text []byte, found func(literal, at int)) int {
	i := 0
	for ; i+8 <= len(text); i += 5 {
		eight := binary.LittleEndian.Uint64(text[i:])
		a, b, c, d, e := hash(uint32(eight)), hash(uint32(eight>>8)), hash(uint32(eight>>16)), hash(uint32(eight>>24)), hash(uint32(eight>>32))
		if l.seen[a] != 0 || l.seen[b] != 0 || l.seen[c] != 0 || l.seen[d] != 0 || l.seen[e] != 0 {
			l.check(text, i, a, found)
			l.check(text, i+1, b, found)
			l.check(text, i+2, c, found)
			l.check(text, i+3, d, found)
			l.check(text, i+4, e, found)
		}
	}
	return i
}

// check looks at the texts that have a group of hash h, for one that has it at
// position i of text.
func (l *Literals) check(text []byte, i int, h uint32, found func(literal, at int)) {
	first := l.slot[h]
	if first == 0 {
		return
	}
	for n := int(first) - 1; ; n++ {
		g := &l.groups[n]
		t := &l.texts[g.text]
		if from := i - g.at; from >= 0 && from+len(t.Text) <= len(text) && t.is(text[from:from+len(t.Text)]) {
			found(g.text, from)
		}
		if g.last {
			return
		}
	}
}

func (l *Literals) eachShort(text []byte, n int, found func(literal, at int)) {
	t := l.texts[n]
	variants := []string{t.Text}
	if t.Fold {
		variants = cases(t.Text)
	}
	for _, v := range variants {
		for from := 0; ; {
			at := bytes.Index(text[from:], []byte(v))
			if at < 0 {
				break
			}
			found(n, from+at)
			from += at + 1
		}
	}
}

// cases gives every way to write s in upper and lower case.
func cases(s string) []string {
	all := []string{""}
	for _, c := range []byte(s) {
		var next []string
		for _, begun := range all {
			next = append(next, begun+string(rune(lower(c))))
			if c != upper(c) || c != lower(c) {
				next = append(next, begun+string(rune(upper(c))))
			}
		}
		all = next
	}
	return slices.Compact(all)
}

// is reports whether text, of the same length, is the literal.
func (t *Literal) is(text []byte) bool {
	if !t.Fold {
		return string(text) == t.Text
	}
	for i, c := range text {
		if lower(c) != lower(t.Text[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func upper(c byte) byte {
	if 'a' <= c && c <= 'z' {
		return c - ('a' - 'A')
	}
	return c
}
