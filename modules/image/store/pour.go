package store

import (
	"fmt"
	"hash"
	"io"
	"sync"
	"syscall"
)

const (
	chunk     = 1 << 17  // stays in the caches of two cores
	askedEach = 64 << 20 // bytes between two looks at the room on the disk
)

var chunks = sync.Pool{New: func() any { return new([chunk]byte) }}

// pour copies r to w and into sum, which is done beside the copying.
func (in *incoming) pour(w io.Writer, sum hash.Hash, r io.Reader) (n int64, err error) {
	full, done := make(chan []byte), make(chan struct{})
	var free [2]*[chunk]byte
	for i := range free {
		free[i] = chunks.Get().(*[chunk]byte)
		defer chunks.Put(free[i])
	}
	go func() {
		defer close(done)
		for b := range full {
			sum.Write(b)
		}
	}()
	defer func() { close(full); <-done }()
	for turn := 0; ; turn++ {
		b := free[turn%2][:]
		got, end := fill(r, b)
		if got > 0 {
			full <- b[:got] // taken only when the chunk before is summed up, so its buffer is free
			n += int64(got)
			if err := in.allow(int64(got), w != io.Discard); err != nil {
				return n, err
			}
			if _, err := w.Write(b[:got]); err != nil {
				return n, err
			}
		}
		if end == io.EOF {
			return n, nil
		}
		if end != nil {
			return n, end
		}
	}
}

// fill is io.ReadFull, but gives the reader's own error.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var got int
		got, err = r.Read(b[n:])
		n += got
	}
	return n, err
}

// allow counts bytes unpacked, and stops what unpacks without end and what
// would fill the disk.
func (in *incoming) allow(n int64, written bool) error {
	in.kept += n
	if in.kept > in.floor+in.ratio*in.read {
		return suspicious("the archive unpacks to more than %d times its size: it is a bomb, not an image", in.ratio)
	}
	if !written || in.kept-in.checked < askedEach && in.checked > 0 {
		return nil
	}
	in.checked = in.kept
	var disk syscall.Statfs_t
	if err := syscall.Statfs(in.dir, &disk); err != nil {
		return nil // then the writing will say
	}
	if room := int64(disk.Bavail) * int64(disk.Bsize); room < in.free {
		return diskFull(in.store.dir, fmt.Errorf("%d MiB are free, and %d MiB shall stay free", room>>20, in.free>>20))
	}
	return nil
}
