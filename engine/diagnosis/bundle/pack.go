package bundle

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// Packing says how a bundle is written.
type Packing struct {
	Program   string // and its version, for the manifest
	Overwrite bool
}

// Summary is what is in a bundle that was written.
type Summary struct {
	Path     string
	Size     int64 // of the file
	Facts    int
	Logs     int
	LogBytes int64
	Gaps     []evidence.Gap
	Redacted map[string]int // secrets that were hidden, by kind
}

// Pack writes what is in the spool into one file, which only its owner may
// read: whole or not at all.
func (s *Spool) Pack(path string, p Packing) (Summary, error) {
	if _, err := os.Lstat(path); err == nil && !p.Overwrite {
		return Summary{}, fmt.Errorf("%s: %w", path, fs.ErrExist)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return Summary{}, err
	}
	defer os.Remove(temp.Name())
	sum, err := s.write(temp, p)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return Summary{}, fmt.Errorf("write %s: %w", path, err)
	}
	if err := place(temp.Name(), path, p.Overwrite); err != nil {
		return Summary{}, err
	}
	sum.Path = path
	return sum, nil
}

// place gives the finished file its name.
func place(temp, path string, overwrite bool) error {
	if overwrite {
		if err := os.Rename(temp, path); err != nil {
			return err
		}
	} else if err := os.Link(temp, path); err != nil { // unlike a rename, fails where something is
		return err
	}
	folder, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

func (s *Spool) write(file io.Writer, p Packing) (Summary, error) {
	s.mu.Lock()
	tape, size, err := s.answers.text()
	answers := s.answers.count
	s.mu.Unlock()
	if err != nil {
		return Summary{}, err
	}
	m, logs, facts, err := s.contents(p)
	if err != nil {
		return Summary{}, err
	}
	m.Tape = answers
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return Summary{}, err
	}
	w, err := newFrames(file)
	if err != nil {
		return Summary{}, err
	}
	w.skip(magic)
	w.member(manifestFile, int64(len(text)), bytes.NewReader(text), m)
	w.member(factsFile, int64(len(facts)), bytes.NewReader(facts), m)
	w.member(tapeFile, size, tape, m)
	sum := Summary{Facts: m.Facts, Logs: len(m.Logs), Gaps: m.Gaps, Redacted: m.Redacted}
	for n, l := range m.Logs {
		sum.LogBytes += l.Bytes
		w.log(l, logs[n].text, m)
	}
	w.frame(make([]byte, 2*block))
	sum.Size, err = w.close()
	return sum, err
}

// contents says what is to be written.
func (s *Spool) contents(p Packing) (manifest, []spooled, []byte, error) {
	lines, err := s.factLines()
	if err != nil {
		return manifest{}, nil, nil, err
	}
	m := manifest{Bundle: version, Program: p.Program, Taken: s.options.Taken, Gaps: s.Dossier().Gaps()}
	var facts []byte
	for l := range lines {
		facts = append(facts, l...)
		m.Facts++
	}
	logs := s.sorted()
	for n, l := range logs {
		m.Logs = append(m.Logs, logFile{fileName(n, l.log), l.log.Kind, l.log.Name, l.log.Place, l.log.Previous, l.text.size})
	}
	m.Redacted = maps.Clone(s.Redacted())
	return m, logs, facts, nil
}

// fileName names a log for people who look into the tar.
func fileName(n int, l evidence.Log) string {
	name := fmt.Sprintf("logs/%04d-%s", n+1, l.Kind)
	for _, part := range []string{l.Place.Node, l.Place.Pod, l.Place.Container} {
		if part != "" {
			name += "-" + part
		}
	}
	if l.Previous {
		name += "-previous"
	}
	plain := strings.Map(func(r rune) rune {
		if r == '/' || r == '.' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, name)
	return plain[:min(len(plain), 90)] + ".log"
}

// frames writes Zstandard frames in order, compressing some at once. After the
// first error it does nothing.
type frames struct {
	encoder *zstd.Encoder
	queue   chan chan []byte
	done    chan struct{} // closed when the writer has ended
	err     error         // the writer's, after done
	written int64
	fault   error // a file's
}

func newFrames(file io.Writer) (*frames, error) {
	parallel := runtime.GOMAXPROCS(0)
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(parallel), zstd.WithWindowSize(frameSize))
	if err != nil {
		return nil, err
	}
	w := &frames{encoder: encoder, queue: make(chan chan []byte, parallel), done: make(chan struct{})}
	go func() {
		defer close(w.done)
		for one := range w.queue {
			text := <-one
			if w.err == nil {
				var n int
				n, w.err = file.Write(text)
				w.written += int64(n)
			}
		}
	}()
	return w, nil
}

// frame compresses content, which is the writer's from now on.
func (w *frames) frame(content []byte) {
	one := make(chan []byte, 1)
	w.queue <- one
	go func() { one <- w.encoder.EncodeAll(content, nil) }()
}

func (w *frames) skip(text string) {
	one := make(chan []byte, 1)
	one <- append(binary.LittleEndian.AppendUint32(bytes.Clone(skippable), uint32(len(text))), text...)
	w.queue <- one
}

// member writes a file of size bytes.
func (w *frames) member(name string, size int64, r io.Reader, m manifest) {
	if w.fault != nil {
		return
	}
	head, err := header(name, size, m.Taken)
	if err != nil {
		w.fault = err
		return
	}
	w.frame(head)
	r = io.MultiReader(r, bytes.NewReader(make([]byte, padding(size))))
	for left := size + padding(size); left > 0; {
		content := make([]byte, min(left, frameSize))
		if _, err := io.ReadFull(r, content); err != nil {
			w.fault = fmt.Errorf("%s: %w", name, err)
			return
		}
		left -= int64(len(content))
		w.frame(content)
	}
}

func (w *frames) log(l logFile, text kept, m manifest) {
	r, err := text.open()
	if err != nil {
		w.fault = errors.Join(w.fault, err)
		return
	}
	defer r.Close()
	w.member(l.File, l.Bytes, r, m)
}

// close waits until all is written.
func (w *frames) close() (int64, error) {
	close(w.queue)
	<-w.done
	return w.written, errors.Join(w.fault, w.err, w.encoder.Close())
}
