package shell

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// Lean is a script without its comments and indentation, which are for people:
// some links are so slow that each byte counts. No line of the script may stand
// in quotes that begin on another.
func Lean(script string) string {
	var b strings.Builder
	for line := range strings.Lines(script) {
		if line = strings.TrimLeft(line, "\t\n"); !strings.HasPrefix(line, "#") {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Packed is a script that does what script does, in some third of its bytes. It
// needs base64 and gzip beside the sh.
func Packed(script string) string {
	var packed bytes.Buffer
	zip, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		panic(err) // the level is one that there is
	}
	_, _ = zip.Write([]byte(script)) // memory takes all
	_ = zip.Close()
	return `eval "$(printf %s ` + base64.StdEncoding.EncodeToString(packed.Bytes()) + ` | base64 -d | gzip -dc || echo exit 127)"`
}
