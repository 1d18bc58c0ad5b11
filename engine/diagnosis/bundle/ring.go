package bundle

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// ring is a file that keeps the last bound bytes of what is written to it.
type ring struct {
	file    *os.File
	bound   int64
	written int64
}

func (r *ring) Write(p []byte) (int, error) {
	n := len(p)
	if over := int64(n) - r.bound; over > 0 {
		r.written += over
		p = p[over:]
	}
	for len(p) > 0 {
		at := r.written % r.bound
		part := p[:min(int64(len(p)), r.bound-at)]
		if _, err := r.file.WriteAt(part, at); err != nil {
			return 0, err
		}
		r.written += int64(len(part))
		p = p[len(part):]
	}
	return n, nil
}

// kept is a log as it lies in a ring's file.
type kept struct {
	path         string
	start, bytes int64 // where the text begins in the file, and how much there is
	size         int64 // of the text, with its note
	note         string
}

// finish closes the file and says what is in it. Text that was cut begins with
// a line, and with a note of how much is missing.
func (r *ring) finish() (kept, error) {
	k := kept{path: r.file.Name(), bytes: min(r.written, r.bound)}
	if cut := r.written - r.bound; cut > 0 {
		k.start = r.written % r.bound
		partial, err := firstLine(k.reader(r.file))
		if err != nil {
			return k, errors.Join(err, r.file.Close())
		}
		k.start, k.bytes = (k.start+partial)%r.bound, k.bytes-partial
		k.note = fmt.Sprintf("[antdbctl: %d bytes before this are left out]\n", cut+partial)
	}
	k.size = k.bytes + int64(len(k.note))
	return k, r.file.Close()
}

// firstLine is how long the first line is; 0 when it is all there is.
func firstLine(r io.Reader) (int64, error) {
	var n int64
	for b := bufio.NewReaderSize(r, 64<<10); ; {
		part, err := b.ReadSlice('\n')
		n += int64(len(part))
		switch {
		case err == nil:
			if _, err := b.Peek(1); err != nil {
				return 0, nil
			}
			return n, nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF):
			return 0, nil
		default:
			return 0, err
		}
	}
}

// reader reads the text without its note.
func (k kept) reader(file io.ReaderAt) io.Reader {
	// Before the file is full, the text begins at 0 and does not reach around.
	first := io.NewSectionReader(file, k.start, k.bytes)
	if k.start == 0 {
		return first
	}
	return io.LimitReader(io.MultiReader(io.NewSectionReader(file, k.start, 1<<62), io.NewSectionReader(file, 0, k.start)), k.bytes)
}

// open reads the text with its note.
func (k kept) open() (io.ReadCloser, error) {
	file, err := os.Open(k.path)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader([]byte(k.note)), k.reader(file)), file}, nil
}
