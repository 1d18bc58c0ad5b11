package secret

import (
	"encoding/binary"
	"slices"
)

// Span is a part of a text: text[From:To].
type Span struct{ From, To int }

// breaks are what may stand inside a secret that a terminal, a mail program or
// base64 has broken into lines; "20" begins the time that CRI puts before each.
var breaks = []string{"\n", "\r\n", "\n ", "\n  ", "\n\t", "\r\n ", "\n20", `\n`}

// index finds forms of secrets by their first four bytes.
type index struct {
	forms   []string
	seen    [1 << 10]uint64 // which hashes there are
	byStart map[uint32][]int
	longest int
}

func startHash(four uint32) uint32 { return four * 0x9E3779B1 >> 16 }

func newIndex(known map[string]bool) *index {
	x := &index{byStart: map[uint32][]int{}}
	for text := range known {
		x.forms = append(x.forms, encodings(text)...)
	}
	slices.Sort(x.forms)
	x.forms = slices.Compact(x.forms)
	for n, form := range x.forms {
		x.longest = max(x.longest, len(form))
		x.add(form, n)
		for k := 1; k < 4 && k < len(form); k++ {
			for _, br := range breaks {
				x.add(form[:k]+br+form[k:], n)
			}
		}
	}
	return x
}

func (x *index) add(start string, form int) {
	if len(start) < 4 {
		return
	}
	four := binary.LittleEndian.Uint32([]byte(start[:4]))
	h := startHash(four)
	x.seen[h>>6] |= 1 << (h & 63)
	if !slices.Contains(x.byStart[four], form) {
		x.byStart[four] = append(x.byStart[four], form)
	}
}

// Find gives where known secrets are in text, in order and apart from each
// other. Unlike Redact it also finds those that were broken into lines.
func (r *Redactor) Find(text []byte) []Span {
	x := r.indexed()
	if x == nil {
		return nil
	}
	var spans []Span
	for i := 0; i+4 <= len(text); i++ {
		four := binary.LittleEndian.Uint32(text[i:])
		h := startHash(four)
		if x.seen[h>>6]>>(h&63)&1 == 0 {
			continue
		}
		end := -1
		for _, form := range x.byStart[four] {
			end = max(end, endOf(x.forms[form], text, i))
		}
		switch last := len(spans) - 1; {
		case end < 0:
		case last >= 0 && i < spans[last].To:
			spans[last].To = max(spans[last].To, end)
		default:
			spans = append(spans, Span{i, end})
		}
	}
	return spans
}

// Longest is the length of the longest form that Find looks for, without line
// breaks.
func (r *Redactor) Longest() int {
	if x := r.indexed(); x != nil {
		return x.longest
	}
	return 0
}

// indexed makes the index anew when a secret has come.
func (r *Redactor) indexed() *index {
	if r == nil {
		return nil
	}
	r.mu.RLock()
	x, some := r.index, len(r.known) > 0
	r.mu.RUnlock()
	if x != nil || !some {
		return x
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.index == nil {
		r.index = newIndex(r.known)
	}
	return r.index
}

// endOf is where form ends that begins at position i of text; -1 when it is not
// there.
func endOf(form string, text []byte, i int) int {
	for k := 0; k < len(form); {
		switch {
		case i < len(text) && text[i] == form[k]:
			i++
			k++
		case k > 0:
			after := afterBreak(text, i)
			if after < 0 {
				return -1
			}
			i = after
		default:
			return -1
		}
	}
	return i
}

// afterBreak is where text goes on behind the line break at position i, if there
// is one: behind indentation, and behind the prefix of a container's log file.
func afterBreak(text []byte, i int) int {
	rest := text[i:]
	switch {
	case len(rest) > 0 && rest[0] == '\n':
		i++
	case len(rest) > 1 && (rest[0] == '\r' && rest[1] == '\n' || rest[0] == '\\' && rest[1] == 'n'):
		i += 2
	default:
		return -1
	}
	i += prefix(text[i:])
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	return i
}

// prefix is the length of "2026-03-05T05:52:03.096123456Z stderr F " at the
// beginning of text.
func prefix(text []byte) int {
	at := slices.Index(text[:min(len(text), 40)], ' ')
	if at < 20 || text[4] != '-' || text[10] != 'T' || len(text) < at+10 || string(text[at+1:at+4]) != "std" || text[at+9] != ' ' {
		return 0
	}
	return at + 10
}
