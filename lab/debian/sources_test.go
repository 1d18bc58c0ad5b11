package debian

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func writeApt(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

func TestSourcesTakeTheReleaseAndLeaveThirdPartiesOut(t *testing.T) {
	dir := writeApt(t, map[string]string{
		"sources.list.d/debian.sources": `# a comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://mirror.example/off
Suites: bookworm
Components: main
Enabled: no
`,
		"sources.list.d/other.list":    "deb https://other.example/apt cloud-sdk-bookworm main\n",
		"sources.list.d/node.sources":  "Types: deb\nURIs: https://node.example\nSuites: nodistro\nComponents: main\n",
		"sources.list.d/stable.list":   "deb https://docker.example/debian bookworm stable\n",
		"sources.list.d/readme.ignore": "deb http://never.example bookworm main\n",
	})
	text, err := Sources(dir, "bookworm")
	require.NoError(t, err)
	require.Equal(t, `Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian.gpg

`, text)
}

func TestSourcesOfANewerHostAreAskedForTheImagesRelease(t *testing.T) {
	dir := writeApt(t, map[string]string{
		"sources.list": "# old style\ndeb [arch=amd64 signed-by=/k.gpg] http://mirror.example/debian trixie main\n" +
			"deb-src http://mirror.example/debian trixie main\n" +
			"deb http://mirror.example/security trixie-security main # trailing words\n",
	})
	text, err := Sources(dir, "trixie")
	require.NoError(t, err)
	require.Contains(t, text, "Suites: bookworm\nComponents: main\nSigned-By: /k.gpg\n")
	require.Contains(t, text, "URIs: http://mirror.example/security\nSuites: bookworm-security\n")
	require.NotContains(t, text, "trixie")
}

func TestInlineKeyIsKeptWhole(t *testing.T) {
	dir := writeApt(t, map[string]string{
		"sources.list.d/d.sources": "Types: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN-----\n .\n abc\n",
	})
	text, err := Sources(dir, "bookworm")
	require.NoError(t, err)
	require.Contains(t, text, "-----BEGIN-----\n .\n abc\n")
}

func TestNoDebianSourceIsAnErrorThatSaysWhere(t *testing.T) {
	dir := writeApt(t, map[string]string{"sources.list": "deb http://other.example stable main\n"})
	_, err := Sources(dir, "bookworm")
	require.ErrorContains(t, err, dir)
}
