package scan

import (
	"bytes"
	"regexp"
	"strconv"
	"time"
)

// zones are the offsets, in hours, of abbreviations that servers print. CST is
// China's: the product's sites are there.
var zones = map[string]int{
	"UTC": 0, "GMT": 0, "Z": 0, "CST": 8, "HKT": 8, "SGT": 8, "JST": 9, "KST": 9, "MSK": 3,
	"CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "BST": 1, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}

var months = []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// inside finds the time that structured lines carry behind their beginning.
var inside = regexp.MustCompile(`(?:\btime="|"(?:time|ts|timestamp|@timestamp)":\s?")(\d{4}-\d\d-\d\d[T ][^"]{8,29})"`)

// stampOf reads the time stamp at the beginning of a line, zero when there is
// none. Stamps without a zone are taken for UTC; those without a year are of
// the last year in which they are not after now.
func stampOf(text []byte, now time.Time) time.Time {
	text = bytes.TrimLeft(text[:min(len(text), 512)], " \t")
	if len(text) < 15 {
		return time.Time{}
	}
	switch c := text[0]; {
	case isDigit(c):
		t, _, _ := isoStamp(text)
		return t
	case c == '[' && isDigit(text[1]):
		t, _, _ := isoStamp(text[1:])
		return t
	case c == '[':
		return kernelStamp(text[1:])
	case (c == 'I' || c == 'W' || c == 'E' || c == 'F') && isDigit(text[1]):
		return klogStamp(text, now)
	case 'A' <= c && c <= 'S':
		if t := syslogStamp(text, now); !t.IsZero() {
			return t
		}
	}
	if m := inside.FindSubmatch(text); m != nil {
		t, _, _ := isoStamp(m[1])
		return t
	}
	return time.Time{}
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// number reads the digits text[from:to]; -1 when they are none.
func number(text []byte, from, to int) int {
	if to > len(text) {
		return -1
	}
	n := 0
	for _, c := range text[from:to] {
		if !isDigit(c) {
			return -1
		}
		n = 10*n + int(c-'0')
	}
	return n
}

// isoStamp reads 2020-03-05T05:52:03.096Z and its relatives: a blank for the T,
// slashes, a comma before the fraction, a zone as offset or abbreviation.
func isoStamp(text []byte) (t time.Time, rest []byte, ok bool) {
	year, month, day := number(text, 0, 4), number(text, 5, 7), number(text, 8, 10)
	if year < 1970 || month < 1 || month > 12 || day < 1 || day > 31 || text[4] != '-' && text[4] != '/' || text[7] != text[4] {
		return t, nil, false
	}
	if len(text) < 19 || text[10] != 'T' && text[10] != ' ' {
		return t, nil, false
	}
	clock, rest, ok := clockTime(text[11:])
	if !ok {
		return t, nil, false
	}
	t = time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC).Add(clock)
	offset, rest := zone(rest)
	return t.Add(-offset), rest, true
}

// clockTime reads 05:52:03.096.
func clockTime(text []byte) (time.Duration, []byte, bool) {
	h, m, s := number(text, 0, 2), number(text, 3, 5), number(text, 6, 8)
	if h < 0 || h > 24 || m < 0 || m > 59 || s < 0 || s > 60 || text[2] != ':' || text[5] != ':' {
		return 0, nil, false
	}
	d := time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second
	rest := text[8:]
	if len(rest) > 1 && (rest[0] == '.' || rest[0] == ',') && isDigit(rest[1]) {
		unit := time.Second
		for rest = rest[1:]; len(rest) > 0 && isDigit(rest[0]); rest = rest[1:] {
			unit /= 10
			d += time.Duration(rest[0]-'0') * unit
		}
	}
	return d, rest, true
}

// zone reads Z, +08:00, +0800, " +08" or " UTC".
func zone(text []byte) (time.Duration, []byte) {
	after := bytes.TrimPrefix(text, []byte(" "))
	if len(after) >= 3 && (after[0] == '+' || after[0] == '-') {
		h, used := number(after, 1, 3), 3
		m := number(after, 3, 5)
		if len(after) >= 6 && after[3] == ':' {
			m, used = number(after, 4, 6), 6
		} else if m >= 0 {
			used = 5
		}
		if h < 0 || h > 15 {
			return 0, text
		}
		offset := time.Duration(h)*time.Hour + time.Duration(max(m, 0))*time.Minute
		if after[0] == '-' {
			offset = -offset
		}
		return offset, after[used:]
	}
	end := 0
	for end < len(after) && end < 5 && 'A' <= after[end] && after[end] <= 'Z' {
		end++
	}
	if hours, ok := zones[string(after[:end])]; ok {
		return time.Duration(hours) * time.Hour, after[end:]
	}
	return 0, text
}

// klogStamp reads I0305 05:52:03.096.
func klogStamp(text []byte, now time.Time) time.Time {
	month, day := number(text, 1, 3), number(text, 3, 5)
	if month < 1 || month > 12 || day < 1 || day > 31 || text[5] != ' ' {
		return time.Time{}
	}
	clock, _, ok := clockTime(text[6:])
	if !ok {
		return time.Time{}
	}
	return lastYear(time.Month(month), day, clock, now)
}

// syslogStamp reads "Mar  5 05:52:03".
func syslogStamp(text []byte, now time.Time) time.Time {
	month, day, rest := monthDay(text)
	if month == 0 {
		return time.Time{}
	}
	clock, _, ok := clockTime(rest)
	if !ok {
		return time.Time{}
	}
	return lastYear(month, day, clock, now)
}

// kernelStamp reads "Thu Mar  5 05:52:03 2020]", as dmesg -T prints it.
func kernelStamp(text []byte) time.Time {
	if len(text) < 25 || text[3] != ' ' {
		return time.Time{}
	}
	month, day, rest := monthDay(text[4:])
	if month == 0 {
		return time.Time{}
	}
	clock, rest, ok := clockTime(rest)
	if !ok || len(rest) < 6 || rest[0] != ' ' || rest[5] != ']' {
		return time.Time{}
	}
	year, err := strconv.Atoi(string(rest[1:5]))
	if err != nil {
		return time.Time{}
	}
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Add(clock)
}

// monthDay reads "Mar  5 "; month is 0 when it is not there.
func monthDay(text []byte) (time.Month, int, []byte) {
	if len(text) < 15 || text[3] != ' ' || text[6] != ' ' {
		return 0, 0, nil
	}
	for n, name := range months {
		if string(text[:3]) != name {
			continue
		}
		day := number(text, 4, 6)
		if text[4] == ' ' {
			day = number(text, 5, 6)
		}
		if day < 1 || day > 31 {
			return 0, 0, nil
		}
		return time.Month(n + 1), day, text[7:]
	}
	return 0, 0, nil
}

// lastYear gives a year to a date; a day of tolerance is for clocks and zones.
func lastYear(month time.Month, day int, clock time.Duration, now time.Time) time.Time {
	t := time.Date(now.Year(), month, day, 0, 0, 0, 0, time.UTC).Add(clock)
	if t.After(now.Add(24 * time.Hour)) {
		t = time.Date(now.Year()-1, month, day, 0, 0, 0, 0, time.UTC).Add(clock)
	}
	return t
}
