package bundle

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
)

// jsonLines is a file of the spool with JSON on each line. It has no lock of its own.
type jsonLines struct {
	file  *os.File
	w     *bufio.Writer
	count int
	size  int64
}

func (l *jsonLines) create(folder, name string) error {
	file, err := os.OpenFile(filepath.Join(folder, name), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	l.file, l.w = file, bufio.NewWriter(file)
	return nil
}

func (l *jsonLines) add(line []byte) error {
	n, err := l.w.Write(append(line, '\n'))
	l.size += int64(n)
	if err == nil {
		l.count++
	}
	return err
}

// text is what was added so far.
func (l *jsonLines) text() (io.Reader, int64, error) {
	if err := l.w.Flush(); err != nil {
		return nil, 0, err
	}
	return io.NewSectionReader(l.file, 0, l.size), l.size, nil
}

func (l *jsonLines) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
