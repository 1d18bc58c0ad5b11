package debian

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestServicesAreForbiddenOnlyWhileInstalling(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy-rc.d")

	restore, err := forbidServices(policy)
	require.NoError(t, err)
	content, err := os.ReadFile(policy)
	require.NoError(t, err)
	require.Contains(t, string(content), "exit 101")
	require.NoError(t, restore())
	require.NoFileExists(t, policy)
}

func TestAPolicyOfTheHostComesBack(t *testing.T) {
	policy := filepath.Join(t.TempDir(), "policy-rc.d")
	require.NoError(t, os.WriteFile(policy, []byte("#!/bin/sh\nexit 104\n"), 0o755))

	restore, err := forbidServices(policy)
	require.NoError(t, err)
	content, err := os.ReadFile(policy)
	require.NoError(t, err)
	require.Contains(t, string(content), "exit 101")
	require.NoError(t, restore())
	content, err = os.ReadFile(policy)
	require.NoError(t, err)
	require.Contains(t, string(content), "exit 104")
}

func TestReadHost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "os-release")
	require.NoError(t, os.WriteFile(file, []byte("NAME=\"Debian GNU/Linux\"\nVERSION_CODENAME=bookworm\nID=debian\n"), 0o644))
	host, err := ReadHost(file)
	require.NoError(t, err)
	require.Equal(t, Host{ID: "debian", Codename: "bookworm"}, host)
}

func TestMissingNamesEachPackageOnce(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	missing := Missing()
	require.Contains(t, missing, "docker.io")
	require.Contains(t, missing, "mmdebstrap")
	seen := map[string]bool{}
	for _, pkg := range missing {
		require.False(t, seen[pkg], pkg)
		seen[pkg] = true
	}
}
