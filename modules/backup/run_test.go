package backup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestRunExampleFitsTheModule(t *testing.T) { moduletest.Example(t, runEntry) }

func TestRunAgainstPgBackRest(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	_, _, err := s.step(t, runEntry, "").Check()
	require.ErrorContains(t, err, "the stanza db of stanza db is not there")
	s.backrest(t, "stanza-create")

	step := s.step(t, runEntry, `type = "full"`)
	out := step.Converge(module.Update)
	require.Regexp(t, `^\d{8}-\d{6}F$`, out.GetAttr("label").AsString())
	require.Equal(t, "full", out.GetAttr("backup_type").AsString())
	require.Positive(t, number(out.GetAttr("size_bytes")))

	change, _, err := s.step(t, runEntry, `type = "incr"`).Check()
	require.NoError(t, err)
	require.Equal(t, module.None, change.Action, "the full one will do")

	incr := s.step(t, runEntry, "type = \"incr\"\nmax_age = \"0s\"")
	change, out, err = incr.Apply()
	require.NoError(t, err)
	require.Equal(t, module.Run, change.Action)
	require.Contains(t, out.GetAttr("label").AsString(), "I")
	require.Equal(t, "incr", out.GetAttr("backup_type").AsString())

	_, _, err = s.step(t, runEntry, "via = \"operator\"\nmax_age = \"0s\"").Apply()
	requireAt(t, err, "via", "no operator keeps this server")

	t.Run("a backup that runs", func(t *testing.T) { testRunning(t, s) })
	t.Run("a locked stanza", func(t *testing.T) { testLocked(t, s) })
	t.Run("a repository that cannot be written", func(t *testing.T) { testUnwritable(t, s) })
	t.Run("a full repository", func(t *testing.T) { testFull(t, s) })
}

// testRunning has a backup begin that waits for a checkpoint, as those do
// without start_fast; the step waits for it, and takes it for its own.
func testRunning(t *testing.T, s *server) {
	begun := time.Now().Truncate(time.Second)
	other := exec.Command("runuser", "-u", "postgres", "--", "pgbackrest", "--config="+s.config(), "--stanza=db", "--type=full", "backup")
	require.NoError(t, other.Start())
	p := &place{which: which{stanza: "db", user: "postgres"}, repo: s.host(), db: s.host()}
	require.Eventually(t, func() bool {
		known, _, err := p.info(t.Context())
		return err == nil && known.Status.Lock.Backup.Held
	}, time.Minute, 50*time.Millisecond)
	age := fmt.Sprintf("max_age = \"%s\"", time.Since(begun)) // too short for the backups before
	step := s.step(t, runEntry, age)
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "one is running now, and is waited for")
	waited := false
	step.Env().Phase = func(name string) {
		if name == "another backup" {
			waited = true
			s.sql(t, "checkpoint")
		}
	}
	m := step.Module().(*Run)
	require.NoError(t, m.Apply(t.Context(), step.Env()))
	require.NoError(t, other.Wait())
	require.True(t, waited)
	known, _, err := p.info(t.Context())
	require.NoError(t, err)
	require.Equal(t, known.newest("full").Label, m.Label, "no second one was made")
}

// testLocked holds the lock as a hanging pgBackRest does.
func testLocked(t *testing.T, s *server) {
	lock := filepath.Join(s.dir, "lock", "db-backup.lock")
	s.as(t, "touch", lock)
	holder := exec.Command("flock", "--exclusive", "--no-fork", lock, "sleep", "60")
	require.NoError(t, holder.Start())
	defer func() { _ = holder.Process.Kill(); _ = holder.Wait() }()
	require.Eventually(t, func() bool { return exec.Command("flock", "--nonblock", lock, "true").Run() != nil }, time.Minute, 20*time.Millisecond)

	_, _, err := s.step(t, runEntry, "max_age = \"0s\"\npatience = \"30s\"").Apply()
	require.ErrorContains(t, err, "unable to acquire lock")
	ex := (*module.Explained)(nil)
	require.ErrorAs(t, err, &ex)
	require.Contains(t, ex.Remedy, "another pgBackRest works on this stanza")
}

// testFull moves the repository to a disk that is too small for it.
func testFull(t *testing.T, s *server) {
	repo := filepath.Join(s.dir, "small")
	require.NoError(t, os.Mkdir(repo, 0o755))
	require.NoError(t, exec.Command("mount", "-t", "tmpfs", "-o", "size=1536k,mode=777", "none", repo).Run())
	t.Cleanup(func() { require.NoError(t, exec.Command("umount", repo).Run()) })
	host := s.host()
	host.env["PGBACKREST_REPO1_PATH"] = repo
	_, err := host.Run(t.Context(), conn.Cmd{Args: []string{"pgbackrest", "--stanza=db", "stanza-create"}, User: "postgres"})
	require.NoError(t, err)
	// The server archives into the small repository, too; there is room for that.
	s.sql(t, "alter system set archive_command = 'PGBACKREST_REPO1_PATH="+repo+" pgbackrest --stanza=db archive-push %p'")
	s.sql(t, "select pg_reload_conf()")
	step := moduletest.New(t, runEntry, host, `max_age = "0s"`, nil)
	_, _, err = step.Apply()
	require.ErrorContains(t, err, "pgbackrest backup of stanza db: the disk at "+repo+" is full: [064]")
	ex := (*module.Explained)(nil)
	require.ErrorAs(t, err, &ex)
	require.Contains(t, ex.Remedy, "the repository's volume is full")
}

func testUnwritable(t *testing.T, s *server) {
	repo := filepath.Join(s.dir, "repo", "backup", "db")
	require.NoError(t, os.Chmod(repo, 0o500))
	t.Cleanup(func() { require.NoError(t, os.Chmod(repo, 0o750)) })
	_, _, err := s.step(t, runEntry, `max_age = "0s"`).Apply()
	require.ErrorContains(t, err, "pgbackrest backup of stanza db: [")
	require.Contains(t, err.Error(), "ermission denied")
	ex := (*module.Explained)(nil)
	require.ErrorAs(t, err, &ex)
	require.Contains(t, strings.Join(ex.Evidence, "\n"), "dr-x------")
}
