package state_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/state"
	"github.com/adbsql/antdbctl/engine/state/statetest"
)

func TestFileKeepsTheContract(t *testing.T) {
	statetest.Suite(t, func(t *testing.T) func() state.Store {
		dir := filepath.Join(t.TempDir(), ".antdbctl")
		return func() state.Store { return state.NewFile(dir) }
	})
}

func TestFileIsPrivateAndLeavesNoTemporaryBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), ".antdbctl")
	store := state.NewFile(dir)
	s, err := store.Load(context.Background())
	require.NoError(t, err)
	require.NoDirExists(t, dir, "reading writes nothing")
	require.NoError(t, store.Save(context.Background(), s))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	info, err := entries[0].Info()
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestFilesOfTheWrongKindAreRefusedAndKept(t *testing.T) {
	for name, text := range map[string]string{
		"not a state file": "garbage",
		"newer antdbctl":   `{"version": 99}`,
		"no format":        `{}`,
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, "state.json")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		store := state.NewFile(dir)
		_, err := store.Load(context.Background())
		require.ErrorContains(t, err, name)
		require.ErrorContains(t, err, path)
		require.Error(t, store.Save(context.Background(), &state.State{}))
		kept, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, text, strings.TrimSpace(string(kept)))
	}
}
