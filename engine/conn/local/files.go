package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/adbsql/antdbctl/engine/conn"
)

type files struct{}

func (files) Stat(_ context.Context, path string) (conn.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return conn.FileInfo{}, err
	}
	st := info.Sys().(*syscall.Stat_t)
	return conn.FileInfo{
		Size:    info.Size(),
		Mode:    info.Mode(),
		ModTime: info.ModTime(),
		Owner:   userName(st.Uid),
		Group:   groupName(st.Gid),
	}, nil
}

func userName(id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	if u, err := user.LookupId(n); err == nil {
		return u.Username
	}
	return n
}

func groupName(id uint32) string {
	n := strconv.FormatUint(uint64(id), 10)
	if g, err := user.LookupGroupId(n); err == nil {
		return g.Name
	}
	return n
}

func (files) Open(_ context.Context, path string) (io.ReadCloser, error) { return os.Open(path) }
func (files) Remove(_ context.Context, path string) error                { return os.Remove(path) }

// Write follows the contract of conn.Files: readers see the old file or the
// new one.
func (files) Write(ctx context.Context, path string, r io.Reader, meta conn.FileMeta) error {
	mode, uid, gid, err := wanted(path, meta)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return about(path, err)
	}
	from := &reader{ctx: ctx, r: r}
	if err = fill(f, from, mode, uid, gid); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(f.Name())
		if from.err != nil {
			return fmt.Errorf("write %s: %w", path, from.err)
		}
		return about(path, err)
	}
	syncDir(filepath.Dir(path))
	return nil
}

// fill makes f what it shall be, on disk.
func fill(f *os.File, r io.Reader, mode fs.FileMode, uid, gid int) error {
	if _, err := io.Copy(f, r); err != nil {
		return err
	}
	if uid >= 0 || gid >= 0 {
		if err := f.Chown(uid, gid); err != nil {
			return err
		}
	}
	// After chown, which clears set-user-ID bits.
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return f.Close()
}

// about makes err speak of path, not of a temporary name.
func about(path string, err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		err = p.Err
	}
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		err = l.Err
	}
	return &fs.PathError{Op: "write", Path: path, Err: err}
}

// wanted is how the new file shall look: as meta says, else as the file that
// it replaces, else as the umask has it. A negative number means "as it comes".
func wanted(path string, meta conn.FileMeta) (mode fs.FileMode, uid, gid int, err error) {
	mode, uid, gid = 0o666&^umask(), -1, -1
	info, err := os.Lstat(path)
	switch {
	case err == nil && info.IsDir():
		return 0, 0, 0, &fs.PathError{Op: "write", Path: path, Err: syscall.EISDIR}
	case err == nil && info.Mode().IsRegular():
		st := info.Sys().(*syscall.Stat_t)
		mode = info.Mode() & (fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky)
		if os.Geteuid() == 0 || int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid() {
			uid, gid = int(st.Uid), int(st.Gid)
		}
	}
	if meta.Mode != 0 {
		mode = meta.Mode
	}
	if meta.Owner != "" {
		if uid, err = userID(meta.Owner); err != nil {
			return 0, 0, 0, err
		}
	}
	if meta.Group != "" {
		if gid, err = groupID(meta.Group); err != nil {
			return 0, 0, 0, err
		}
	}
	return mode, uid, gid, nil
}

func userID(name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, fmt.Errorf("owner: %w", err)
	}
	return strconv.Atoi(u.Uid)
}

func groupID(name string) (int, error) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("group: %w", err)
	}
	return strconv.Atoi(g.Gid)
}

// syncDir makes the new name durable, not only the content. Where it cannot
// (the folder is unreadable, the file system knows no such thing), the content
// is synced all the same.
func syncDir(dir string) {
	d, err := os.Open(dir)
	if err != nil {
		return
	}
	_ = d.Sync()
	_ = d.Close()
}

// reader stops a copy when ctx ends, and remembers if it was the one that failed.
type reader struct {
	ctx context.Context
	r   io.Reader
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	if r.err = r.ctx.Err(); r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(p)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}
