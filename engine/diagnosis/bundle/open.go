package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// Bundle is a Dossier in a file. It is read where it lies, a piece at a time,
// also by many at once; nothing of it is unpacked.
type Bundle struct {
	file     io.ReaderAt
	close    func() error
	decoder  *zstd.Decoder
	manifest manifest
	members  map[string]member
	gaps     []evidence.Gap
	facts    func() ([]evidence.Fact, []evidence.Gap)
}

// ErrNoBundle says that a file is no bundle at all.
var ErrNoBundle = errors.New("this is no bundle of antdbctl")

// Open opens a bundle. Of one that is damaged, or that somebody has tampered
// with, what is whole can be read, and gaps say what is missing.
func Open(path string) (*Bundle, error) {
	// A pipe would be waited for.
	if info, err := os.Stat(path); err != nil {
		return nil, err
	} else if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: %w", path, ErrNoBundle)
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	b, err := openFile(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), file.Close())
	}
	b.close = file.Close
	return b, nil
}

func openFile(file *os.File) (*Bundle, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return read(file, info.Size())
}

func read(file io.ReaderAt, size int64) (*Bundle, error) {
	head := make([]byte, 8+len(magic))
	if _, err := file.ReadAt(head, 0); err != nil || !bytes.HasPrefix(head, skippable) || !bytes.HasSuffix(head, []byte(magic)) {
		return nil, ErrNoBundle
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(runtime.GOMAXPROCS(0)), zstd.WithDecoderMaxMemory(largestFrame))
	if err != nil {
		return nil, err
	}
	b := &Bundle{file: file, decoder: decoder, members: map[string]member{}}
	members, end, fault := walk(file, size, b.decode)
	if len(members) == 0 || members[0].name != manifestFile {
		decoder.Close()
		return nil, errors.Join(errors.New("the bundle is damaged at its beginning"), fault)
	}
	if err := b.readManifest(members[0]); err != nil {
		decoder.Close()
		return nil, err
	}
	b.sort(members[1:])
	if !end && !errors.Is(fault, errCut) && !errors.Is(fault, io.EOF) {
		b.gap("the bundle behind its readable part", evidence.Place{}, fault)
	}
	b.seeLogs()
	b.facts = sync.OnceValues(b.readFacts)
	return b, nil
}

func (b *Bundle) gap(what string, place evidence.Place, err error) {
	b.gaps = append(b.gaps, evidence.Gap{What: what, Place: place, Reason: err.Error()})
}

func (b *Bundle) readManifest(m member) error {
	if m.size > largestSummary || m.whole < m.size {
		return errors.New("the bundle is damaged at its beginning: its manifest is not whole")
	}
	text, err := io.ReadAll(b.open(m))
	if err != nil {
		return fmt.Errorf("the bundle's manifest: %w", err)
	}
	if err := json.Unmarshal(text, &b.manifest); err != nil {
		return fmt.Errorf("the bundle's manifest: %w", err)
	}
	if b.manifest.Bundle != version {
		return fmt.Errorf("the bundle has format %d, and this antdbctl (or an older one) reads %d", b.manifest.Bundle, version)
	}
	b.gaps = slices.Clone(b.manifest.Gaps)
	return nil
}

// sort finds the files that the manifest names.
func (b *Bundle) sort(members []member) {
	wanted := map[string]bool{factsFile: true, tapeFile: true}
	for _, l := range b.manifest.Logs {
		wanted[l.File] = true
	}
	strange := 0
	for _, m := range members {
		if _, twice := b.members[m.name]; twice || !wanted[m.name] {
			strange++
			continue
		}
		b.members[m.name] = m
	}
	if strange > 0 {
		b.gap("the bundle", evidence.Place{}, fmt.Errorf("%d files that do not belong into it were left out", strange))
	}
}

// mostNamed bounds the logs that are named as missing.
const mostNamed = 20

