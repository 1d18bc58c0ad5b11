package docker

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// lab is a path in the lab's state folder.
func lab(name string) string {
	dir := os.Getenv("ANTDBCTL_LAB_DIR")
	if dir == "" {
		dir = "/run/antdbctl-lab"
	}
	return filepath.Join(dir, name)
}

// labSocket is the address of the lab's own engine.
func labSocket(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the lab's docker")
	}
	path := lab("docker.sock")
	_, err := os.Stat(path)
	require.NoError(t, err, "the lab is not up; bring it up with: go -C lab run . up")
	return "unix://" + path
}
