package backup

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestCheckExampleFitsTheModule(t *testing.T) { moduletest.Example(t, checkEntry) }

// A server goes the way from no stanza to a proved archive, and then through
// what breaks archives.
func TestCheckAgainstPgBackRest(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	looks := func(args string) (cty.Value, error) {
		step := s.step(t, checkEntry, args)
		step.Env().Host = conntest.ReadOnly(t, step.Env().Host)
		change, out, err := step.Check()
		require.Equal(t, module.None, change.Action, change.Summary)
		return out, err
	}

	_, err := looks("")
	require.ErrorContains(t, err, "the stanza db of stanza db is not there: missing stanza path")

	s.backrest(t, "stanza-create")
	_, err = looks("")
	requireAt(t, err, "max_age", "there is no good backup")

	s.backrest(t, "--type=full", "--start-fast", "backup")
	out, err := looks("")
	require.NoError(t, err)
	require.Equal(t, "ok", out.GetAttr("status").AsString())
	require.Regexp(t, `^\d{8}-\d{6}F$`, out.GetAttr("last_backup").AsString())
	require.Equal(t, 1, out.GetAttr("backups").LengthInt())
	require.Regexp(t, `^last backup \d{8}-\d{6}F \(full, 2\d\.\d MiB\), .*s old; WAL is archived up to [0-9A-F]{24}$`, out.GetAttr("text").AsString())
	require.NotEmpty(t, out.GetAttr("archived").AsString())

	require.Eventually(t, func() bool { _, err = looks(`max_age = "1s"`); return err != nil }, time.Minute, 200*time.Millisecond)
	requireAt(t, err, "max_age", "the last backup, ")

	t.Run("a fresh segment arrives", func(t *testing.T) { testFreshSegment(t, s) })
	t.Run("archiving elsewhere", func(t *testing.T) { testElsewhere(t, s, looks) })
	t.Run("a shell without source", func(t *testing.T) { testDash(t, s) })
	t.Run("another database's stanza", func(t *testing.T) { testForeignStanza(t, s) })
}

func testFreshSegment(t *testing.T, s *server) {
	before := s.sql(t, "select pg_walfile_name(pg_current_wal_insert_lsn())")
	// The segments of the backup are fresh; those older than a moment are not.
	step := s.step(t, checkEntry, "fresh_wal = true\nwal_age = \"1ms\"")
	m := step.Module()
	change, err := m.Check(t.Context(), step.Env())
	require.NoError(t, err)
	require.Equal(t, module.Update, change.Action)
	require.Contains(t, change.Summary, "switch WAL and see the segment arrive")
	require.NoError(t, m.Apply(t.Context(), step.Env()))
	require.Contains(t, s.backrest(t, "info"), before)

	change, out, err := s.step(t, checkEntry, "fresh_wal = true\nwal_age = \"10m\"").Apply()
	require.NoError(t, err)
	require.Equal(t, module.None, change.Action, "the segment is fresh now: %s", change.Summary)
	require.Equal(t, before, out.GetAttr("archived").AsString())
}

// set changes a setting and waits until the archiver has it.
func (s *server) set(t *testing.T, name, value string) {
	t.Helper()
	s.sql(t, "alter system set "+name+" = '"+value+"'")
	s.sql(t, "select pg_reload_conf()")
	require.Eventually(t, func() bool { return s.sql(t, "show "+name) == value }, time.Minute, 50*time.Millisecond)
}

func (s *server) push(t *testing.T) {
	t.Helper()
	s.sql(t, "select pg_create_restore_point('test')")
	s.sql(t, "select pg_switch_wal()")
}

func testElsewhere(t *testing.T, s *server, looks func(string) (cty.Value, error)) {
	s.set(t, "archive_command", "/bin/true")
	s.push(t)
	require.Eventually(t, func() bool {
		_, err := looks("")
		return err != nil && strings.Contains(err.Error(), "WAL is archived elsewhere")
	}, time.Minute, 100*time.Millisecond)
}

// Debian's /bin/sh is dash, which knows no source. Since PostgreSQL 12 such an
// end is not counted in pg_stat_archiver.
func testDash(t *testing.T, s *server) {
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "env.sh"), nil, 0o644))
	s.set(t, "archive_command", "source "+s.dir+"/env.sh && pgbackrest --stanza=db archive-push %p")
	step := s.step(t, checkEntry, "fresh_wal = true")
	err := step.Module().(*Check).Apply(t.Context(), step.Env())
	requireDash(t, err)

	// A look finds it once a segment has waited for long.
	p := &place{which: which{stanza: "db", user: "postgres"}, repo: s.host(), db: s.host()}
	known, _, err := p.info(t.Context())
	require.NoError(t, err)
	a, err := p.archiver(t.Context())
	require.NoError(t, err)
	require.Positive(t, a.Waiting)
	*a.WaitingAt += stuck.Seconds()
	requireDash(t, p.judge(t.Context(), a, known))
}

func requireDash(t *testing.T, err error) {
	t.Helper()
	require.ErrorContains(t, err, "the server cannot archive its WAL: archive_command ends with 127")
	ex := (*module.Explained)(nil)
	require.ErrorAs(t, err, &ex)
	require.Contains(t, ex.Remedy, "/bin/sh of the image is")
	require.Contains(t, strings.Join(ex.Evidence, "\n"), "archive command failed with exit code 127")
}

func testForeignStanza(t *testing.T, s *server) {
	p := &place{which: which{stanza: "db", user: "postgres"}, repo: s.host(), db: s.host()}
	known, _, err := p.info(t.Context())
	require.NoError(t, err)
	a, err := p.archiver(t.Context())
	require.NoError(t, err)
	require.Equal(t, a.System, known.system())
	other := *a
	other.System, other.LastBadAt = "7711130245409149033", nil
	require.ErrorContains(t, p.judge(t.Context(), &other, known), "the stanza db is of another database")
}

func TestCheckRefusesWhatCannotBe(t *testing.T) {
	requireAt(t, moduletest.New(t, checkEntry, nil, `max_age = "0s"`, nil).Validate(), "max_age", "younger")
	requireAt(t, moduletest.New(t, checkEntry, nil, "fresh_wal = true\nwal_age = \"0s\"", nil).Validate(), "wal_age", "younger")
}

func requireAt(t *testing.T, err error, arg, text string) {
	t.Helper()
	require.ErrorContains(t, err, text)
	at := (*module.ArgError)(nil)
	require.True(t, errors.As(err, &at), "%v names no argument", err)
	require.Equal(t, arg, at.Arg)
}
