// Package conn is the one door through which modules touch the world: a Host
// runs commands, keeps files and opens network connections, and it does so the
// same way on this machine, on a host over SSH, in a container or in a pod.
package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Runner runs commands in one place. It is safe for concurrent use.
//
// A command that ran and exited non-zero is an *ExitError. A command that may
// not have run, because the connection failed, is an *Unreachable.
type Runner interface {
	Run(ctx context.Context, cmd Cmd) (Result, error)
}

// Files keeps the files of one place. Paths are absolute, in the target's
// syntax. A missing file is fs.ErrNotExist, a refused one fs.ErrPermission
// (by errors.Is). It is safe for concurrent use.
type Files interface {
	Stat(ctx context.Context, path string) (FileInfo, error)
	Open(ctx context.Context, path string) (io.ReadCloser, error)
	// Write puts everything that r gives into path, whole or not at all: a
	// temporary name beside it, synced, renamed.
	Write(ctx context.Context, path string, r io.Reader, meta FileMeta) error
	Remove(ctx context.Context, path string) error
}

// FileInfo describes a file. It follows no symbolic link.
type FileInfo struct {
	Size    int64
	Mode    fs.FileMode // type and permission bits
	ModTime time.Time
	Owner   string // name, or number where the target has no name for it
	Group   string
}

// FileMeta says how a written file should look; zero values keep what an
// existing file has, or the target's defaults for a new one.
type FileMeta struct {
	Mode  fs.FileMode // permission bits; 0 keeps
	Owner string
	Group string
}

// Host is a place that a step works on.
type Host interface {
	Runner
	// Files may fail, where a place has no way to keep files.
	Files() (Files, error)
	// Dial connects from that place: from a node through its SSH connection,
	// from a cluster through a port-forward ("pod/name.namespace:5432",
	// "svc/name.namespace:5432").
	Dial(ctx context.Context, network, addr string) (net.Conn, error)
	Close() error
}

// Listener is a Host that can take connections at its end, as Dial makes them
// there. Not every place can: find it with As.
type Listener interface {
	// Listen listens on a TCP address of that place; with port 0 on a free
	// port, which the listener's Addr tells. An address of loopback is for that
	// place alone. A place that refuses is errors.ErrUnsupported.
	Listen(ctx context.Context, network, addr string) (net.Listener, error)
}

// Dialer opens the Host that a Target names. It is safe for concurrent use.
type Dialer interface {
	Dial(ctx context.Context, t Target) (Host, error)
}

// Cmd is one command. Arguments are never joined by hand: the Runner quotes.
type Cmd struct {
	Args []string
	// Env reaches the command without ever being part of an argument vector,
	// also over SSH and exec, where it travels through stdin.
	Env map[string]secret.Value
	Dir string // working directory; empty for the place's default
	// Look promises that the command is a Script that is short, changes nothing
	// and leaves nothing running: it may share a shell with others of its kind,
	// and may be run again when a connection is lost under it.
	Look  bool
	User  string // run as this user, by sudo where that is another; empty for the connection's own
	Stdin io.Reader
	// Stdout and Stderr, when set, get the output as it comes; then the Result
	// does not hold it (stderr's last 64 KiB are kept in either case).
	Stdout, Stderr io.Writer
}

// Command is a Cmd of plain arguments.
func Command(args ...string) Cmd { return Cmd{Args: args} }

// Script is a Cmd that runs a POSIX sh script with args as $1, $2, ….
func Script(script string, args ...string) Cmd {
	return Cmd{Args: append([]string{"sh", "-c", script, "sh"}, args...)}
}

// Look is a Script that only looks.
func Look(script string, args ...string) Cmd {
	c := Script(script, args...)
	c.Look = true
	return c
}

// Result is what a finished command left behind.
type Result struct{ Stdout, Stderr string }

// ExitError reports a command that ran and said no.
type ExitError struct {
	Cmd    Cmd
	Code   int // exit status; 128+n when signal n ended it; -1 when unknown
	Stderr string
	Stdout string
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: exit status %d", e.Cmd.name(), e.Code)
	if line := lastLine(e.Stderr); line != "" {
		text += ": " + line
	}
	return text
}

// name is how messages call a command: never its whole argument vector, where
// someone may have put what should not be repeated.
func (c Cmd) name() string {
	switch {
	case len(c.Args) == 0:
		return "(empty command)"
	case c.Args[0] == "sh" && len(c.Args) > 1:
		return "script"
	case len(c.Args) > 1 && !strings.HasPrefix(c.Args[1], "-") && !strings.ContainsAny(c.Args[1], "/="):
		return c.Args[0] + " " + c.Args[1]
	}
	return c.Args[0]
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// ExitCode is the exit status that err carries; ok is false when err is not an
// ExitError.
func ExitCode(err error) (code int, ok bool) {
	if e := (*ExitError)(nil); errors.As(err, &e) {
		return e.Code, true
	}
	return 0, false
}

// Unreachable reports that a target could not be reached, or was lost.
type Unreachable struct {
	Target string
	Err    error
	Hint   string // what to do about it, one sentence; may be empty
}

func (e *Unreachable) Error() string { return fmt.Sprintf("cannot reach %s: %s", e.Target, e.Err) }
func (e *Unreachable) Unwrap() error { return e.Err }

// NotSupported reports that a place cannot do what was asked of it.
func NotSupported(place, what string) error {
	return fmt.Errorf("%s: %s: %w", place, what, errors.ErrUnsupported)
}
