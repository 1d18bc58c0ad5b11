package layerdb

import (
	"fmt"
	"io"
	"os"
	"path"
	"sort"
	"strings"
	"sync"
)

// layer is a layer in Docker's folder.
type layer struct {
	cacheID string
	digest  string
	files   string // folder of its files
	size    int64  // of its tar
	pieces  []piece
}

// reader reads a layer's tar. It keeps the last file open, for readers go on
// where they are.
type reader struct {
	layer *layer
	root  *os.Root // nil when files read as zeros

	mu   sync.Mutex
	name string
	file *os.File
}

// ReadAt reads from pieces one after the other.
func (r *reader) ReadAt(b []byte, at int64) (n int, err error) {
	list := r.layer.pieces
	i := sort.Search(len(list), func(i int) bool { return list[i].at+list[i].size > at })
	for ; i < len(list) && n < len(b); i++ {
		p := list[i]
		from := at + int64(n) - p.at
		part := b[n:min(int64(len(b)), int64(n)+p.size-from)]
		switch {
		case p.file == "":
			copy(part, p.raw[from:])
		case r.root == nil:
			clear(part)
		default:
			if err := r.read(p, part, from); err != nil {
				return n, err
			}
		}
		n += len(part)
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// read reads from a file of the layer.
func (r *reader) read(p piece, b []byte, from int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.name != p.file || r.file == nil {
		f, err := r.root.Open(strings.TrimPrefix(path.Clean("/"+p.file), "/"))
		if err != nil {
			return fmt.Errorf("layer %s: %w", r.layer.digest, err)
		}
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() != p.size {
			_ = f.Close()
			return fmt.Errorf("layer %s: %s in %s is not the file of %d bytes that Docker put there", r.layer.digest, p.file, r.layer.files, p.size)
		}
		if r.file != nil {
			_ = r.file.Close()
		}
		r.name, r.file = p.file, f
	}
	if _, err := r.file.ReadAt(b, from); err != nil {
		return fmt.Errorf("layer %s: %s: %w", r.layer.digest, p.file, err)
	}
	return nil
}

// Close ends reading.
func (r *reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		_ = r.file.Close() // it was only read
		r.file = nil
	}
	if r.root == nil {
		return nil
	}
	return r.root.Close()
}
