package relay

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// chunkSize is what a cut costs at most, and what a station keeps of the cargo
// twice. A chain's last node is as many chunks behind as there are nodes.
const chunkSize = 2 << 20

func chunksOf(c Cargo) int { return int((c.Size() + chunkSize - 1) / chunkSize) }

// frames reads as the chunks from next up to to of a cargo as stations take
// them: behind a line "chunk SEQ BYTES CODEC SHA256" of 96 bytes come those that
// it tells of. Whoever reads may still be at it when the feed has ended.
type frames struct {
	cargo Cargo
	to    int
	pack  *packer // nil sends as is
	taken atomic.Int64

	ctx  context.Context // ends a wait for room to compress
	stop context.CancelFunc

	mu   sync.Mutex
	next int
	head []byte
	body io.Reader
	room func() // gives back what the body takes; nil for nothing
	err  error  // why the cargo cannot be read
}

func newFrames(ctx context.Context, cargo Cargo, next, to int, pack *packer) *frames {
	f := &frames{cargo: cargo, next: next, to: to, pack: pack}
	f.ctx, f.stop = context.WithCancel(ctx)
	f.taken.Store(time.Now().UnixNano())
	return f
}

// lastTaken is when the link last took bytes.
func (f *frames) lastTaken() time.Time { return time.Unix(0, f.taken.Load()) }

func (f *frames) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken.Store(time.Now().UnixNano())
	for {
		if f.ctx.Err() != nil {
			return 0, context.Cause(f.ctx)
		}
		if len(f.head) > 0 {
			n := copy(p, f.head)
			f.head = f.head[n:]
			return n, nil
		}
		if f.body != nil {
			n, err := f.body.Read(p)
			if n > 0 || err != io.EOF {
				return n, err
			}
			f.leave()
		}
		if f.next >= f.to {
			return 0, io.EOF
		}
		if err := f.open(); err != nil {
			if f.ctx.Err() == nil {
				f.err = err
			}
			return 0, err
		}
	}
}

// open makes the next chunk ready.
func (f *frames) open() error {
	at := int64(f.next) * chunkSize
	plain := io.NewSectionReader(f.cargo, at, min(chunkSize, f.cargo.Size()-at))
	codec := "raw"
	var wire io.ReadSeeker = plain
	if f.pack != nil {
		var err error
		if wire, codec, f.room, err = f.pack.chunk(f.ctx, plain); err != nil {
			return err
		}
	}
	sum := sha256.New()
	size, err := io.Copy(sum, wire)
	if err != nil {
		return fmt.Errorf("read the cargo: %w", err)
	}
	if _, err := wire.Seek(0, io.SeekStart); err != nil {
		return err
	}
	f.head = fmt.Appendf(nil, "%-95s\n", fmt.Sprintf("chunk %d %d %s %s", f.next, size, codec, hex.EncodeToString(sum.Sum(nil))))
	f.body = wire
	f.next++
	return nil
}

// leave gives back what the chunk at hand took.
func (f *frames) leave() {
	f.body = nil
	if f.room != nil {
		f.room()
		f.room = nil
	}
}

// close ends the frames wherever they are, and tells what was wrong with the
// cargo.
func (f *frames) close() error {
	f.stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.leave()
	return f.err
}
