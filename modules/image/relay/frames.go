package relay

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// chunkSize is what a cut costs at most, and what a station keeps of the cargo
// twice. A chain's last node is as many chunks behind as there are nodes.
const chunkSize = 2 << 20

func chunksOf(c Cargo) int { return int((c.Size() + chunkSize - 1) / chunkSize) }

// frames reads as chunks from up to to of a cargo as stations take them, each
// behind a line "chunk SEQ BYTES CODEC SHA256" about the bytes that follow.
type frames struct {
	ctx   context.Context // ends a wait for room to compress
	cargo Cargo
	next  int
	to    int
	pack  *packer // nil sends as is

	head []byte
	body io.Reader
	room func() // gives back what the body takes
	sent func(wire int64)
}

func (f *frames) Read(p []byte) (int, error) {
	for {
		if len(f.head) > 0 {
			n := copy(p, f.head)
			f.head = f.head[n:]
			return n, nil
		}
		if f.body != nil {
			n, err := f.body.Read(p)
			if n > 0 || err != io.EOF {
				f.sent(int64(n))
				return n, err
			}
			f.close()
		}
		if f.next >= f.to {
			return 0, io.EOF
		}
		if err := f.open(); err != nil {
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
	f.head = fmt.Appendf(nil, "chunk %d %d %s %s\n", f.next, size, codec, hex.EncodeToString(sum.Sum(nil)))
	f.body = wire
	f.next++
	return nil
}

func (f *frames) close() {
	f.body = nil
	if f.room != nil {
		f.room()
		f.room = nil
	}
}

// packer compresses chunks as long as that saves time: it knows what
// compressing costs and yields, and how fast the link takes bytes. Compression
// of several feeds takes turns, which bounds its memory.
type packer struct {
	codec  string
	always bool
	rooms  chan struct{}
	zstd   *zstd.Encoder

	speed float64 // bytes a second that the compressor takes
	ratio float64 // what it leaves of a byte
	link  float64 // bytes a second that the link takes
	since time.Time
	last  int64 // bytes of the chunk before
	count int
}

// probeEvery is how many chunks go uncompressed before it is tried again.
const probeEvery = 16

// chunk gives the chunk as it shall travel, and a function to call when it has.
func (p *packer) chunk(ctx context.Context, plain *io.SectionReader) (io.ReadSeeker, string, func(), error) {
	if p.last > 0 {
		p.link = float64(p.last) / time.Since(p.since).Seconds()
	}
	p.count++
	if !p.always && p.count > 1 && p.count%probeEvery != 0 && !p.pays() {
		p.since, p.last = time.Now(), plain.Size()
		return plain, "raw", nil, nil
	}
	select {
	case p.rooms <- struct{}{}:
	case <-ctx.Done():
		return nil, "", nil, context.Cause(ctx)
	}
	began := time.Now()
	packed, err := p.compress(plain)
	p.since = time.Now()
	if err != nil {
		<-p.rooms
		return nil, "", nil, fmt.Errorf("compress the cargo: %w", err)
	}
	p.speed = float64(plain.Size()) / p.since.Sub(began).Seconds()
	p.ratio = float64(len(packed)) / float64(plain.Size())
	if p.ratio > 0.97 {
		<-p.rooms
		p.last = plain.Size()
		_, err := plain.Seek(0, io.SeekStart)
		return plain, "raw", nil, err
	}
	p.last = int64(len(packed))
	return bytes.NewReader(packed), p.codec, func() { <-p.rooms }, nil
}

// pays: the time to compress is less than what the bytes saved would take.
func (p *packer) pays() bool {
	return p.ratio <= 0.97 && (p.link == 0 || 1/p.speed < (1-p.ratio)/p.link)
}

func (p *packer) compress(plain *io.SectionReader) ([]byte, error) {
	raw := make([]byte, plain.Size())
	if _, err := plain.ReadAt(raw, 0); err != nil && err != io.EOF {
		return nil, err
	}
	if p.codec == "zstd" {
		return p.zstd.EncodeAll(raw, make([]byte, 0, len(raw)/2)), nil
	}
	var out bytes.Buffer
	zip, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	if _, err := zip.Write(raw); err != nil {
		return nil, err
	}
	err = zip.Close()
	return out.Bytes(), err
}
