package recovery

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write the expected Dockerfiles anew")

// The histories in testdata were printed by docker, of images that the classic
// builder, BuildKit and buildah made; that of crunchy-postgres-ha has two
// dialects.
func TestHistoryTextBecomesADockerfile(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			f, err := os.Open(file)
			require.NoError(t, err)
			defer f.Close()
			result, err := FromText(f, Options{Of: filepath.Base(file)})
			require.NoError(t, err)
			golden := strings.TrimSuffix(file, ".txt") + ".Dockerfile"
			if *update {
				require.NoError(t, os.WriteFile(golden, []byte(result.Dockerfile.String()), 0o644))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Equal(t, string(want), result.Dockerfile.String())
		})
	}
}
