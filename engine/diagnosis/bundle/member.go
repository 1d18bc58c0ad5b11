package bundle

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// buffers are lent to readers of files, so that opening many costs little.
var buffers = sync.Pool{New: func() any { return &buffer{} }}

type buffer struct{ packed, plain []byte }

// content reads a file of the tar, one frame at a time.
type content struct {
	bundle *Bundle
	frames []frame
	left   int64 // bytes of the file in the frames
	buf    *buffer
	rest   []byte // of the last frame
}

func (b *Bundle) open(m member) io.Reader {
	return &content{bundle: b, frames: m.frames, left: m.whole}
}

func (c *content) Read(p []byte) (int, error) {
	for len(c.rest) == 0 {
		if c.left == 0 || len(c.frames) == 0 {
			c.release()
			return 0, io.EOF
		}
		if err := c.next(); err != nil {
			c.release()
			c.frames = nil
			return 0, err
		}
	}
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// next decompresses a frame.
func (c *content) next() error {
	if c.buf == nil {
		c.buf = buffers.Get().(*buffer)
	}
	text, err := c.bundle.unpack(c.frames[0], c.buf)
	if err != nil {
		return err
	}
	c.frames = c.frames[1:]
	c.rest = text[:min(c.left, int64(len(text)))]
	c.left -= int64(len(c.rest))
	return nil
}

func (c *content) release() {
	if c.buf != nil {
		buffers.Put(c.buf)
		c.buf, c.rest = nil, nil
	}
}

// decode gives the content of a frame.
func (b *Bundle) decode(f frame) ([]byte, error) { return b.unpack(f, &buffer{}) }

// unpack gives the content of a frame in the buffer's memory.
func (b *Bundle) unpack(f frame, buf *buffer) ([]byte, error) {
	if int64(cap(buf.packed)) < f.length {
		buf.packed = make([]byte, f.length)
	}
	packed := buf.packed[:f.length]
	if _, err := b.file.ReadAt(packed, f.at); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	text, err := b.decoder.DecodeAll(packed, buf.plain[:0])
	if err != nil {
		return nil, fmt.Errorf("the bundle is damaged at byte %d: %w", f.at, err)
	}
	if int64(len(text)) != f.content {
		return nil, fmt.Errorf("the bundle is damaged at byte %d", f.at)
	}
	buf.plain = text
	return text, nil
}
