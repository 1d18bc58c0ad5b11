package image

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFullNames(t *testing.T) {
	for name, full := range map[string]string{
		"antdb-ha":                    "docker.io/library/antdb-ha:latest",
		"crunchydata/antdb-ha:1":      "docker.io/crunchydata/antdb-ha:1",
		"registry.site:5000/antdb-ha": "registry.site:5000/antdb-ha:latest",
		"localhost/a":                 "localhost/a:latest",
		"docker.io/antdb":             "docker.io/library/antdb:latest",
		"a@sha256:00":                 "docker.io/library/a@sha256:00",
	} {
		require.Equal(t, full, fullName(name))
		require.Equal(t, full, fullName(familiar(full)))
	}
	id := "sha256:" + strings.Repeat("0f", 32)
	require.Equal(t, id, fullName(id))
	require.Equal(t, []string{"0 B", "1023 B", "1.0 KiB", "31.5 MiB"}, []string{size(0), size(1023), size(1024), size(33 << 20 * 61 / 64)})
}
