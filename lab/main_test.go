package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/lab/layout"
)

// TestMain plays the background program too: the lab starts itself for it.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "recycle-volumes" {
		main()
		return
	}
	os.Exit(m.Run())
}

func testLab(t *testing.T) layout.Lab {
	t.Helper()
	return layout.Lab{State: filepath.Join(t.TempDir(), "state"), Cache: t.TempDir(), Nodes: layout.DefaultNodes}
}

func TestStatusOfNothing(t *testing.T) {
	var out bytes.Buffer
	root := command(testLab(t))
	root.SetArgs([]string{"status"})
	root.SetOut(&out)
	require.NoError(t, root.Execute())
	require.Equal(t, "the lab is down\n", out.String())
}

func TestPathsAreOnlyPrintedWhenThere(t *testing.T) {
	lab := testLab(t)
	for _, name := range []string{"site", "kubeconfig"} {
		root := command(lab)
		root.SetArgs([]string{name})
		require.ErrorContains(t, root.Execute(), "lab up")
	}
}

func TestSecondRunIsLockedOut(t *testing.T) {
	lab := testLab(t)
	unlock, err := lock(lab)
	require.NoError(t, err)
	_, err = lock(lab)
	require.ErrorContains(t, err, "another lab up or down is at work")
	unlock()
	unlock, err = lock(lab)
	require.NoError(t, err)
	unlock()
}

func TestNodeCountIsChecked(t *testing.T) {
	if os.Geteuid() != 0 {
		require.ErrorContains(t, checkUp(testLab(t), false), "run it as root")
		return
	}
	lab := testLab(t)
	require.NoError(t, checkUp(lab, false))
	lab.Nodes = 1
	require.ErrorContains(t, checkUp(lab, true), "from 2 to 9")
	lab.Nodes = 3
	require.NoError(t, os.MkdirAll(lab.State, 0o755))
	require.NoError(t, rememberNodes(lab))
	require.Equal(t, 3, recallNodes(lab))
	lab.Nodes = 4
	require.ErrorContains(t, checkUp(lab, true), "with 3 nodes is up")
	require.NoError(t, checkUp(lab, false), "without the flag the running lab counts")
}

func TestSettingsOfTheKernelComeBack(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may set them")
	}
	lab := testLab(t)
	require.NoError(t, saveSysctls(lab))
	saved := lab.In("sysctl", "kernel.panic")
	before, err := os.ReadFile(saved)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(saved, []byte("before the lab\n"), 0o644))
	require.NoError(t, saveSysctls(lab))
	kept, err := os.ReadFile(saved)
	require.NoError(t, err)
	require.Equal(t, "before the lab\n", string(kept), "a second up must not take the kubelet's settings for the host's")
	require.NoError(t, os.WriteFile(saved, before, 0o644))
	require.NoError(t, restoreSysctls(lab))
}

func TestRecyclerWithoutALabSaysSo(t *testing.T) {
	lab := testLab(t)
	root := command(lab)
	root.SetArgs([]string{"recycle-volumes"})
	require.ErrorContains(t, root.Execute(), lab.Kubeconfig())
}
