package diagnosis

// A stand-in, line by line, until the scanner of many patterns is there.

import (
	"bufio"
	"io"
	"regexp"
	"time"
)

type scanPattern struct{ Regexp *regexp.Regexp }
type scanHit struct {
	Pattern int
	Line    []byte
	Number  int
	Time    time.Time
}
type scanStats struct{ Bytes int64 }
type scanSet struct{ p []scanPattern }

func scanNew(p []scanPattern) *scanSet { return &scanSet{p} }

var stamp = regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d`)

func (s *scanSet) Scan(r io.Reader, hit func(h scanHit) bool) (scanStats, error) {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<24)
	var st scanStats
	n := 0
	var t time.Time
	for sc.Scan() {
		n++
		st.Bytes += int64(len(sc.Bytes()) + 1)
		if m := stamp.Find(sc.Bytes()); m != nil {
			m = append([]byte{}, m...)
			m[10] = 'T'
			t, _ = time.Parse("2006-01-02T15:04:05", string(m))
		}
		for i, p := range s.p {
			if p.Regexp.Match(sc.Bytes()) {
				if !hit(scanHit{i, sc.Bytes(), n, t}) {
					return st, nil
				}
			}
		}
	}
	return st, sc.Err()
}
