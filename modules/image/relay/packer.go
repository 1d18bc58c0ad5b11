package relay

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packing is what all feeds that compress share. It bounds their memory: they
// take turns for its rooms.
type packing struct {
	codec  string
	always bool
	rooms  chan *room
	zstd   *zstd.Encoder
}

// room is the memory that one chunk takes; it is used again and again.
type room struct {
	raw    []byte
	packed bytes.Buffer
	gzip   *gzip.Writer
}

const rooms = 2

// newPacking compresses with codec; always, or as long as it saves time.
func newPacking(codec string, always bool) (*packing, error) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return nil, fmt.Errorf("compress the cargo: %w", err)
	}
	p := &packing{codec: codec, always: always, rooms: make(chan *room, rooms), zstd: encoder}
	for range rooms {
		p.rooms <- &room{}
	}
	return p, nil
}

func (p *packing) close() { _ = p.zstd.Close() } // which cannot fail: it writes nowhere

// packer compresses the chunks of one feed: it knows what compressing costs and
// yields, and how fast the link takes bytes.
type packer struct {
	*packing
	speed float64 // bytes a second that the compressor takes
	ratio float64 // what it leaves of a byte
	link  float64 // bytes a second that the link takes
	since time.Time
	last  int64 // bytes of the chunk before
	count int
}

const (
	// probeEvery is how many chunks go uncompressed before it is tried again.
	probeEvery = 16
	// worth is what a compressed chunk may have of its bytes at most.
	worth = 0.97
)

// chunk gives the chunk as it shall travel, and a function to call when it has;
// nil where it needs none.
func (p *packer) chunk(ctx context.Context, plain *io.SectionReader) (io.ReadSeeker, string, func(), error) {
	if p.last > 0 {
		p.link = float64(p.last) / time.Since(p.since).Seconds()
	}
	p.count++
	if !p.always && p.count > 1 && p.count%probeEvery != 0 && !p.pays() {
		p.since, p.last = time.Now(), plain.Size()
		return plain, "raw", nil, nil
	}
	var r *room
	select {
	case r = <-p.rooms:
	case <-ctx.Done():
		return nil, "", nil, context.Cause(ctx)
	}
	began := time.Now()
	packed, err := p.compress(plain, r)
	p.since = time.Now()
	if err != nil {
		p.rooms <- r
		return nil, "", nil, fmt.Errorf("compress the cargo: %w", err)
	}
	p.speed = float64(plain.Size()) / p.since.Sub(began).Seconds()
	p.ratio = float64(len(packed)) / float64(plain.Size())
	if p.ratio > worth {
		p.rooms <- r
		p.last = plain.Size()
		return plain, "raw", nil, nil
	}
	p.last = int64(len(packed))
	return bytes.NewReader(packed), p.codec, func() { p.rooms <- r }, nil
}

// pays: the time to compress is less than what the bytes saved would take.
func (p *packer) pays() bool {
	return p.ratio <= worth && (p.link == 0 || 1/p.speed < (1-p.ratio)/p.link)
}

func (p *packer) compress(plain *io.SectionReader, r *room) ([]byte, error) {
	if r.raw == nil {
		r.raw = make([]byte, chunkSize)
		r.packed.Grow(chunkSize)
	}
	raw := r.raw[:plain.Size()]
	if _, err := plain.ReadAt(raw, 0); err != nil && err != io.EOF {
		return nil, err
	}
	r.packed.Reset()
	if p.codec == "zstd" {
		return p.zstd.EncodeAll(raw, r.packed.AvailableBuffer()), nil
	}
	if r.gzip == nil {
		var err error
		if r.gzip, err = gzip.NewWriterLevel(&r.packed, gzip.BestSpeed); err != nil {
			return nil, err
		}
	}
	r.gzip.Reset(&r.packed)
	if _, err := r.gzip.Write(raw); err != nil {
		return nil, err
	}
	err := r.gzip.Close()
	return r.packed.Bytes(), err
}
