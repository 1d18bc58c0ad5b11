package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/pkg/sftp"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
)

// Write sends r to a temporary name beside name, makes sure that all of it is
// there, and renames.
func (f files) Write(ctx context.Context, name string, r io.Reader, meta conn.FileMeta) error {
	l, c, err := f.h.sftp(ctx)
	if err != nil {
		return err
	}
	if c != nil {
		if _, ok := c.HasExtension("posix-rename@openssh.com"); !ok {
			c = nil // without it, a rename cannot replace a file
		}
	}
	if c == nil {
		return shell.Files(f.h).Write(ctx, name, r, meta)
	}
	w := &writing{h: f.h, l: l, c: c, name: name, uid: -1, gid: -1}
	if err := w.names(ctx, meta); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	source := &source{ctx: ctx, r: r}
	err = within(ctx, func() error { return w.do(source, meta) })
	if err == nil {
		return nil
	}
	if source.err != nil {
		return fmt.Errorf("write %s: %w", name, source.err)
	}
	if ctx.Err() != nil {
		return fmt.Errorf("write %s: %w", name, context.Cause(ctx))
	}
	return f.h.fileError(l, "write", name, err)
}

// source stops when ctx ends, and remembers if it was the one that failed.
type source struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	if s.err = s.ctx.Err(); s.err != nil {
		return 0, s.err
	}
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

// writing is one Write by sftp.
type writing struct {
	h        *Host
	l        *link
	c        *sftp.Client
	name     string
	temp     string
	uid, gid int // wanted; -1 for as it comes
}

// names finds the numbers of the wanted owner and group.
func (w *writing) names(ctx context.Context, meta conn.FileMeta) (err error) {
	if meta.Owner != "" {
		if w.uid, err = w.h.numberOf(ctx, w.l, userNames, meta.Owner); err != nil {
			return err
		}
	}
	if meta.Group != "" {
		w.gid, err = w.h.numberOf(ctx, w.l, groupNames, meta.Group)
	}
	return err
}

func (w *writing) do(r *source, meta conn.FileMeta) (err error) {
	old, err := w.c.Lstat(w.name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil && old.IsDir() {
		return &fs.PathError{Op: "write", Path: w.name, Err: syscall.EISDIR}
	}
	dir, base := path.Split(w.name)
	w.temp = dir + "." + base + "." + rand.Text()[:12]
	file, err := w.c.OpenFile(w.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = w.fullDisk(dir, err)
			_ = file.Close()
			_ = w.c.Remove(w.temp)
		}
	}()
	mode, err := w.shape(file, old, meta)
	if err != nil {
		return err
	}
	if err := w.fill(file, r); err != nil {
		return err
	}
	if err := w.dress(file, mode); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return w.c.PosixRename(w.temp, w.name)
}

// shape decides how the new file shall look, and closes it to others until it
// does.
func (w *writing) shape(file *sftp.File, old fs.FileInfo, meta conn.FileMeta) (fs.FileMode, error) {
	fresh, err := file.Stat()
	if err != nil {
		return 0, err
	}
	mode := fresh.Mode() & modeBits
	if old != nil && old.Mode().IsRegular() {
		mode = old.Mode() & modeBits
		was, is := old.Sys().(*sftp.FileStat), fresh.Sys().(*sftp.FileStat)
		if w.uid < 0 && was.UID != is.UID {
			w.uid = int(was.UID)
		}
		if w.gid < 0 && was.GID != is.GID {
			w.gid = int(was.GID)
		}
	}
	// sftp sets both at once.
	if is := fresh.Sys().(*sftp.FileStat); w.uid >= 0 || w.gid >= 0 {
		if w.uid < 0 {
			w.uid = int(is.UID)
		}
		if w.gid < 0 {
			w.gid = int(is.GID)
		}
	}
	if meta.Mode != 0 {
		mode = meta.Mode
	}
	return mode, file.Chmod(0o600)
}

const modeBits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// fill sends the content and makes sure that it is there.
func (w *writing) fill(file *sftp.File, r *source) error {
	sent, err := file.ReadFromWithConcurrency(r, 0)
	if err == nil {
		err = r.err // sftp takes any wrapped io.EOF for the end
	}
	if err != nil {
		return err
	}
	if _, ok := w.c.HasExtension("fsync@openssh.com"); ok {
		if err := file.Sync(); err != nil {
			return err
		}
	}
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != sent {
		return fmt.Errorf("%d of %d bytes arrived", info.Size(), sent)
	}
	return nil
}

// dress sets owner, then mode: a change of owner clears set-user-ID bits.
func (w *writing) dress(file *sftp.File, mode fs.FileMode) error {
	if w.uid >= 0 {
		if err := file.Chown(w.uid, w.gid); err != nil {
			return err
		}
	}
	return file.Chmod(mode)
}

// fullDisk explains a failure that sftp has no word for.
func (w *writing) fullDisk(dir string, err error) error {
	if status := (*sftp.StatusError)(nil); !errors.As(err, &status) {
		return err
	}
	if st, e := w.c.StatVFS(dir); e == nil && (st.Bavail == 0 || st.Files > 0 && st.Ffree == 0) {
		return syscall.ENOSPC
	}
	return err
}
