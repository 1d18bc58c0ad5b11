package lint

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// Any text is looked at without a fault, and every finding points into it.
func TestAnyTextIsLookedAt(t *testing.T) {
	piece := rapid.SampledFrom([]string{
		"FROM x:1", "FROM ${A:-b} AS c", "RUN ", "COPY ", "ADD a.tar.gz /tmp/", "ARG A=", "ENV B ", "WORKDIR /w", "CMD [", "<<EOF", "EOF", "\\\n", "\n", "\r\n", " ", "\t",
		"tar -xf ", "a.tar.gz", "cd /tmp", " && ", "; ", "rm -rf /*", "chown -R 1 /", "export A=1", "$A", "${A//.}", "$(", "`", "'", "\"", "#", "--from=c", "|7 ", "[\"a\"]", "mv a ", "cp -r / /b",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(rapid.OneOf(piece, piece, rapid.StringN(0, 4, -1)), 0, 40).Draw(t, "text"), "")
		file, err := dockerfile.Parse(strings.NewReader(text))
		require.NoError(t, err)
		file.Unset(nil, nil)
		file.Bases(nil)
		file.Needs()
		for _, f := range Check(Input{File: file, Name: "Dockerfile"}, nil) {
			require.LessOrEqual(t, f.Line, strings.Count(text, "\n")+1, f.String())
		}
	})
}
