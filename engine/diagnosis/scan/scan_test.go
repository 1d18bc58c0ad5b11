package scan

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func set(expressions ...string) *Set {
	patterns := make([]Pattern, len(expressions))
	for n, e := range expressions {
		patterns[n] = Pattern{regexp.MustCompile(e)}
	}
	return New(patterns)
}

// told is what a Scan tells, one hit a line.
func told(t testing.TB, s *Set, text io.Reader) []string {
	t.Helper()
	var all []string
	_, err := s.Scan(text, func(h Hit) bool {
		all = append(all, fmt.Sprintf("%d:%d %s", h.Number, h.Pattern, h.Line))
		return true
	})
	require.NoError(t, err)
	return all
}

func TestLinesAreFoundWithNumberGroupsAndTime(t *testing.T) {
	s := set(`could\s+not\s+access\s+file\s+\\?["“](?P<library>pgaudit[^"”]*)`, `no\s+space\s+left`)
	log := "2020-03-05 05:52:02.001 UTC [9] LOG:  starting\r\n" +
		"2020-03-05 05:52:03.096 UTC [9] FATAL:  could not access file \"pgaudit.so\": No such file\r\n" +
		"last line without end"
	var hits []Hit
	stats, err := s.Scan(iotest.OneByteReader(strings.NewReader(log)), func(h Hit) bool {
		h.Line = bytes.Clone(h.Line)
		hits = append(hits, h)
		return true
	})
	require.NoError(t, err)
	require.Equal(t, Stats{Bytes: int64(len(log)), Lines: 3, Hits: 1}, stats)
	require.Len(t, hits, 1)
	require.Equal(t, 2, hits[0].Number)
	require.Equal(t, map[string]string{"library": "pgaudit.so"}, hits[0].Groups)
	require.Equal(t, "2020-03-05T05:52:03.096Z", hits[0].Time.Format(time.RFC3339Nano))
	require.True(t, bytes.HasSuffix(hits[0].Line, []byte("No such file")))
	require.Empty(t, s.Slow())
}

func TestMessagesBrokenAtWhiteSpaceAreFound(t *testing.T) {
	s := set(`could\s+not\s+access\s+file\s+"(?P<library>[^"]+)"`)
	first := "2020-03-05 05:52:03.096 UTC [9] FATAL:  could not access"
	require.Equal(t, []string{"2:0 " + first + ` file "pgaudit.so": x`},
		told(t, s, strings.NewReader("quiet\n"+first+" \n  file \"pgaudit.so\": x\nquiet\n")))
	require.Equal(t, []string{"1:0 " + first + ` file "pgaudit.so"`}, told(t, s, strings.NewReader(first+"\r\nfile \"pgaudit.so\"")))
	for _, other := range []string{
		first + "\n2020-03-05 05:52:03.097 UTC [9] LOG: file \"x\"\n",
		first + "\nHINT:  file \"x\"\n",
		"FATAL: could not access\nfile \"x\"\n",
		first + "\n\nfile \"x\"\n",
	} {
		require.Empty(t, told(t, s, strings.NewReader(other)), other)
	}
}

func TestWhatLogKeepersPutAroundLinesIsTakenOff(t *testing.T) {
	s := set(`^FATAL:\s+could\s+not\s+access\s+file\s+"(?P<library>[^"]+)"`)
	var times []time.Time
	for _, line := range []string{
		`2026-03-05T05:52:03.096123456Z stderr F FATAL:  could not access file "x"`,
		`2026-03-05T13:52:03.096123456+08:00 stdout F FATAL:  could not access file "x"`,
		`{"log":"FATAL:\tcould not access file \"x\"\n","stream":"stderr","time":"2026-03-05T05:52:03.096123456Z"}`,
	} {
		_, err := s.Scan(strings.NewReader(line), func(h Hit) bool {
			require.Equal(t, "x", h.Groups["library"])
			times = append(times, h.Time)
			return true
		})
		require.NoError(t, err)
	}
	require.Len(t, times, 3)
	for _, at := range times {
		require.Equal(t, "2026-03-05T05:52:03.096123456Z", at.UTC().Format(time.RFC3339Nano))
	}
}

