package image

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChecksChangeNothing(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "looked:1", layered("looked"))
	dir := folder(t, map[string]string{"Dockerfile": "FROM looked:1\nCOPY a /a\n", "a": "a"})
	archive := filepath.Join(dir, "looked.tar")
	b.do(t, "docker", "save", "-o", archive, "looked:1")
	require.True(t, looks[Build](t, b, `context = "`+dir+`"
		tags = ["looked:2"]`).Wanted())
	require.True(t, looks[Tag](t, b, `source = "looked:1"
		tags = ["looked:3"]`).Wanted())
	require.False(t, looks[Inspect](t, b, `image = "looked:1"
		paths = ["/upper"]`).Wanted())
	require.True(t, looks[Save](t, b, `image = "looked:1"
		path = "`+dir+`/other.tar"`).Wanted())
	require.False(t, looks[Load](t, b, `path = "`+archive+`"`).Wanted())
	for _, engine := range []string{"auto", "docker"} {
		require.False(t, looks[Ship](t, b, `from = builder
			image = "looked:1"
			runtime = "`+engine+`"`).Wanted())
	}
	require.True(t, looks[Ship](t, b, `from = builder
		image = "looked:1"
		runtime = "containerd"`).Wanted())
}
