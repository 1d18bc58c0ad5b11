package runbooks_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/modules"
)

// What comes ready takes the lab's file of variables, and nothing else.
func TestWhatComesReadyIsValid(t *testing.T) {
	t.Setenv("ANTDB_TESTUSER_PASSWORD", "not used")
	site := filepath.Join("testdata", "site.hcl")
	books, err := filepath.Glob("*.hcl")
	require.NoError(t, err)
	require.NotEmpty(t, books)
	for _, path := range append(books, "playbooks") {
		t.Run(path, func(t *testing.T) {
			book, diags := lang.Load(path, lang.Options{Registry: modules.Catalogue(), VarFiles: []string{site}})
			require.Empty(t, diags)
			require.NotEmpty(t, book.Title)
		})
	}
}