func TestOddTextDoesNoHarm(t *testing.T) {
	s := set(`disk\s+full`, `密码认证失败`)
	for name, text := range map[string]string{
		"binary":       "\x00\x01\xff\xfe\x80disk full\x00\xff\n",
		"utf-16 le":    "\xff\xfed\x00i\x00s\x00k\x00 \x00f\x00u\x00l\x00l\x00\n\x00",
		"utf-16 be":    "\xfe\xff\x00d\x00i\x00s\x00k\x00 \x00f\x00u\x00l\x00l",
		"utf-8 mark":   "\xef\xbb\xbfdisk full",
		"carriage":     "disk full\r\n",
		"two blanks":   "disk \t full",
		"chinese":      "致命错误: 用户 \"x\" 密码认证失败\n",
		"line of feed": "\n\n\ndisk full",
	} {
		require.Len(t, told(t, s, strings.NewReader(text)), 1, name)
	}
	require.Empty(t, told(t, s, strings.NewReader("")))
	require.Empty(t, told(t, s, strings.NewReader("\xff\xfe")))
}

func TestVeryLongLinesAreSearchedInPieces(t *testing.T) {
	s := set(`disk\s+full`)
	for _, before := range []int{0, usual.step() - 4, usual.piece - 4, usual.window - 5, 3*usual.window + 17} {
		for _, after := range []int{0, 100, 2 * usual.window} {
			long := strings.Repeat("x", before) + " disk full " + strings.Repeat("y", after)
			hits := told(t, s, strings.NewReader("a\n"+long+"\nb\ndisk full\n"))
			require.Len(t, hits, 2, "%d %d", before, after)
			require.True(t, strings.HasPrefix(hits[0], "2:0 "))
			require.Equal(t, "4:0 disk full", hits[1])
		}
	}
}

func TestPatternsWithoutWordsAreSlowAndWorkAllTheSame(t *testing.T) {
	s := set(`[0-9]+%`, `disk`, `a|b[0-9]`)
	require.Equal(t, []int{0, 2}, s.Slow())
	require.ElementsMatch(t, []string{"1:0 97%", "2:1 disk b7", "2:2 disk b7"}, told(t, s, strings.NewReader("97%\ndisk b7\n\n")))
}

func TestScanStopsWhenTold(t *testing.T) {
	s := set(`disk`, `[0-9]%`)
	n := 0
	_, err := s.Scan(strings.NewReader(strings.Repeat("disk 7%\n", 1000000)), func(Hit) bool { n++; return n < 3 })
	require.NoError(t, err)
	require.Equal(t, 3, n)
}

func TestWhatCameBeforeAnErrorIsSearched(t *testing.T) {
	s := set(`disk`)
	n := 0
	_, err := s.Scan(io.MultiReader(strings.NewReader("disk\ndi"), iotest.ErrReader(io.ErrUnexpectedEOF)), func(Hit) bool { n++; return true })
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Equal(t, 1, n)
}

func TestASetServesMany(t *testing.T) {
	s := set(`disk\s+full`, `oom`)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			n := 0
			_, err := s.Scan(strings.NewReader(strings.Repeat("quiet\ndisk full\noom\n", 5000)), func(Hit) bool { n++; return true })
			if err != nil || n != 10000 {
				t.Errorf("%d hits, %v", n, err)
			}
		})
	}
	wg.Wait()
}

func TestCaseIsIgnoredWhereThePatternSaysSo(t *testing.T) {
	s := set(`(?i)access\s+Denied`, `OOMKilled`, `(?i:oom)`)
	require.Len(t, told(t, s, strings.NewReader("ACCESS denied\noomkilled\n")), 2)
}
