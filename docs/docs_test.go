package docs_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/docs"
	"github.com/adbsql/antdbctl/modules"
)

var update = flag.Bool("update", false, "write the pages anew")

func TestReferencePagesAreFresh(t *testing.T) {
	reg := modules.Catalogue()
	pages := map[string]string{"modules.md": docs.Index(reg), "functions.md": docs.Functions()}
	for _, name := range reg.Names() {
		e, _ := reg.Lookup(name)
		pages[filepath.Join("modules", name+".md")] = docs.Module(e)
	}
	if *update {
		require.NoError(t, os.RemoveAll("modules"))
		require.NoError(t, os.MkdirAll("modules", 0o755))
	}
	for page, text := range pages {
		if *update {
			require.NoError(t, os.WriteFile(page, []byte(text), 0o644))
		}
		have, err := os.ReadFile(page)
		require.NoError(t, err)
		require.Equal(t, text, string(have), "%s is stale: make docs", page)
	}
	stored, err := filepath.Glob("modules/*.md")
	require.NoError(t, err)
	require.Len(t, stored, len(reg.Names()), "a page of a module that is gone: make docs")
}
