package lint

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/buildcontext"
)

func TestOurOwnImagesHaveNoTraps(t *testing.T) {
	dirs, err := filepath.Glob("../../../images/*/Dockerfile")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	for _, name := range dirs {
		folder, err := buildcontext.Open(filepath.Dir(name), "Dockerfile")
		require.NoError(t, err)
		file, err := folder.Read()
		require.NoError(t, err)
		require.Empty(t, Check(Input{File: file, Name: name, Context: folder}, nil), name)
	}
}
