package bundle

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/scan"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// knowledge is every pattern of the knowledge base.
func knowledge(t testing.TB) []scan.Pattern {
	t.Helper()
	book, _ := signature.Load(os.DirFS("../../../runbooks/diagnosis")) // its faults are tested elsewhere
	var patterns []scan.Pattern
	for _, f := range book.Findings {
		for _, l := range f.Lines {
			patterns = append(patterns, scan.Pattern{Regexp: l.Match})
		}
	}
	require.NotEmpty(t, patterns)
	return patterns
}

// The corpus of cases has no secrets, so cleaning must take nothing from it
// that a signature sees.
func TestNoEvidenceOfTheCorpusIsTakenForASecret(t *testing.T) {
	set := scan.New(knowledge(t))
	hits := func(text []byte) (all []string) {
		_, err := set.Scan(bytes.NewReader(text), func(h scan.Hit) bool {
			all = append(all, fmt.Sprintf("%d %d %v", h.Pattern, h.Number, h.Groups))
			return true
		})
		require.NoError(t, err)
		return all
	}
	files, err := filepath.Glob("../../../bench/diagnosis/cases/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		require.NoError(t, err)
		for _, section := range archive.Files {
			var cleaned bytes.Buffer
			counts := map[string]int{}
			require.NoError(t, cleaner{}.clean(&cleaned, bytes.NewReader(section.Data), counts))
			if len(counts) > 0 {
				before, after := strings.Split(string(section.Data), "\n"), strings.Split(cleaned.String(), "\n")
				for n := range before {
					if before[n] != after[n] {
						t.Logf("%s %v\n%.300s\n%.300s", filepath.Base(file), counts, before[n], after[n])
					}
				}
			}
			if !strings.HasPrefix(section.Name, "facts") {
				require.Equal(t, hits(section.Data), hits(cleaned.Bytes()), file)
			}
		}
	}
}
