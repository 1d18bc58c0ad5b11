package store

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/klauspost/compress/zstd"
)

// Fault is what is wrong with an archive or with the disk, in words of an
// operator, and what to do about it.
type Fault struct {
	Text   string
	Remedy string
	Err    error // what it was found out by, if that was an error
}

func (f *Fault) Error() string {
	if f.Err != nil {
		return f.Text + ": " + f.Err.Error()
	}
	return f.Text
}

func (f *Fault) Unwrap() error { return f.Err }

const (
	copyAgain = "copy it again in binary mode and compare the checksums of both files, or save the image again"
	saveIt    = "make it with docker save (not with docker export), or as an OCI layout with skopeo, buildah or docker buildx"
	askAbout  = "no container engine writes such archives: ask where it comes from, and save the image again"
)

// damaged is an archive whose parts are not what they should be.
func damaged(format string, args ...any) *Fault {
	return &Fault{Text: "the archive is damaged: " + fmt.Sprintf(format, args...), Remedy: copyAgain}
}

// foreign is a file that is no archive of an image.
func foreign(format string, args ...any) *Fault {
	return &Fault{Text: fmt.Sprintf(format, args...), Remedy: saveIt}
}

// suspicious is an archive that was not written by an engine.
func suspicious(format string, args ...any) *Fault {
	return &Fault{Text: fmt.Sprintf(format, args...), Remedy: askAbout}
}

// diskFull is a store that has no room.
func diskFull(dir string, err error) *Fault {
	return &Fault{Text: "the disk of " + dir + " is full", Err: err,
		Remedy: "free space there, or set XDG_CACHE_HOME to a folder on a larger disk"}
}

// explain says what an error means that came up in the middle of what.
func explain(err error, what, dir string) error {
	var known *Fault
	var unpack *unpackError
	switch {
	case err == nil, errors.As(err, &known):
		return err
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return diskFull(dir, err)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Fault{Text: "the archive is cut short, in the middle of " + what, Remedy: copyAgain}
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return &Fault{Text: what + " cannot be unpacked in the memory there is for it", Err: err,
			Remedy: "compress it again without zstd's --long and --ultra"}
	case errors.As(err, &unpack):
		return &Fault{Text: "the archive is damaged: " + what + " cannot be unpacked", Err: unpack.err, Remedy: copyAgain}
	case errors.Is(err, tar.ErrHeader):
		return damaged("what comes after %s makes no sense", what)
	}
	return fmt.Errorf("%s: %w", what, err)
}
