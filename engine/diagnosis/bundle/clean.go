package bundle

import (
	"bytes"
	"cmp"
	"io"
	"regexp"
	"slices"

	"github.com/adbsql/antdbctl/engine/secret"
)

// span is a part of a text that is hidden. begin is where what makes it a
// secret begins: a text is never parted between begin and to.
type span struct {
	begin, from, to int
	kind            string
}

// How a stream is cut into what is cleaned together: of each part the last bytes
// are looked at again with what follows, so that nothing secret, not even a
// whole private key, falls between two parts.
const (
	partSize = 512 << 10
	holdBack = 48 << 10
	// ruleReach is how far around a trigger rules look in very long lines.
	ruleReach = 8 << 10
)

// cleaner hides secrets in texts.
type cleaner struct {
	known *secret.Redactor
}

// clean copies r to w without secrets and counts by kind what it has hidden.
func (c cleaner) clean(w io.Writer, r io.Reader, counts map[string]int) error {
	hold := max(holdBack, 2*c.known.Longest())
	buf := make([]byte, 0, max(partSize, 4*hold))
	var out []byte
	for {
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if err == nil && len(buf) < cap(buf) {
			continue
		}
		spans := c.find(buf)
		cut := len(buf)
		if err == nil {
			cut = cutAt(buf, spans, hold)
		}
		out = hide(out[:0], buf[:cut], spans, counts)
		if _, werr := w.Write(out); werr != nil {
			return werr
		}
		buf = buf[:copy(buf, buf[cut:])]
		switch err {
		case nil:
		case io.EOF:
			return nil
		default:
			return err
		}
	}
}

// text hides what is secret in s.
func (c cleaner) text(s string, counts map[string]int) string {
	spans := c.find([]byte(s))
	if len(spans) == 0 {
		return s
	}
	return string(hide(nil, []byte(s), spans, counts))
}

// cutAt is where buf can be parted: behind a line if there is one, and not
// within what spans hide.
func cutAt(buf []byte, spans []span, hold int) int {
	cut := len(buf) - hold
	if line := bytes.LastIndexByte(buf[:cut], '\n') + 1; line > 0 {
		cut = line
	}
	for n := len(spans) - 1; n >= 0; n-- {
		if s := spans[n]; s.begin < cut && cut < s.to {
			cut = s.begin
			if cut == 0 {
				return s.to
			}
		}
	}
	return cut
}

// hide appends text to out, with secret.Hidden for each span.
func hide(out, text []byte, spans []span, counts map[string]int) []byte {
	done := 0
	for _, s := range spans {
		if s.to > len(text) {
			break
		}
		out = append(out, text[done:s.from]...)
		out = append(out, secret.Hidden...)
		// Lines keep their numbers.
		out = append(out, bytes.Repeat([]byte{'\n'}, bytes.Count(text[s.from:s.to], []byte{'\n'}))...)
		counts[s.kind]++
		done = s.to
	}
	return append(out, text[done:]...)
}

// find gives what is to be hidden in text, in order and apart.
func (c cleaner) find(text []byte) []span {
	var spans []span
	for _, s := range c.known.Find(text) {
		spans = append(spans, span{s.From, s.From, s.To, "known"})
	}
	reached := map[[2]int]bool{} // rule and window
	prepared := ready()
	prepared.literals.Each(text, func(literal, at int) {
		for _, user := range prepared.users[literal] {
			switch user {
			case keyRule:
				spans = append(spans, privateKeyAt(text, at)...)
			case secretRule:
				spans = append(spans, manifestAt(text, at)...)
			default:
				from, to := around(text, at, rules[user].lines)
				if id := [2]int{user, from}; !reached[id] {
					reached[id] = true
					spans = append(spans, rules[user].find(text[:to], from)...)
				}
			}
		}
	})
	return apart(spans)
}

