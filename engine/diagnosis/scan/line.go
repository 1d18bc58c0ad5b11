package scan

import (
	"bytes"
	"encoding/json"
	"time"
)

// entry is a line without what a log keeper has put around it.
type entry struct {
	text   []byte
	time   time.Time // the log keeper's, or zero
	stream string
}

// shortestBroken is the least length of a line that was broken. A terminal has
// 80 columns or more, and breaks up to a word before its end.
const shortestBroken = 40

// unwrap takes the carriage return from a line, and one of these:
//
//   - the prefix of the Container Runtime Interface's files, "TIME stderr F ";
//   - the JSON that Docker's json-file driver writes, {"log":"…\n","stream":…}.
func unwrap(line []byte) entry {
	line = withoutEnd(line)
	if bytes.HasPrefix(line, []byte(`{"log":"`)) {
		var d struct {
			Log, Stream string
			Time        time.Time
		}
		if json.Unmarshal(line, &d) == nil {
			return entry{bytes.TrimRight([]byte(d.Log), "\r\n"), d.Time, d.Stream}
		}
	}
	if e, ok := unwrapCRI(line); ok {
		return e
	}
	return entry{text: line}
}

func withoutEnd(line []byte) []byte {
	return bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
}

func unwrapCRI(line []byte) (entry, bool) {
	if len(line) == 0 || !isDigit(line[0]) {
		return entry{}, false
	}
	stamp, rest, ok := bytes.Cut(line[:min(len(line), 64)], []byte(" std"))
	rest = line[min(len(line), len(stamp)+len(" std")):]
	if !ok || len(stamp) < len("2006-01-02T15:04:05Z") || len(stamp) > len("2006-01-02T15:04:05.999999999+08:00") {
		return entry{}, false
	}
	if len(rest) < 6 || rest[3] != ' ' || rest[4] != 'F' && rest[4] != 'P' || rest[5] != ' ' {
		return entry{}, false
	}
	t, _, ok := isoStamp(stamp)
	return entry{rest[6:], t, string(rest[:3])}, ok
}

// stamp is the time of the entry: the log keeper's before its own, for it has a
// zone and a year.
func (e entry) stamp(now time.Time) time.Time {
	if !e.time.IsZero() {
		return e.time
	}
	return stampOf(e.text, now)
}

// wrapped reports whether b can be the rest of a: a is as long as a line that
// was broken, and b begins nothing of its own.
func (s sizes) wrapped(a, b entry) bool {
	if len(a.text) < shortestBroken || len(a.text)+len(b.text) > s.broken || len(b.text) == 0 || a.stream != b.stream {
		return false
	}
	return stampOf(b.text, time.Time{}).IsZero() && !beginsMessage(b.text)
}

// beginsMessage knows "FATAL:  ", "P00   INFO: " and the like.
func beginsMessage(text []byte) bool {
	colon := bytes.IndexByte(text[:min(len(text), 24)], ':')
	if colon < 3 {
		return false
	}
	for _, c := range text[:colon] {
		if (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != ' ' && c != '\t' {
			return false
		}
	}
	return true
}

// join makes one line of two.
func join(a, b entry) []byte {
	text := make([]byte, 0, len(a.text)+1+len(b.text))
	text = append(text, bytes.TrimRight(a.text, " \t")...)
	text = append(text, ' ')
	return append(text, bytes.TrimLeft(b.text, " \t")...)
}
