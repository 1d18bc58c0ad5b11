package store

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// ReadArchive takes the image out of an archive on this machine. pick names one
// of several; progress is told bytes of the file.
func (s Store) ReadArchive(ctx context.Context, file, pick string, progress func(done, total int64)) (*Image, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReader(f)
	var r io.Reader = in
	if magic, _ := in.Peek(2); string(magic) == "\x1f\x8b" {
		if r, err = gzip.NewReader(in); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
	}
	id, err := s.Ingest(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return s.Lookup(id)
}
