package store

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Memory for one zstd stream: as much as its default settings ever need.
const zstdMemory = 16 << 20

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// unpacked gives what r holds, unpacked if it is gzip or zstd. stop must be
// called at the end.
func unpacked(r io.Reader) (plain io.Reader, packed bool, stop func(), err error) {
	in := &source{r: r}
	buf := bufio.NewReaderSize(in, 1<<17)
	magic, err := buf.Peek(len(zstdMagic))
	if err != nil && err != io.EOF {
		return nil, false, nil, err
	}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		z, err := gzip.NewReader(buf)
		if err != nil {
			return nil, true, nil, in.blame(err)
		}
		return &unpacker{z, in}, true, func() {}, nil
	case bytes.Equal(magic, zstdMagic):
		z, err := zstd.NewReader(buf, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdMemory))
		if err != nil {
			return nil, true, nil, in.blame(err)
		}
		return &unpacker{z, in}, true, z.Close, nil
	}
	return buf, false, func() {}, nil
}

// unpackError is a fault of packed bytes, not of what they were read from.
type unpackError struct{ err error }

func (e *unpackError) Error() string { return e.err.Error() }
func (e *unpackError) Unwrap() error { return e.err }

// source remembers how reading it failed.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

func (s *source) blame(err error) error {
	switch {
	case err == nil || err == io.EOF:
		return err
	case s.err != nil:
		return s.err
	case errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	return &unpackError{err}
}

// unpacker tells faults of the packed bytes from those of their source.
type unpacker struct {
	r  io.Reader
	in *source
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	return n, u.in.blame(err)
}
