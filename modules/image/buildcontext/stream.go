package buildcontext

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"time"
)

// Time is the modification time of every file in the stream. It is late enough
// for formats that know no time before 1980, such as zip.
var Time = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// Stream writes the context as a tar archive in a gzip envelope. Files belong to
// root there, as with docker's own client, and carry the time at: Time when it
// is zero.
//
// The envelope compresses nothing. It is there for its end: a builder takes a
// tar archive that was cut off between two files for a whole one, and would
// build from half of the context.
func (c *Folder) Stream(w io.Writer, at time.Time) error {
	if at.IsZero() {
		at = Time
	}
	zw, err := gzip.NewWriterLevel(w, gzip.NoCompression)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(zw)
	err = c.Walk(func(e Entry) error {
		h, err := tar.FileInfoHeader(e.Info, e.Link)
		if err != nil {
			return err
		}
		h.Name, h.ModTime = e.Name, at
		h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
		if e.Info.IsDir() {
			h.Name += "/"
		}
		if err := tw.WriteHeader(h); err != nil || !e.Info.Mode().IsRegular() {
			return err
		}
		n, err := e.copyTo(tw)
		if errors.Is(err, tar.ErrWriteTooLong) || err == nil && n != e.Info.Size() {
			return fmt.Errorf("%s changed while it was read", e.Path)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := tw.Close(); err != nil {
		return err
	}
	return zw.Close()
}

// Hash feeds h with all of the context that an image can depend on: names,
// modes, link targets and contents; no times and no owners. It gives the sum of
// the files' sizes.
func (c *Folder) Hash(h hash.Hash) (total int64, err error) {
	err = c.Walk(func(e Entry) error {
		fmt.Fprintf(h, "%q %o %q\n", e.Name, e.Info.Mode(), e.Link)
		if !e.Info.Mode().IsRegular() {
			return nil
		}
		total += e.Info.Size()
		sum := sha256.New()
		if _, err := e.copyTo(sum); err != nil {
			return err
		}
		fmt.Fprintf(h, "%x\n", sum.Sum(nil))
		return nil
	})
	return total, err
}

// copyTo writes the content of a file.
func (e Entry) copyTo(w io.Writer) (int64, error) {
	if e.content != nil {
		n, err := w.Write(e.content)
		return int64(n), err
	}
	f, err := os.Open(e.Path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	return io.Copy(w, f)
}

// made describes a file that is made for the stream, of so many bytes.
type made int

func (n made) Name() string     { return ".dockerignore" }
func (n made) Size() int64      { return int64(n) }
func (made) Mode() fs.FileMode  { return 0o644 }
func (made) ModTime() time.Time { return Time }
func (made) IsDir() bool        { return false }
func (made) Sys() any           { return nil }
