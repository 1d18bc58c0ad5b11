package container

import (
	"bytes"
	"strings"
	"sync"
)

const (
	maxOutput     = 1 << 20  // kept of a stream
	maxLine       = 64 << 10 // after which a line is logged without its end
	evidenceLines = 12
)

// log is the step's log, which both streams of a command write to at once.
type log struct {
	mu   sync.Mutex
	logf func(format string, args ...any)
}

// output keeps the end of a stream, and logs its lines as they come.
type output struct {
	log  *log
	kept []byte
	line []byte // begun, without its end
}

func (o *output) Write(p []byte) (int, error) {
	o.log.mu.Lock()
	defer o.log.mu.Unlock()
	o.kept = append(o.kept, p...)
	if len(o.kept) > 2*maxOutput { // cut rarely, not at every write
		o.kept = append(o.kept[:0], o.kept[len(o.kept)-maxOutput:]...)
	}
	o.line = append(o.line, p...)
	for {
		line, rest, ended := bytes.Cut(o.line, []byte("\n"))
		if !ended && len(o.line) < maxLine {
			return len(p), nil
		}
		o.log.logf("%s", bytes.TrimRight(line, "\r"))
		o.line = append(o.line[:0], rest...)
	}
}

// text is what was written, without the last line end. It ends the log.
func (o *output) text() string {
	o.log.mu.Lock()
	defer o.log.mu.Unlock()
	if len(o.line) > 0 {
		o.log.logf("%s", o.line)
		o.line = nil
	}
	kept := bytes.TrimSuffix(o.kept[max(0, len(o.kept)-maxOutput):], []byte("\n"))
	return strings.ToValidUTF8(string(kept), "\uFFFD")
}

// lastLines are the evidence of a failed command: what it said on stderr, or
// where it said nothing there, on stdout.
func lastLines(stderr, stdout string) []string {
	text := strings.TrimSpace(stderr)
	if text == "" {
		text = strings.TrimSpace(stdout)
	}
	if text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	return lines[max(0, len(lines)-evidenceLines):]
}
