package layerdb

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"
)

// piece is a run of bytes of a layer's tar: either the bytes themselves, which
// are headers and padding, or a file of the layer.
type piece struct {
	at   int64
	size int64
	raw  []byte
	file string // within the layer's folder; empty for raw bytes
}

// Kinds of entries in a recipe, of the package tar-split that Docker uses.
const (
	fileEntry = 1
	rawEntry  = 2
)

// recipeEntry is a line of tar-split.json.gz.
type recipeEntry struct {
	Type    int    `json:"type"`
	Name    string `json:"name"`
	NameRaw []byte `json:"name_raw"` // of a name that is no UTF-8
	Size    int64  `json:"size"`
	Payload []byte `json:"payload"` // raw bytes, or the checksum of a file
}

// mostRaw bounds the headers of a layer, which are kept in memory.
const mostRaw = 1 << 30

// readRecipe reads how a layer's tar is put together.
func readRecipe(name string) ([]piece, int64, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, 0, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 64<<10))
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", name, err)
	}
	var pieces []piece
	var at int64
	var raw bytes.Buffer // all headers in one, which is less to keep
	lines := json.NewDecoder(z)
	for {
		var e recipeEntry
		if err := lines.Decode(&e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", name, err)
		}
		p := piece{at: at, size: e.Size}
		switch {
		case e.Type == rawEntry:
			if raw.Write(e.Payload); raw.Len() > mostRaw {
				return nil, 0, fmt.Errorf("%s: its headers are larger than %d MiB", name, mostRaw>>20)
			}
			p.size = int64(len(e.Payload))
		case e.Type != fileEntry || e.Size < 0:
			return nil, 0, fmt.Errorf("%s: an entry of an unknown kind", name)
		case e.Name != "":
			p.file = e.Name
		default:
			p.file = string(e.NameRaw)
		}
		if p.size > 0 {
			pieces = append(pieces, p)
			at += p.size
		}
	}
	content := raw.Bytes()
	for i := range pieces {
		if p := &pieces[i]; p.file == "" {
			p.raw, content = content[:p.size:p.size], content[p.size:]
		}
	}
	return pieces, at, nil
}