// apart sorts spans and joins those that overlap.
func apart(spans []span) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	joined := spans[:0]
	for _, s := range spans {
		if n := len(joined) - 1; n >= 0 && s.from < joined[n].to {
			joined[n].to = max(joined[n].to, s.to)
			joined[n].begin = min(joined[n].begin, s.begin)
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// around is the line of position at, and lines after it.
func around(text []byte, at, lines int) (from, to int) {
	from = max(0, at-ruleReach)
	from += bytes.LastIndexByte(text[from:at], '\n') + 1
	end := min(len(text), at+ruleReach)
	for to = at; ; to++ {
		next := bytes.IndexByte(text[to:end], '\n')
		if next < 0 {
			return from, end
		}
		if to += next; lines == 0 {
			return from, to
		}
		lines--
	}
}

// find gives what the rule hides in text behind from.
func (r *rule) find(text []byte, from int) []span {
	var spans []span
	for _, m := range r.re.FindAllSubmatchIndex(text[from:], -1) {
		groups := m[2:]
		if len(groups) == 0 {
			groups = m
		}
		for g := 0; g < len(groups); g += 2 {
			a, b := from+groups[g], from+groups[g+1]
			if groups[g] < 0 || a == b || r.keep != nil && r.keep(text[a:b]) || string(text[a:b]) == secret.Hidden {
				continue
			}
			spans = append(spans, span{from + m[0], a, b, r.kind})
		}
	}
	return spans
}

var (
	keyBegin    = regexp.MustCompile(`-----BEGIN [A-Z0-9 ]*$`)
	keyEnd      = regexp.MustCompile(`-----END [A-Z0-9 ]*PRIVATE KEY-----`)
	keyMaterial = regexp.MustCompile(`^(?:.*\s)?(?:[A-Za-z0-9+/=]{16,}|(?:Proc-Type|DEK-Info|Comment):.*|[A-Za-z0-9+/]*={1,2})?\s*$`)
)

// privateKeyAt is the key that begins or ends with the mark at position at. A
// key that is not whole is hidden as far as lines look like one.
func privateKeyAt(text []byte, at int) []span {
	mark := at + len(privateKey)
	line := max(0, at-64)
	if m := keyBegin.FindIndex(text[line:at]); m != nil {
		from := line + m[0]
		end := min(len(text), mark+holdBack/2)
		if m := keyEnd.FindIndex(text[mark:end]); m != nil {
			return []span{{from, from, mark + m[1], "private key"}}
		}
		return []span{{from, from, materialAfter(text, mark), "private key"}}
	}
	// The end of a key: its beginning was cut off, or the whole is found there.
	from := materialBefore(text, bytes.LastIndexByte(text[:at], '\n')+1)
	if bytes.Contains(text[max(0, from-100):mark], []byte("-----BEGIN")) {
		return nil
	}
	return []span{{from, from, mark, "private key"}}
}

func materialAfter(text []byte, i int) int {
	first := true
	for i < len(text) {
		end := len(text)
		if n := bytes.IndexByte(text[i:], '\n'); n >= 0 {
			end = i + n
		}
		if !first && !keyMaterial.Match(text[i:end]) {
			return i
		}
		first = false
		i = min(end+1, len(text))
	}
	return i
}

func materialBefore(text []byte, i int) int {
	for i > 0 {
		start := bytes.LastIndexByte(text[:i-1], '\n') + 1
		if i-start < 2 || !keyMaterial.Match(text[start:i-1]) {
			return i
		}
		i = start
	}
	return i
}

var (
	manifestEnd  = regexp.MustCompile(`(?m)^---`)
	manifestData = regexp.MustCompile(`(?m)^([ \t]*)(?:data|stringData):[ \t]*\r?$`)
	manifestItem = regexp.MustCompile(`^([ \t]+)["']?[\w.-]+["']?:[ \t]+(\S.*?)[ \t\r]*$`)
)

// manifestAt hides the values of the Secret whose YAML has its kind at position
// at.
func manifestAt(text []byte, at int) []span {
	from, to := max(0, at-ruleReach), min(len(text), at+ruleReach)
	if all := manifestEnd.FindAllIndex(text[from:at], -1); all != nil {
		from += all[len(all)-1][1]
	}
	if m := manifestEnd.FindIndex(text[at:to]); m != nil {
		to = at + m[0]
	}
	var spans []span
	for _, m := range manifestData.FindAllSubmatchIndex(text[from:to], -1) {
		indent := m[3] - m[2]
		for i := from + m[1] + 1; i < to; {
			end := to
			if n := bytes.IndexByte(text[i:to], '\n'); n >= 0 {
				end = i + n
			}
			item := manifestItem.FindSubmatchIndex(text[i:end])
			if item == nil || item[3]-item[2] <= indent {
				break
			}
			spans = append(spans, span{from + m[0], i + item[4], i + item[5], "secret"})
			i = end + 1
		}
	}
	return spans
}
