package shell

import (
	"context"
	"io"
	"sync"
)

// Open starts reading name, and returns when the first bytes or the refusal
// have come.
func (f files) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	ctx, cancel := context.WithCancel(ctx)
	pr, pw := io.Pipe()
	s := &stream{PipeReader: pr, cancel: cancel, done: make(chan struct{})}
	first := &firstWrite{w: pw, seen: make(chan struct{})}

	go func() {
		defer close(s.done)
		cmd := script("file_open", name)
		cmd.Stdout = first
		_, err := f.run.Run(ctx, cmd)
		s.err = explain("open", name, err)
		pw.CloseWithError(s.err) // nil makes it io.EOF
	}()

	select {
	case <-first.seen:
		return s, nil
	case <-s.done:
		if s.err != nil {
			cancel()
			return nil, s.err
		}
		return s, nil // an empty file
	}
}

// stream is an open file; Close ends the command that reads it.
type stream struct {
	*io.PipeReader
	cancel context.CancelFunc
	done   chan struct{}
	err    error
}

func (s *stream) Close() error {
	s.cancel()
	_ = s.PipeReader.Close()
	<-s.done
	return nil
}

// firstWrite tells when something is written for the first time.
type firstWrite struct {
	w    io.Writer
	once sync.Once
	seen chan struct{}
}

func (f *firstWrite) Write(p []byte) (int, error) {
	f.once.Do(func() { close(f.seen) })
	return f.w.Write(p)
}
