package backup

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestCollectExampleFitsTheModule(t *testing.T) { moduletest.Example(t, module.Of[Collect]()) }

// collected is what the collector saw of a repository: the stanza, if there is a
// fact about it, the gaps and the logs.
type collected struct {
	stanza *evidence.Stanza
	gaps   []evidence.Gap
	logs   map[string]string
}

func collect(t *testing.T, host conn.Host) collected {
	t.Helper()
	env := moduletest.Env(t, conntest.ReadOnly(t, host))
	env.Target = conn.Target{Kind: conn.Container, Name: "repo"}
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(t, (&Collect{Stanza: "db", Patience: time.Minute, LogBytes: 1 << 16}).Collect(t.Context(), env, m))
	c := collected{gaps: m.Gaps(), logs: map[string]string{}}
	for f := range m.Facts() {
		require.Nil(t, c.stanza)
		require.Equal(t, "db", f.Name)
		require.Equal(t, "repo", f.Place.Container)
		c.stanza = f.Data.(*evidence.Stanza)
	}
	for log := range m.Logs() {
		require.Equal(t, evidence.JobLog, log.Kind)
		r, err := log.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		c.logs[log.Name] = string(text)
	}
	return c
}

func TestCollectFollowsARepository(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	host := s.host()
	host.env["PGBACKREST_LOCK_PATH"] = s.dir + "/lock"
	host.env["PGBACKREST_LOG_PATH"] = s.dir

	c := collect(t, host)
	require.Equal(t, &evidence.Stanza{Code: stanzaNoPath, Message: "missing stanza path", LastAge: -1}, c.stanza)
	require.Empty(t, c.gaps)

	s.backrest(t, "stanza-create")
	require.Equal(t, int64(stanzaNoBackups), collect(t, host).stanza.Code)
	s.backrest(t, "--type=full", "--start-fast", "backup")
	c = collect(t, host)
	require.Equal(t, int64(stanzaOK), c.stanza.Code)
	require.Equal(t, int64(1), c.stanza.Backups)
	require.True(t, c.stanza.LastAge >= 0 && c.stanza.LastAge < 600, "%d", c.stanza.LastAge)
	require.False(t, c.stanza.Locked)
	files := c.logs["pgBackRest's log files"]
	for _, want := range []string{"-- " + s.dir + "/db-backup.log --", "new backup label", "-- " + s.dir + "/db-stanza-create.log --", "stanza-create command end"} {
		require.Contains(t, files, want)
	}

	lock, err := os.OpenFile(filepath.Join(s.dir, "lock", "db-backup.lock"), os.O_CREATE|os.O_RDWR, 0o644)
	require.NoError(t, err)
	defer lock.Close()
	require.False(t, collect(t, host).stanza.Locked, "a file that nobody holds is no lock")
	require.NoError(t, syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	require.True(t, collect(t, host).stanza.Locked)

	require.NoError(t, os.WriteFile(s.config(), []byte("[global]\nrepo1-path=relative\n"), 0o644))
	c = collect(t, host)
	require.Equal(t, int64(stanzaOther), c.stanza.Code)
	require.Contains(t, c.stanza.Message, "[032]")
}

func TestCollectWithoutPgBackRestIsAGap(t *testing.T) {
	c := collect(t, noBackrest{local.New()})
	require.Nil(t, c.stanza)
	require.Equal(t, "there is no pgbackrest", c.gaps[0].Reason)
}

// noBackrest is a place that has none.
type noBackrest struct{ conn.Host }

func (h noBackrest) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	cmd.User = ""
	cmd.Args[2] = strings.ReplaceAll(cmd.Args[2], "$(pgbackrest", "$(no-such-pgbackrest")
	return h.Host.Run(ctx, cmd)
}
