package rootfs

import (
	"errors"
	"io"
)

// skipper reads a layer's headers and skips its contents: small ones within its
// buffer, large ones by going on behind them. It knows where it is, which the
// tar reader does not tell.
type skipper struct {
	r    io.ReaderAt
	size int64
	at   int64 // position of the next byte
	buf  []byte
	low  int64 // position of buf[0]
	have int
}

// skipBuffer holds the headers and contents of many small files; most files of
// an image are smaller.
const skipBuffer = 16 << 10

func newSkipper(r io.ReaderAt, size int64) *skipper {
	return &skipper{r: r, size: size, buf: make([]byte, skipBuffer)}
}

func (s *skipper) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if s.at < s.low || s.at >= s.low+int64(s.have) {
		if s.at >= s.size {
			return 0, io.EOF
		}
		n, err := s.r.ReadAt(s.buf, s.at)
		s.low, s.have = s.at, n
		if n == 0 {
			return 0, err
		}
	}
	n := copy(p, s.buf[s.at-s.low:s.have])
	s.at += int64(n)
	return n, nil
}

var errSeek = errors.New("a size that no file has")

// Seek is what the tar reader skips with: relative to where it is.
func (s *skipper) Seek(offset int64, whence int) (int64, error) {
	if whence != io.SeekCurrent || offset < 0 || s.at+offset < s.at {
		return s.at, errSeek
	}
	s.at += offset
	return s.at, nil
}
