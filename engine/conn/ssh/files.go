package ssh

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/pkg/sftp"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
)

// files keeps files by sftp, or by a shell where the server has no sftp.
type files struct{ h *Host }

func (f files) Stat(ctx context.Context, name string) (conn.FileInfo, error) {
	l, c, err := f.h.sftp(ctx)
	if err != nil {
		return conn.FileInfo{}, err
	}
	if c == nil {
		return shell.Files(f.h).Stat(ctx, name)
	}
	var info fs.FileInfo
	err = within(ctx, func() (err error) { info, err = c.Lstat(name); return })
	if err != nil {
		return conn.FileInfo{}, f.h.fileError(l, "stat", name, err)
	}
	st := info.Sys().(*sftp.FileStat)
	out := conn.FileInfo{Size: info.Size(), Mode: info.Mode(), ModTime: info.ModTime()}
	if out.Owner, err = f.h.nameOf(ctx, l, userNames, st.UID); err != nil {
		return out, err
	}
	out.Group, err = f.h.nameOf(ctx, l, groupNames, st.GID)
	return out, err
}

func (f files) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	l, c, err := f.h.sftp(ctx)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return shell.Files(f.h).Open(ctx, name)
	}
	var file *sftp.File
	err = within(ctx, func() (err error) { file, err = c.Open(name); return })
	if err != nil {
		return nil, f.h.fileError(l, "open", name, err)
	}
	return &openFile{ctx: ctx, h: f.h, l: l, name: name, file: file, r: bufio.NewReaderSize(&gentle{File: file}, readAhead)}, nil
}

// readAhead lets small reads of the caller become requests that are in flight
// together.
const readAhead = 256 << 10

// gentle asks for one packet first: most files are no larger, and every packet
// of readAhead is a request.
type gentle struct {
	*sftp.File
	begun bool
}

const packet = 32 << 10

func (g *gentle) Read(p []byte) (int, error) {
	if !g.begun {
		g.begun = true
		p = p[:min(len(p), packet)]
	}
	return g.File.Read(p)
}

type openFile struct {
	ctx  context.Context
	h    *Host
	l    *link
	name string
	file *sftp.File
	r    *bufio.Reader
}

func (o *openFile) Read(p []byte) (int, error) {
	if err := o.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := o.r.Read(p)
	if err != nil && err != io.EOF {
		err = o.h.fileError(o.l, "read", o.name, err)
	}
	return n, err
}

// WriteTo has many requests in flight, for io.Copy.
func (o *openFile) WriteTo(w io.Writer) (int64, error) {
	to := &sink{ctx: o.ctx, w: w}
	n, err := o.r.WriteTo(to)
	if err != nil && to.err == nil {
		err = o.h.fileError(o.l, "read", o.name, err)
	}
	return n, err
}

// sink stops when ctx ends, and remembers if it was the one that failed.
type sink struct {
	ctx context.Context
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (n int, err error) {
	if s.err = s.ctx.Err(); s.err == nil {
		n, s.err = s.w.Write(p)
	}
	return n, s.err
}

func (o *openFile) Close() error {
	if err := o.file.Close(); err != nil {
		return o.h.fileError(o.l, "close", o.name, err)
	}
	return nil
}

func (f files) Remove(ctx context.Context, name string) error {
	l, c, err := f.h.sftp(ctx)
	if err != nil {
		return err
	}
	if c == nil {
		return shell.Files(f.h).Remove(ctx, name)
	}
	if err := within(ctx, func() error { return c.Remove(name) }); err != nil {
		return f.h.fileError(l, "remove", name, err)
	}
	return nil
}

// fileError is err as conn.Files has it; a lost connection is told as such.
func (h *Host) fileError(l *link, op, name string, err error) error {
	if errors.Is(err, sftp.ErrSSHFxConnectionLost) || l.isLost() {
		return fmt.Errorf("%s %s: %w", op, name, h.lostOr(l, err))
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return err
	}
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// within runs f, which cannot be interrupted, for as long as ctx lasts and a
// little longer.
func within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case <-done:
	case <-time.After(grace):
	}
	return context.Cause(ctx)
}
