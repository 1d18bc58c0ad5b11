package tape

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Recorder notes the answers that go through the hosts it opens.
type Recorder struct {
	known *secret.Redactor
	keep  func(Entry)
}

// NewRecorder gives every answer to keep, which may be called from many places
// at once and takes secrets out. known are the secrets that requests may have:
// they are no part of what an answer is found by.
func NewRecorder(known *secret.Redactor, keep func(Entry)) *Recorder { return &Recorder{known, keep} }

// Openers are openers that note what is answered.
func (r *Recorder) Openers(openers map[string]conn.Opener) map[string]conn.Opener {
	noted := map[string]conn.Opener{}
	for kind, open := range openers {
		noted[kind] = r.opener(open)
	}
	noted[conn.Kubernetes] = r.opener(kube.OpenThrough(r.cluster))
	return noted
}

func (r *Recorder) opener(open conn.Opener) conn.Opener {
	return func(ctx context.Context, t conn.Target, s conn.Settings, dial conn.Dialer) (conn.Host, error) {
		h, err := open(ctx, t, s, dial)
		e := Entry{Target: t.Key(), Asked: "open " + t.String(), Key: digest("open"), Fault: faultOf(err)}
		if c, ok := conn.As[*kube.Cluster](h); ok && err == nil {
			e.Stdout = c.Namespace()
		}
		if ctx.Err() == nil {
			r.keep(e)
		}
		if _, noted := conn.As[host](h); err != nil || noted || t.Kind == conn.Kubernetes {
			return h, err
		}
		return host{h, r, t.Key()}, nil
	}
}

// cluster notes what a cluster answers.
func (r *Recorder) cluster(t conn.Target) kube.Through {
	return kube.Through{
		Transport: r.transport(t.Key()),
		Container: func(namespace, pod, name string, h conn.Host) conn.Host {
			return host{h, r, containerKey(t.Key(), namespace, pod, name)}
		},
	}
}

// host notes what its Host answers.
type host struct {
	conn.Host
	tape   *Recorder
	target string
}

// Unwrap gives what only the kind of host can do; it is not noted.
func (h host) Unwrap() conn.Host { return h.Host }

// commandKey tells commands apart. What the environment's values are, which may
// be secret, and how the command is run, does not matter.
func commandKey(known *secret.Redactor, cmd conn.Cmd, stdin string) string {
	var args []string
	for _, arg := range cmd.Args {
		args = append(args, known.Redact(arg))
	}
	return digest("run", args, slices.Sorted(maps.Keys(cmd.Env)), cmd.Dir, cmd.User, known.Redact(stdin))
}

// stdinOf gives what cmd reads, when that is text which is at hand, and leaves
// it to be read.
func stdinOf(cmd *conn.Cmd) (string, bool) {
	switch cmd.Stdin.(type) {
	case nil:
		return "", true
	case *strings.Reader, *bytes.Reader, *bytes.Buffer:
		text, err := io.ReadAll(cmd.Stdin)
		cmd.Stdin = bytes.NewReader(text)
		return string(text), err == nil
	}
	return "", false
}

// capped keeps what is written to it, up to the largest answer.
type capped struct {
	bytes.Buffer
	over bool
}

func (c *capped) Write(p []byte) (int, error) {
	if c.over = c.over || c.Len()+len(p) > largest; !c.over {
		c.Buffer.Write(p)
	}
	return len(p), nil
}

// Run runs the command and notes what came of it.
func (h host) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	stdin, known := stdinOf(&cmd)
	var out capped
	if cmd.Stdout != nil {
		cmd.Stdout = io.MultiWriter(cmd.Stdout, &out)
	}
	res, err := h.Host.Run(ctx, cmd)
	if known && ctx.Err() == nil && !out.over {
		e := Entry{Target: h.target, Asked: called(cmd), Key: commandKey(h.tape.known, cmd, stdin), Stdout: res.Stdout + out.String(), Stderr: res.Stderr}
		if code, ok := conn.ExitCode(err); ok {
			e.Code = code
		} else {
			e.Fault = faultOf(err)
		}
		h.tape.note(e)
	}
	return res, err
}

// note keeps an answer that can be kept.
func (r *Recorder) note(e Entry) {
	if len(e.Stdout) <= largest && utf8.ValidString(e.Stdout) && utf8.ValidString(e.Stderr) {
		r.keep(e)
	}
}

func faultOf(err error) *fault {
	if err == nil {
		return nil
	}
	f := &fault{Text: err.Error(), NotExist: errors.Is(err, fs.ErrNotExist), Permission: errors.Is(err, fs.ErrPermission)}
	if u := (*conn.Unreachable)(nil); errors.As(err, &u) {
		f.Unreachable, f.Hint = true, u.Hint
		if u.Err != nil {
			f.Text = u.Err.Error()
		}
	}
	return f
}

type fileInfo struct {
	Size    int64       `json:"size"`
	Mode    fs.FileMode `json:"mode"`
	ModTime time.Time   `json:"mod_time"`
	Owner   string      `json:"owner"`
	Group   string      `json:"group"`
}

// Files notes what files are like and what is in them.
func (h host) Files() (conn.Files, error) {
	f, err := h.Host.Files()
	if err != nil {
		return nil, err
	}
	return files{f, h}, nil
}

type files struct {
	conn.Files
	host host
}

func (f files) Stat(ctx context.Context, path string) (conn.FileInfo, error) {
	info, err := f.Files.Stat(ctx, path)
	if ctx.Err() == nil {
		noted := fileInfo(info)
		f.host.tape.note(Entry{Target: f.host.target, Asked: "stat " + path, Key: digest("stat", path), File: &noted, Fault: faultOf(err)})
	}
	return info, err
}

// Open notes a file when its reader has been read to the end.
func (f files) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	r, err := f.Files.Open(ctx, path)
	e := Entry{Target: f.host.target, Asked: "open " + path, Key: digest("file", path), Fault: faultOf(err)}
	if err != nil {
		if ctx.Err() == nil {
			f.host.tape.note(e)
		}
		return nil, err
	}
	return &noted{ReadCloser: r, entry: e, tape: f.host.tape}, nil
}

// noted is a text that is noted when its end has been seen.
type noted struct {
	io.ReadCloser
	text  capped
	entry Entry
	tape  *Recorder
	done  bool
}

func (n *noted) Read(p []byte) (int, error) {
	m, err := n.ReadCloser.Read(p)
	_, _ = n.text.Write(p[:m])
	if errors.Is(err, io.EOF) && !n.done && !n.text.over {
		n.done = true
		n.entry.Stdout = n.text.String()
		n.tape.note(n.entry)
	}
	return m, err
}
