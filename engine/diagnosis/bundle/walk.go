package bundle

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

// What is read of a bundle at most, whatever it declares. They are far above
// what is ever packed.
const (
	mostFrames     = 1 << 18
	mostBlocks     = 1 << 10 // of a frame
	largestFrame   = 8 << 20
	largestTotal   = 32 << 30
	expandsFreely  = 4 << 30 // up to here any ratio is believed
	largestRatio   = 1000    // of what is more
	longestName    = 256
	largestFacts   = 64 << 20
	largestSummary = 16 << 20 // the manifest
)

// frame is a Zstandard frame of a file: where it is, and how much it holds.
type frame struct {
	at, length int64
	content    int64
}

// member is a file of the tar.
type member struct {
	name   string
	size   int64 // declared
	whole  int64 // of it, in frames that are there
	frames []frame
}

// walker goes over the frames of a file without decompressing them.
type walker struct {
	file  io.ReaderAt
	size  int64
	at    int64
	total int64
	count int

	// The part of the file that was read last.
	buf   []byte
	bufAt int64
}

// errCut says that the file ends in a frame.
var errCut = errors.New("the file is cut off")

// peek gives up to n bytes at a position.
func (w *walker) peek(at int64, n int) ([]byte, error) {
	if at < w.bufAt || at+int64(n) > w.bufAt+int64(len(w.buf)) {
		if w.buf == nil {
			w.buf = make([]byte, 0, 4<<10)
		}
		w.bufAt = at
		m, err := w.file.ReadAt(w.buf[:cap(w.buf)], at)
		w.buf = w.buf[:m]
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
	}
	from := at - w.bufAt
	return w.buf[from:min(from+int64(n), int64(len(w.buf)))], nil
}

// next gives the next frame with content; io.EOF when there is none.
func (w *walker) next() (frame, error) {
	for {
		if w.count++; w.count > mostFrames {
			return frame{}, fmt.Errorf("it has more than %d frames", mostFrames)
		}
		if w.at >= w.size {
			return frame{}, io.EOF
		}
		head, err := w.peek(w.at, zstd.HeaderMaxSize)
		if err != nil {
			return frame{}, err
		}
		var h zstd.Header
		if err := h.Decode(head); err != nil {
			if errors.Is(err, io.ErrUnexpectedEOF) {
				return frame{}, errCut
			}
			return frame{}, fmt.Errorf("no frame at byte %d", w.at)
		}
		if h.Skippable {
			w.at += int64(h.HeaderSize) + int64(h.SkippableSize)
			if w.at > w.size {
				return frame{}, errCut
			}
			continue
		}
		return w.content(h)
	}
}

// content goes over the blocks of the frame that begins with h.
func (w *walker) content(h zstd.Header) (frame, error) {
	f := frame{at: w.at, content: int64(h.FrameContentSize)}
	if !h.HasFCS || h.FrameContentSize > largestFrame || h.WindowSize > 2*largestFrame {
		return f, fmt.Errorf("the frame at byte %d declares no size, or too large a one", w.at)
	}
	at := w.at + int64(h.HeaderSize)
	for n := 0; ; n++ {
		b, err := w.peek(at, 3)
		if err != nil {
			return f, err
		}
		if len(b) < 3 {
			return f, errCut
		}
		bits := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16
		length := int64(bits >> 3)
		if bits>>1&3 == 1 { // one byte, repeated
			length = 1
		}
		at += 3 + length
		if n > mostBlocks || at-w.at > largestFrame+largestFrame/8 {
			return f, fmt.Errorf("the frame at byte %d is too long", w.at)
		}
		if bits&1 == 1 {
			break
		}
	}
	if h.HasCheckSum {
		at += 4
	}
	if at > w.size {
		return f, errCut
	}
	f.length = at - f.at
	w.at = at
	w.total += f.content
	if w.total > largestTotal || w.total > expandsFreely && w.total/largestRatio > w.size {
		return f, fmt.Errorf("it declares to hold %d MiB, which is not believed", w.total>>20)
	}
	return f, nil
}

// walk gives the files of a bundle. What is found before an error is given with
// it; end tells that the tar's end was there.
func walk(file io.ReaderAt, size int64, decode func(frame) ([]byte, error)) (members []member, end bool, err error) {
	w := &walker{file: file, size: size}
	for {
		f, err := w.next()
		if err != nil {
			return members, false, err
		}
		if f.content == 2*block {
			return members, true, nil
		}
		if f.content != block {
			return members, false, fmt.Errorf("there is no tar header at byte %d", f.at)
		}
		text, err := decode(f)
		if err != nil {
			return members, false, err
		}
		m, err := parseHeader(text)
		if err != nil {
			return members, false, err
		}
		err = w.fill(&m)
		members = append(members, m)
		if err != nil {
			return members, false, err
		}
	}
}

// parseHeader reads a tar header. Links, devices and all that is no file is an
// error: antdbctl has not written it.
func parseHeader(text []byte) (member, error) {
	h, err := tar.NewReader(bytes.NewReader(text)).Next()
	if err != nil {
		return member{}, fmt.Errorf("a tar header: %w", err)
	}
	if h.Typeflag != tar.TypeReg || h.Size < 0 || h.Size > largestTotal || len(h.Name) > longestName {
		return member{}, fmt.Errorf("%.64q is no plain file", h.Name)
	}
	return member{name: h.Name, size: h.Size}, nil
}

// fill takes the frames of a file's content.
func (w *walker) fill(m *member) error {
	for got, needed := int64(0), m.size+padding(m.size); got < needed; {
		f, err := w.next()
		if errors.Is(err, io.EOF) {
			return errCut
		}
		if err != nil {
			return err
		}
		if got += f.content; f.content == 0 || got > needed {
			return fmt.Errorf("%s: its content has another size than its header says", m.name)
		}
		m.frames = append(m.frames, f)
		m.whole = min(got, m.size)
	}
	return nil
}
