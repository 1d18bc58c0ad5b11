package bundle

import (
	"archive/tar"
	"bytes"
	"fmt"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// A bundle is a tar file in Zstandard, so that it can be looked into with other
// programs. It is made of many frames, in a way that lets it be read from
// anywhere and by many at once, without an index that could be cut off:
//
//   - a skippable frame with the magic;
//   - for each file, a frame with nothing but its tar header, and frames with
//     its content and tar's padding, each of at most 1 MiB and with its size in
//     its header;
//   - a frame with the end of the tar.
//
// The first file is the manifest, which says what should follow.
const (
	magic        = "antdbctl bundle\n"
	version      = 1
	manifestFile = "manifest.json"
	factsFile    = "facts.jsonl"
	tapeFile     = "tape.jsonl"

	block     = 512 // tar's
	frameSize = 1 << 20
)

// skippable begins a frame that zstd programs skip.
var skippable = []byte{0x50, 0x2A, 0x4D, 0x18}

// manifest is what a bundle says of itself.
type manifest struct {
	Bundle   int            `json:"bundle"` // version of the format
	Program  string         `json:"program"`
	Taken    time.Time      `json:"taken"`
	Facts    int            `json:"facts"`
	Tape     int            `json:"tape"` // answers of the site, for checks that are run on the bundle
	Logs     []logFile      `json:"logs"`
	Gaps     []evidence.Gap `json:"gaps"`
	Redacted map[string]int `json:"redacted"` // secrets that were hidden, by kind
}

type logFile struct {
	File     string         `json:"file"`
	Kind     string         `json:"kind"`
	Name     string         `json:"name"`
	Place    evidence.Place `json:"place"`
	Previous bool           `json:"previous,omitempty"`
	Bytes    int64          `json:"bytes"`
}

// title is what people call it.
func (l logFile) title() string {
	if l.Name == "" {
		return "the " + l.Kind + " log"
	}
	return l.Name
}

// padding is how many zeros follow size bytes in a tar file.
func padding(size int64) int64 { return (block - size%block) % block }

// header is a file's tar header: one block, since names are short and plain.
func header(name string, size int64, taken time.Time) ([]byte, error) {
	var b bytes.Buffer
	err := tar.NewWriter(&b).WriteHeader(&tar.Header{
		Name: name, Size: size, Mode: 0o600, ModTime: taken.Truncate(time.Second), Typeflag: tar.TypeReg, Format: tar.FormatUSTAR,
	})
	if err == nil && b.Len() != block {
		err = fmt.Errorf("the tar header of %s has %d bytes", name, b.Len())
	}
	return b.Bytes(), err
}
