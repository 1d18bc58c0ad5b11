package engine

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRunbooksOfOneFolderHaveStatesOfTheirOwn(t *testing.T) {
	dir := t.TempDir()
	made := func(name string) {
		t.Helper()
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	is := func(path, want string) {
		t.Helper()
		got, err := StateOf(filepath.Join(dir, path))
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, want), got)
	}
	made("rollout.hcl")
	made("tune.hcl")
	is("rollout.hcl", ".antdbctl/rollout")
	is("tune.hcl", ".antdbctl/tune")
	is("", ".antdbctl") // nothing there yet

	made(".antdbctl/rollout/state.json")
	is("", ".antdbctl/rollout")
	made(".antdbctl/tune/state.json")
	_, err := StateOf(dir)
	require.ErrorContains(t, err, "say which, "+dir+"/rollout.hcl or "+dir+"/tune.hcl")

	made(".antdbctl/state.json")
	is("", ".antdbctl")
	_, err = StateOf(filepath.Join(dir, "gone.hcl"))
	require.ErrorIs(t, err, os.ErrNotExist)
}
