package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

// scratch is where temporary folders are made during a test.
func scratch(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	return dir
}

func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestABundleGivesTheSameVerdictElsewhere(t *testing.T) {
	temporary := scratch(t)
	s := examined(t, failing)
	s.world.fail["node2/a"] = 1
	s.world.keys["node2/disk"], s.world.keys["node3/disk"] = "98", "deny"
	s.apply()
	_, live := s.diagnose()
	require.Equal(t, []string{"T-1", "T-2"}, ids(live))

	file := filepath.Join(t.TempDir(), "site.bundle")
	out, err := Bundle(context.Background(), s.cfg, s.load(), file, false)
	require.NoError(t, err)
	require.False(t, out.Failed, s.diagnostics())
	packed := of[event.Bundled](s.seen)[0]
	require.Equal(t, live.Facts, packed.Facts)
	require.Equal(t, live.Logs, packed.Logs)
	require.Len(t, packed.Gaps, 1)

	s.seen = &recorder{}
	s.cfg.Sinks = []event.Sink{s.seen}
	out, err = DiagnoseBundle(context.Background(), s.cfg, file)
	require.NoError(t, err)
	require.False(t, out.Failed)
	offline := of[event.Verdict](s.seen)[0]
	require.Equal(t, file, offline.Bundle)
	for n := range live.Causes {
		for q := range live.Causes[n].Evidence { // facts are seen when they are looked at
			live.Causes[n].Evidence[q].Time, offline.Causes[n].Evidence[q].Time = time.Time{}, time.Time{}
		}
	}
	require.Equal(t, live.Causes, offline.Causes)
	require.Equal(t, live.RuledOut, offline.RuledOut)
	require.Equal(t, live.Gaps, offline.Gaps)
	empty(t, temporary)

	_, err = Bundle(context.Background(), s.cfg, s.load(), file, false)
	require.ErrorContains(t, err, "is there already")
}

func TestAStopLeavesNoBundle(t *testing.T) {
	temporary := scratch(t)
	s := examined(t, hosts)
	s.world.keys["node1/disk"] = "hang"
	stop := make(chan struct{})
	s.cfg.Stop = stop
	s.world.onGet = func(key string) {
		if key == "node1/disk" {
			close(stop)
		}
	}
	dir := t.TempDir()
	out, err := Bundle(context.Background(), s.cfg, s.load(), filepath.Join(dir, "site.bundle"), false)
	require.NoError(t, err)
	require.True(t, out.Interrupted)
	empty(t, dir)
	empty(t, temporary)
}

func TestADamagedBundleIsNoVerdict(t *testing.T) {
	s := examined(t, hosts)
	file := filepath.Join(t.TempDir(), "site.bundle")
	require.NoError(t, os.WriteFile(file, []byte("no bundle"), 0o600))
	out, err := DiagnoseBundle(context.Background(), s.cfg, file)
	require.ErrorContains(t, err, file)
	require.True(t, out.Failed)
}
