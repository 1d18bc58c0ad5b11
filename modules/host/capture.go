package host

import (
	"bytes"
	"strings"
	"sync"
)

// captureLimit is how much of an output becomes a value of the runbook.
const captureLimit = 1 << 20

// logger lets several outputs of one command write to one log.
type logger struct {
	mu   sync.Mutex
	logf func(format string, args ...any)
}

// capture keeps the end of an output and logs it line by line as it comes.
type capture struct {
	log  *logger
	kept []byte
	line []byte // begun, without its end
}

func (c *capture) Write(p []byte) (int, error) {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	c.kept = append(c.kept, p...)
	if len(c.kept) > 2*captureLimit { // cut rarely, not at every write
		c.kept = append(c.kept[:0], c.kept[len(c.kept)-captureLimit:]...)
	}
	c.line = append(c.line, p...)
	for {
		line, rest, found := bytes.Cut(c.line, []byte("\n"))
		if !found && len(c.line) < 64<<10 {
			return len(p), nil
		}
		c.log.logf("%s", strings.TrimRight(string(line), "\r"))
		c.line = append(c.line[:0], rest...)
	}
}

// text ends the capture: it logs the last line, should it have no end, and
// gives what was kept.
func (c *capture) text() string {
	c.log.mu.Lock()
	defer c.log.mu.Unlock()
	if len(c.line) > 0 {
		c.log.logf("%s", c.line)
		c.line = nil
	}
	kept := c.kept[max(0, len(c.kept)-captureLimit):]
	return strings.ToValidUTF8(strings.TrimSuffix(string(kept), "\n"), "�")
}
