// Package scan looks for many regular expressions in huge logs, in one pass.
//
// Most lines of a log match nothing, so the work is to say so quickly. Of each
// expression the words are known that every text it matches contains; all of
// them are looked for at once (Literals), and only a line with such a word, in
// the midst of the words that should be around it, is given to the expression.
//
// A line ends with a line feed. It is searched without the carriage return
// before it and without what a log keeper puts around it (the prefix of CRI
// files, Docker's JSON). Of a line longer than 64 KiB pieces are searched, which
// overlap by 4 KiB. A message that was broken into two lines at white space is
// found when the first is long enough to have been broken and the second begins
// with neither a time stamp nor a severity. Bytes that are no text do no harm;
// UTF-16 is read when it begins with its mark.
package scan

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"time"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// Pattern is something to look for.
type Pattern struct {
	Regexp *regexp.Regexp
}

// Hit is a line that a pattern matches. A line is told once for each pattern.
type Hit struct {
	Pattern int    // index into the patterns
	Line    []byte // what was searched; valid during the call
	Number  int    // of the line, from 1
	// Groups are the named groups that took part in the match; in a line with
	// several matches, of one of them.
	Groups map[string]string
	Time   time.Time // the line's own time stamp; zero when it has none
}

// Stats says what was looked at.
type Stats struct {
	Bytes int64
	Lines int
	Hits  int
}

// Set is patterns that are looked for together. It is safe for concurrent use.
type Set struct {
	// Taken is when the logs were taken: time stamps without a year are of the
	// last year before it. Zero is now. It is set before the first Scan.
	Taken time.Time

	patterns []Pattern
	names    [][]string // of each pattern's groups
	literals *Literals
	uses     [][]use // by literal
	slow     []int
	// leading is the expression of a pattern, to be matched from where one of its
	// phrases begins that leads; nil when none does. Where a log is full of what
	// looks like a hit, it takes a fraction of the time.
	leading []*regexp.Regexp
	sizes   sizes
}

// use is a phrase of a pattern that has the literal for its key.
type use struct {
	pattern int
	phrase  phrase
}

// New prepares a search.
func New(patterns []Pattern) *Set {
	s := &Set{patterns: patterns, sizes: usual, names: make([][]string, len(patterns)), leading: make([]*regexp.Regexp, len(patterns))}
	var literals []Literal
	known := map[Literal]int{}
	for n, p := range patterns {
		s.names[n] = p.Regexp.SubexpNames()
		phrases := required(p.Regexp.String())
		if len(phrases) == 0 {
			s.slow = append(s.slow, n)
		}
		for _, ph := range phrases {
			key := ph.words[ph.key].Literal
			at, ok := known[key]
			if !ok {
				at = len(literals)
				known[key] = at
				literals = append(literals, key)
				s.uses = append(s.uses, nil)
			}
			s.uses[at] = append(s.uses[at], use{n, ph})
		}
		if slices.ContainsFunc(phrases, func(p phrase) bool { return p.leads }) {
			s.leading[n] = regexp.MustCompile(`\A(?:` + p.Regexp.String() + `)`)
		}
	}
	s.literals = NewLiterals(literals)
	return s
}

// Slow gives the patterns that require no words, so that every line is given to
// them: each costs as much as all others together.
func (s *Set) Slow() []int { return slices.Clone(s.slow) }

// Scan looks for the patterns in all of r, until hit returns false. Hits of a
// pattern come in the order of lines. On an error, what came before it has been
// looked at.
func (s *Set) Scan(r io.Reader, hit func(Hit) bool) (Stats, error) {
	counted := &counter{r: r}
	text, err := plain(counted)
	if err != nil {
		return Stats{}, err
	}
	sc := &scanner{
		Set: s, hit: hit, now: s.Taken, matched: make([]int, len(s.patterns)), tried: make([]int, len(s.patterns)),
		paired: make([]int, len(s.patterns)),
	}
	if sc.now.IsZero() {
		sc.now = time.Now()
	}
	err = sc.run(text)
	sc.stats.Bytes = counted.n
	return sc.stats, err
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// plain turns UTF-16 into UTF-8 when a byte order mark says that it is needed,
// and takes off that of UTF-8.
func plain(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 4096)
	mark, err := b.Peek(3)
	if err != nil && !errors.Is(err, io.EOF) {
		return b, nil // the error comes again, behind what was read
	}
	switch {
	case bytes.HasPrefix(mark, []byte{0xFE, 0xFF}), bytes.HasPrefix(mark, []byte{0xFF, 0xFE}):
		return transform.NewReader(b, unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewDecoder()), nil
	case bytes.Equal(mark, []byte{0xEF, 0xBB, 0xBF}):
		_, err := b.Discard(3)
		return b, err
	}
	return b, nil
}
