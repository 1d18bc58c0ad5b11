// Package tape notes what commands and requests to a Kubernetes API answered,
// and answers them again without the place: so that checks which only look can
// run on what was seen before.
//
// Noted are commands with their output, files that were looked at, GET requests
// and reviews of rights. An answer is found by its target and all of the
// request. Conversations (Dial: databases, Patroni's REST interface,
// port-forwards) and watches are not on a tape, nor is what is too large or no
// text.
package tape

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
)

// Entry is one answer.
type Entry struct {
	Target string `json:"target"` // Key of it
	Asked  string `json:"asked"`  // what, for people
	Key    string `json:"key"`    // digest of the whole request

	Stdout string    `json:"stdout,omitempty"` // of a command; the body of a response or file
	Stderr string    `json:"stderr,omitempty"`
	Code   int       `json:"code,omitempty"` // exit status, or status of a response
	Type   string    `json:"type,omitempty"` // content type
	File   *fileInfo `json:"file,omitempty"`
	Fault  *fault    `json:"fault,omitempty"`
}

// fault is an error that is more than an exit status.
type fault struct {
	Text        string `json:"text"`
	Hint        string `json:"hint,omitempty"`
	Unreachable bool   `json:"unreachable,omitempty"`
	NotExist    bool   `json:"not_exist,omitempty"`
	Permission  bool   `json:"permission,omitempty"`
}

// ErrNotNoted says that a tape has no answer. A place that is played back can
// be changed as little as it can be asked something new.
var ErrNotNoted = errors.New("not in the bundle")

// largest is how much of an answer is noted.
const largest = 4 << 20

func digest(parts ...any) string {
	text, err := json.Marshal(parts)
	if err != nil {
		panic(err) // strings and lists of them always marshal
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:16])
}

// Tape is what was noted. It is safe for concurrent use.
type Tape struct {
	mu      sync.Mutex
	entries map[string][]Entry // by target and key, in the order of asking
}

// Read reads a tape, an Entry in JSON a line. Lines that are none are skipped
// and counted.
func Read(r io.Reader) (t *Tape, skipped int, err error) {
	t = &Tape{entries: map[string][]Entry{}}
	for d := json.NewDecoder(r); ; {
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			if errors.Is(err, io.EOF) {
				return t, skipped, nil
			}
			return t, skipped, fmt.Errorf("read the tape: %w", err)
		}
		var e Entry
		if json.Unmarshal(raw, &e) != nil || e.Key == "" {
			skipped++
			continue
		}
		t.entries[e.Target+" "+e.Key] = append(t.entries[e.Target+" "+e.Key], e)
	}
}

// answer gives the next answer to a request; the last one again and again.
func (t *Tape) answer(target, asked, key string) (Entry, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := t.entries[target+" "+key]
	if len(all) == 0 {
		return Entry{}, fmt.Errorf("%s: %w", asked, ErrNotNoted)
	}
	if len(all) > 1 {
		t.entries[target+" "+key] = all[1:]
	}
	return all[0], nil
}

// containerKey is the target of a container of a pod, however it is opened.
func containerKey(cluster, namespace, pod, name string) string {
	return strings.Join([]string{cluster, namespace, pod, name}, "|")
}

// called is how messages call a command.
func called(cmd conn.Cmd) string {
	if len(cmd.Args) == 0 {
		return "an empty command"
	}
	if cmd.Args[0] == "sh" {
		return "a script"
	}
	return "the command " + cmd.Args[0]
}
