package pgo

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

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/secret"
)

// server is a real PostgreSQL of this machine, in the place of the one in the
// primary's pod. Its superuser is the operating system's user postgres.
type server struct {
	dir  string
	port int
}

// The pg_hba of PGO's image, and a user for each other way.
const serverHBA = `local all postgres peer
host all open 127.0.0.1/32 trust
host all strict 127.0.0.1/32 scram-sha-256
host all barred 127.0.0.1/32 reject
host all all 127.0.0.1/32 md5
`

func startServer(t *testing.T) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a PostgreSQL server")
	}
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, bins, "install PostgreSQL (Debian: postgresql)")
	require.Zero(t, os.Geteuid(), "these tests become the user postgres: run them as root")
	bin := bins[len(bins)-1]
	dir, err := os.MkdirTemp("", "pgotest")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	owner, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	require.NoError(t, os.Chown(dir, uid, gid))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s, data := &server{dir: dir, port: l.Addr().(*net.TCPAddr).Port}, filepath.Join(dir, "data")
	require.NoError(t, l.Close())
	_, err = s.as(t.Context(), conn.Cmd{Args: []string{filepath.Join(bin, "initdb"), "--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", data}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(serverHBA), 0o600))
	postmaster := exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", dir, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_statement=all", "-c", "password_encryption=md5")
	log, err := os.Create(filepath.Join(dir, "server.log"))
	require.NoError(t, err)
	postmaster.Stdout, postmaster.Stderr = log, log
	postmaster.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}
	require.NoError(t, postmaster.Start())
	t.Cleanup(func() {
		_ = postmaster.Process.Signal(syscall.SIGINT)
		_ = postmaster.Wait()
		_ = log.Close()
	})
	require.Eventually(t, func() bool {
		return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", dir, "-p", strconv.Itoa(s.port)).Run() == nil
	}, time.Minute, 50*time.Millisecond, "the server does not start")
	return s
}

func (s *server) as(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	cmd.User = "postgres"
	return local.New().Run(ctx, cmd)
}

// Run is what a container of the HA image is for psql: PGHOST is set, and the
// user is the server's own. It keeps what was run.
func (s *server) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	env := map[string]secret.Value{"PGHOST": secret.New(s.dir), "PGPORT": secret.New(strconv.Itoa(s.port))}
	for name, value := range cmd.Env {
		env[name] = value
	}
	cmd.Env = env
	return s.as(ctx, cmd)
}

// sql does something behind the module's back.
func (s *server) sql(t *testing.T, format string, args ...any) string {
	t.Helper()
	res, err := s.Run(context.Background(), conn.Cmd{Args: []string{"psql", "-XqAt", "-v", "ON_ERROR_STOP=1"}, Stdin: strings.NewReader(fmt.Sprintf(format, args...))})
	require.NoError(t, err, res.Stderr)
	return strings.TrimSpace(res.Stdout)
}

func (s *server) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "server.log"))
	require.NoError(t, err)
	return string(text)
}

func (s *server) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return local.New().Dial(ctx, network, fmt.Sprintf("127.0.0.1:%d", s.port))
}

// logsIn reports whether a user gets in with a password.
func (s *server) logsIn(t *testing.T, user, password string) bool {
	t.Helper()
	e, err := door{dial: s.dial, user: user}.knock(t.Context(), secret.New(password))
	require.NoError(t, err)
	return e.admitted
}