// seeLogs keeps the logs that are there and notes those that are not.
func (b *Bundle) seeLogs() {
	missing := 0
	taken := map[string]bool{}
	b.manifest.Logs = slices.DeleteFunc(b.manifest.Logs, func(l logFile) bool {
		m, ok := b.members[l.File]
		ok = ok && slices.Contains(evidence.LogKinds, l.Kind) && !taken[l.File]
		taken[l.File] = true
		switch {
		case !ok:
			if missing++; missing <= mostNamed {
				b.gap(l.title(), l.Place, errors.New("it is not in the bundle, which is cut off or damaged"))
			}
		case m.whole < m.size:
			b.gap(l.title(), l.Place, fmt.Errorf("only %d of its %d bytes are in the bundle, which is cut off or damaged", m.whole, m.size))
		case m.size != l.Bytes:
			b.gap(l.title(), l.Place, fmt.Errorf("it has %d bytes and should have %d", m.size, l.Bytes))
		}
		return !ok
	})
	if missing > mostNamed {
		b.gap("the bundle", evidence.Place{}, fmt.Errorf("%d more logs are not in it", missing-mostNamed))
	}
}

// Close closes the file.
func (b *Bundle) Close() error {
	b.decoder.Close()
	return b.close()
}

// Program is what wrote the bundle.
func (b *Bundle) Program() string { return b.manifest.Program }

// Redacted says how many secrets were hidden, by kind.
func (b *Bundle) Redacted() map[string]int { return b.manifest.Redacted }

// Taken is when the evidence was taken.
func (b *Bundle) Taken() time.Time { return b.manifest.Taken }

// Gaps gives what could not be looked at when the bundle was made, and what
// cannot be read of it now.
func (b *Bundle) Gaps() []evidence.Gap {
	_, gaps := b.facts()
	return append(slices.Clone(b.gaps), gaps...)
}

// Facts gives the facts that can be read.
func (b *Bundle) Facts() iter.Seq2[evidence.Fact, error] {
	return func(yield func(evidence.Fact, error) bool) {
		facts, _ := b.facts()
		for _, f := range facts {
			if !yield(f, nil) {
				return
			}
		}
	}
}

// readFacts reads the facts; lines that are none are told as one gap.
func (b *Bundle) readFacts() (facts []evidence.Fact, gaps []evidence.Gap) {
	gap := func(format string, args ...any) {
		gaps = append(gaps, evidence.Gap{What: "facts", Reason: fmt.Sprintf(format, args...)})
	}
	m, ok := b.members[factsFile]
	if !ok {
		gap("they are not in the bundle, which is cut off or damaged")
		return nil, gaps
	}
	if m.whole < m.size {
		gap("only %d of their %d bytes are in the bundle, which is cut off or damaged", m.whole, m.size)
	}
	if m.size > largestFacts {
		gap("only the first %d MiB of them are read", largestFacts>>20)
	}
	text := &fallible{r: io.LimitReader(b.open(m), largestFacts)}
	bad, why := 0, error(nil)
	for l := range factLines(text) {
		f, err := readFact(l)
		if err != nil {
			bad++
			why = err
			continue
		}
		facts = append(facts, f)
	}
	if bad > 0 {
		gap("%d of them cannot be read: %s", bad, why)
	}
	if text.err != nil {
		gap("%s", text.err)
	}
	return facts, gaps
}

// fallible remembers an error of reading.
type fallible struct {
	r   io.Reader
	err error
}

func (f *fallible) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		f.err = err
	}
	return n, err
}

// Logs gives the logs that can be read, at least in part.
func (b *Bundle) Logs() iter.Seq2[evidence.Log, error] {
	return func(yield func(evidence.Log, error) bool) {
		for _, l := range b.manifest.Logs {
			m := b.members[l.File]
			log := evidence.Log{Kind: l.Kind, Name: l.Name, Place: l.Place, Previous: l.Previous}
			log.Open = func() (io.ReadCloser, error) { return io.NopCloser(b.open(m)), nil }
			if !yield(log, nil) {
				return
			}
		}
	}
}
