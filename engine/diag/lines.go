package diag

import (
	"bytes"
	"strings"
)

// linesFrom splits the text into lines, from the one that holds offset on. It
// looks no further than is shown.
func linesFrom(text []byte, offset int) []string {
	begin := bytes.LastIndexByte(text[:offset], '\n') + 1
	var lines []string
	for _, line := range bytes.SplitN(text[begin:], []byte("\n"), mostSnippet+1) {
		if len(lines) == mostSnippet {
			break
		}
		lines = append(lines, strings.TrimSuffix(strings.ToValidUTF8(string(line), "�"), "\r"))
	}
	return lines
}
