package evidence

import (
	"errors"
	"io"
)

// Stream keeps as a log what write writes, as it comes. write begins when the
// recorder reads, so one that wants no log fetches none; a recorder that has
// enough ends it by a failure to write, which is no error. What was written
// before write failed is kept, and its error is given.
func Stream(rec Recorder, log Log, write func(w io.Writer) error) error {
	s := &stream{write: write}
	err := rec.Log(log, s)
	if s.r == nil {
		return err
	}
	_ = s.r.Close()
	<-s.over
	if s.err != nil && !errors.Is(s.err, io.ErrClosedPipe) {
		return s.err // err, if any, says no more
	}
	return err
}

// stream is the text of a writer that starts with the first look at it.
type stream struct {
	write func(io.Writer) error
	r     *io.PipeReader // nil before
	over  chan struct{}  // closed when err is set
	err   error
}

func (s *stream) Read(p []byte) (int, error) {
	if s.r == nil {
		s.over = make(chan struct{})
		r, w := io.Pipe()
		s.r = r
		go func() {
			defer close(s.over)
			s.err = s.write(w)
			_ = w.CloseWithError(s.err)
		}()
	}
	return s.r.Read(p)
}
