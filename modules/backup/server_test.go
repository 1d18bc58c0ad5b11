package backup

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

var (
	checkEntry = module.Of[Check]()
	runEntry   = module.Of[Run]()
)

// server is a real PostgreSQL of this machine that archives by pgBackRest into
// a repository beside it. Both run as the operating system's user postgres.
type server struct {
	dir  string
	port int
}

func startServer(t *testing.T) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a PostgreSQL server and pgBackRest")
	}
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, bins, "install PostgreSQL (Debian: postgresql)")
	_, err = exec.LookPath("pgbackrest")
	require.NoError(t, err, "install pgBackRest (Debian: pgbackrest)")
	require.Zero(t, os.Geteuid(), "these tests become the user postgres: run them as root")
	bin := bins[len(bins)-1]

	dir, err := os.MkdirTemp("", "backuptest")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	s := &server{dir: dir, port: freePort(t)}
	uid, gid := owner(t)
	require.NoError(t, os.Chown(dir, uid, gid))
	s.configure(t)
	s.as(t, filepath.Join(bin, "initdb"), "--no-sync", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D", s.data())

	// Not on the command line, where no test could change it any more.
	require.NoError(t, os.WriteFile(filepath.Join(s.data(), "postgresql.conf"),
		[]byte("archive_mode = on\narchive_command = 'pgbackrest --stanza=db archive-push %p'\n"), 0o644))
	postmaster := exec.Command(filepath.Join(bin, "postgres"), "-D", s.data(), "-k", dir, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=", "-c", "fsync=off", "-c", "logging_collector=on", "-c", "log_directory="+dir)
	postmaster.Env = append(os.Environ(), "PGBACKREST_CONFIG="+s.config())
	postmaster.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	require.NoError(t, postmaster.Start())
	t.Cleanup(func() {
		_ = postmaster.Process.Signal(syscall.SIGQUIT) // what is archived no longer matters
		_ = postmaster.Wait()
	})
	require.Eventually(t, func() bool {
		return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", dir, "-p", strconv.Itoa(s.port)).Run() == nil
	}, time.Minute, 50*time.Millisecond, "the server does not start")
	return s
}

func owner(t *testing.T) (uid, gid int) {
	t.Helper()
	who, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, _ = strconv.Atoi(who.Uid)
	gid, _ = strconv.Atoi(who.Gid)
	return uid, gid
}

func (s *server) data() string   { return filepath.Join(s.dir, "data") }
func (s *server) config() string { return filepath.Join(s.dir, "pgbackrest.conf") }

func (s *server) configure(t *testing.T) {
	t.Helper()
	text := fmt.Sprintf(`[global]
repo1-path=%[1]s/repo
log-path=%[1]s
lock-path=%[1]s/lock
archive-timeout=60
job-retry=0
compress-level=1

[db]
pg1-path=%[1]s/data
pg1-port=%[2]d
pg1-socket-path=%[1]s
pg1-user=postgres
`, s.dir, s.port)
	require.NoError(t, os.WriteFile(s.config(), []byte(text), 0o644))
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// as runs a command as the server's owner, in its environment.
func (s *server) as(t *testing.T, args ...string) string {
	t.Helper()
	res, err := s.host().Run(context.Background(), conn.Cmd{Args: args, User: "postgres"})
	require.NoError(t, err, "%s %s", res.Stdout, res.Stderr)
	return strings.TrimSpace(res.Stdout)
}

func (s *server) sql(t *testing.T, statement string) string {
	t.Helper()
	return s.as(t, "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-c", statement)
}

func (s *server) backrest(t *testing.T, args ...string) string {
	t.Helper()
	return s.as(t, append([]string{"pgbackrest", "--stanza=db"}, args...)...)
}

// machine is this one with the variables by which the server and its repository
// are found, as the containers of the HA image have them.
type machine struct {
	conn.Host
	env  map[string]string
	cmds []conn.Cmd
}

func (m *machine) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	m.cmds = append(m.cmds, cmd)
	env := map[string]secret.Value{}
	for k, v := range m.env {
		env[k] = secret.New(v)
	}
	for k, v := range cmd.Env {
		env[k] = v
	}
	cmd.Env = env
	return m.Host.Run(ctx, cmd)
}

func (s *server) host() *machine {
	return &machine{Host: local.New(), env: map[string]string{
		"PGHOST": s.dir, "PGPORT": strconv.Itoa(s.port), "PGBACKREST_CONFIG": s.config()}}
}

func (s *server) step(t *testing.T, entry module.Entry, args string) *moduletest.Step {
	t.Helper()
	return moduletest.New(t, entry, s.host(), args, nil)
}

func number(v cty.Value) int64 {
	n, _ := v.AsBigFloat().Int64()
	return n
}
