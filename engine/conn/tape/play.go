package tape

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"

	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Openers open the places of the tape, of every kind. known are the secrets of
// the runbook, as for the Recorder.
func (t *Tape) Openers(known *secret.Redactor) map[string]conn.Opener {
	openers := map[string]conn.Opener{
		conn.Kubernetes: func(ctx context.Context, target conn.Target, _ conn.Settings, _ conn.Dialer) (conn.Host, error) {
			return t.openCluster(ctx, target, known)
		},
		conn.Container: func(ctx context.Context, target conn.Target, s conn.Settings, dial conn.Dialer) (conn.Host, error) {
			if s.Kind == conn.Kubernetes {
				return kube.OpenContainer(ctx, target, s, dial)
			}
			return t.open(target, known)
		},
	}
	for _, kind := range []string{conn.Local, conn.SSH, conn.Docker} {
		openers[kind] = func(_ context.Context, target conn.Target, _ conn.Settings, _ conn.Dialer) (conn.Host, error) {
			return t.open(target, known)
		}
	}
	return openers
}

// opened gives what was noted when the target was opened.
func (t *Tape) opened(target conn.Target) (Entry, error) {
	e, err := t.answer(target.Key(), "open "+target.String(), digest("open"))
	if err != nil {
		return e, &conn.Unreachable{Target: target.String(), Err: err}
	}
	return e, e.Fault.err(target.String())
}

func (t *Tape) open(target conn.Target, known *secret.Redactor) (conn.Host, error) {
	if _, err := t.opened(target); err != nil {
		return nil, err
	}
	return player{t, known, target.Key(), target.String()}, nil
}

func (t *Tape) openCluster(ctx context.Context, target conn.Target, known *secret.Redactor) (conn.Host, error) {
	e, err := t.opened(target)
	if err != nil {
		return nil, err
	}
	config := &rest.Config{Host: "https://the-bundle", Transport: t.transport(target.Key(), known)}
	return kube.NewThrough(ctx, target.String(), config, e.Stdout, kube.Through{
		Container: func(namespace, pod, name string, _ conn.Host) conn.Host {
			return player{t, known, containerKey(target.Key(), namespace, pod, name), "pod " + pod}
		},
	})
}

func (t *Tape) transport(target string, known *secret.Redactor) http.RoundTripper {
	return tripper(func(req *http.Request) (*http.Response, error) {
		key, ok, err := requestKey(known, req)
		if err != nil {
			return nil, err
		}
		if !ok {
			return nil, fmt.Errorf("%s: %w", asked(req), ErrNotNoted)
		}
		e, err := t.answer(target, asked(req), key)
		if err != nil {
			return nil, err
		}
		return &http.Response{
			Status: http.StatusText(e.Code), StatusCode: e.Code, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
			Header: http.Header{"Content-Type": {e.Type}}, Body: io.NopCloser(strings.NewReader(e.Stdout)), ContentLength: int64(len(e.Stdout)),
		}, nil
	})
}

// err is the error that a fault was; nil for none.
func (f *fault) err(target string) error {
	switch {
	case f == nil:
		return nil
	case f.Unreachable:
		return &conn.Unreachable{Target: target, Err: errors.New(f.Text), Hint: f.Hint}
	case f.NotExist:
		return played{f.Text, fs.ErrNotExist}
	case f.Permission:
		return played{f.Text, fs.ErrPermission}
	}
	return errors.New(f.Text)
}

// played is an error of one of fs's kinds.
type played struct {
	text string
	kind error
}

func (p played) Error() string { return p.text }
func (p played) Unwrap() error { return p.kind }

// player is a place of the tape.
type player struct {
	tape   *Tape
	known  *secret.Redactor
	target string
	name   string
}

// Run gives what the command answered.
func (p player) Run(_ context.Context, cmd conn.Cmd) (conn.Result, error) {
	stdin, ok := stdinOf(&cmd)
	if !ok {
		return conn.Result{}, fmt.Errorf("%s: %s: %w", p.name, called(cmd), ErrNotNoted)
	}
	e, err := p.tape.answer(p.target, called(cmd), commandKey(p.known, cmd, stdin))
	if err != nil {
		return conn.Result{}, fmt.Errorf("%s: %w", p.name, err)
	}
	out := conn.NewOutput(cmd)
	for _, stream := range []struct {
		w    io.Writer
		text string
	}{{out.Stdout(), e.Stdout}, {out.Stderr(), e.Stderr}} {
		if _, err := io.WriteString(stream.w, stream.text); err != nil {
			return out.Result(), err
		}
	}
	if err := e.Fault.err(p.name); err != nil {
		return out.Result(), err
	}
	return out.Finish(e.Code)
}

// Files are those that were looked at.
func (p player) Files() (conn.Files, error) { return playedFiles{p}, nil }

// Dial is not on a tape.
func (p player) Dial(_ context.Context, _, addr string) (net.Conn, error) {
	return nil, fmt.Errorf("%s: connect to %s: %w", p.name, addr, ErrNotNoted)
}

// Close does nothing.
func (player) Close() error { return nil }

type playedFiles struct{ player }

func (p playedFiles) Stat(_ context.Context, path string) (conn.FileInfo, error) {
	e, err := p.tape.answer(p.target, "stat "+path, digest("stat", path))
	if err == nil {
		err = e.Fault.err(p.name)
	}
	if err != nil || e.File == nil {
		return conn.FileInfo{}, err
	}
	return conn.FileInfo(*e.File), nil
}

func (p playedFiles) Open(_ context.Context, path string) (io.ReadCloser, error) {
	e, err := p.tape.answer(p.target, "open "+path, digest("file", path))
	if err == nil {
		err = e.Fault.err(p.name)
	}
	if err != nil {
		return nil, err
	}
	return io.NopCloser(strings.NewReader(e.Stdout)), nil
}

func (p playedFiles) Write(_ context.Context, path string, _ io.Reader, _ conn.FileMeta) error {
	return fmt.Errorf("%s: write %s: %w", p.name, path, ErrNotNoted)
}

func (p playedFiles) Remove(_ context.Context, path string) error {
	return fmt.Errorf("%s: remove %s: %w", p.name, path, ErrNotNoted)
}
