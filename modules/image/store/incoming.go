package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// limits bound what reading one archive may take.
type limits struct {
	entries int   // files in an archive
	small   int64 // bytes of a description: a manifest, a configuration
	layers  int   // of an image; engines stop far below
	free    int64 // bytes of the disk that stay free
	// Bytes kept may be this many times the bytes read, and so many more.
	ratio, floor int64
}

// defaults are generous to what engines and people make: a layer of zeros
// packs 1000:1, but no image is made of zeros alone.
var defaults = limits{entries: 100_000, small: 8 << 20, layers: 512, free: 100 << 20, ratio: 200, floor: 4 << 30}

// incoming is a folder for parts on their way into the store. They enter it
// together, when all are whole and right, or not at all.
type incoming struct {
	store Store
	dir   string
	limits
	lock *os.File

	progress   func(read int64)
	read, kept int64 // bytes: of the archive, and unpacked from it
	checked    int64 // kept when the disk was last asked for room
	n          int
}

// part is a file of an archive, unpacked.
type part struct {
	Blob
	file  string // where it lies: in the folder of incoming, or in the store
	fresh bool   // in the folder
	err   error  // why it is of no use
}

// errOther marks a part that is not what it should be.
var errOther = errors.New("another digest")

// receive begins to take an archive; discard ends it.
func (s Store) receive() (*incoming, error) {
	s.sweep()
	in := &incoming{store: s, limits: s.limits, progress: func(int64) {}}
	var err error
	if in.lock, err = os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	_ = syscall.Flock(int(in.lock.Fd()), syscall.LOCK_SH) // where it fails, sweeping does so too
	if in.dir, err = os.MkdirTemp(s.dir, "incoming-"); err != nil {
		return nil, errors.Join(err, in.lock.Close())
	}
	return in, nil
}

// discard removes what did not enter the store.
func (in *incoming) discard() {
	_ = os.RemoveAll(in.dir) // what stays is swept by the next one who receives
	_ = in.lock.Close()
}

// wanted is what is known of a part before it is read, each perhaps empty: its
// digest when it is unpacked, and its digest as it lies in the archive.
type wanted struct{ plain, raw string }

// take keeps what r gives, unpacked. What the store has already is read, but
// not written again. A fault of the packing is left in the part, which perhaps
// nobody needs.
func (in *incoming) take(r io.Reader, what string, want wanted) (part, error) {
	p, err := in.unpack(r, want)
	if bad := (*unpackError)(nil); errors.As(err, &bad) {
		return part{err: explain(err, what, in.store.dir)}, nil
	}
	if p.err != nil {
		p.err = damaged("%s has the digest %s", what, p.Digest)
	}
	return p, explain(err, what, in.store.dir)
}

func (in *incoming) unpack(r io.Reader, want wanted) (part, error) {
	plain, packed, stop, err := unpacked(r)
	if err != nil {
		return part{}, err
	}
	defer stop()
	digest := want.plain
	if digest == "" && !packed {
		digest = want.raw
	}
	if digest == "" || !in.store.has(digest) {
		return in.write(plain)
	}
	sum := sha256.New()
	n, err := in.pour(io.Discard, sum, plain)
	p := part{Blob: Blob{digestOf(sum.Sum(nil)), n}, file: in.store.file(digest)}
	if p.Digest != digest {
		p.err = errOther
	}
	return p, err
}

func (in *incoming) write(plain io.Reader) (part, error) {
	in.n++
	f, err := os.OpenFile(filepath.Join(in.dir, fmt.Sprint(in.n)), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o400)
	if err != nil {
		return part{}, err
	}
	sum := sha256.New()
	n, err := in.pour(f, sum, plain)
	if err != nil {
		return part{}, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if in.store.boot == "" {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return part{}, err
	}
	return part{Blob: Blob{digestOf(sum.Sum(nil)), n}, file: f.Name(), fresh: true}, nil
}

// enter moves parts into the store, the last of them last: who finds that one
// finds all.
func (in *incoming) enter(parts ...part) error {
	moved := map[string]bool{}
	for _, p := range parts {
		if !p.fresh || moved[p.file] {
			continue
		}
		moved[p.file] = true
		if err := in.store.unsettle(p.Digest); err != nil {
			return explain(err, "the list of new parts", in.store.dir)
		}
		if err := os.Rename(p.file, in.store.file(p.Digest)); err != nil {
			return err
		}
	}
	return nil
}

// sweep removes what killed processes left, unless someone receives just now.
func (s Store) sweep() {
	lock, err := os.OpenFile(s.path("lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return
	}
	left, _ := fs.Glob(os.DirFS(s.dir), "incoming-*")
	for _, name := range left {
		_ = os.RemoveAll(s.path(name)) // tried again next time
	}
}

func digestOf(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// has reports whether a part is in the store, and keeps it there for now.
func (s Store) has(digest string) bool {
	return strings.HasPrefix(digest, "sha256:") && touch(s.file(digest)) == nil
}

func touch(file string) error {
	now := time.Now()
	return os.Chtimes(file, now, now)
}

// counted tells of bytes read from the archive, until ctx is done.
type counted struct {
	ctx context.Context
	r   io.Reader
	in  *incoming
}

func (c *counted) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.in.read += int64(n)
	c.in.progress(c.in.read)
	return n, err
}

func (in *incoming) count(ctx context.Context, r io.Reader) io.Reader { return &counted{ctx, r, in} }
