package sql

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
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

// server is a real PostgreSQL of this machine, in a folder of its own, with
// the operating system's user postgres as its superuser. The tests are run as
// root, as the product is where it works over the local socket.
type server struct {
	dir, bin   string
	port       int
	args       []string
	postmaster *exec.Cmd
}

// TestMain removes what the tests of the package shared.
func TestMain(m *testing.M) {
	code := kubetest.Run(m)
	if fresh.dir != "" {
		_ = os.RemoveAll(fresh.dir)
	}
	os.Exit(code)
}

// fresh is a data directory as initdb leaves it, for all servers to copy.
var fresh struct {
	sync.Once
	dir string
}

func newCluster(t *testing.T, s *server) string {
	t.Helper()
	fresh.Do(func() {
		fresh.dir = strings.TrimSpace(s.as(t, "postgres", "mktemp", "-d", "/tmp/sqltest-fresh.XXXXXX"))
		s.as(t, "postgres", filepath.Join(s.bin, "initdb"), "--no-sync", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", filepath.Join(fresh.dir, "data"))
	})
	return filepath.Join(fresh.dir, "data")
}

// authentication has a line for each way in: peer over the socket as in the
// HA image, any password for the role "open", md5 or SCRAM for all others, and
// SCRAM alone for "scrammed" and the members of "scrammers".
const authentication = `local all postgres peer
local replication postgres peer
host all scrammed,+scrammers 127.0.0.1/32 scram-sha-256
host all open 127.0.0.1/32 trust
host all all 127.0.0.1/32 md5
`

func startServer(t *testing.T, settings ...string) *server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a PostgreSQL server")
	}
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, bins, "install PostgreSQL (Debian: postgresql)")
	require.Zero(t, os.Geteuid(), "these tests become the user postgres: run them as root")
	bin := bins[len(bins)-1]

	dir, err := os.MkdirTemp("", "sqltest")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	owner := postgres(t)
	require.NoError(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))

	s, data := &server{dir: dir, bin: bin, port: freePort(t)}, filepath.Join(dir, "data")
	s.as(t, "postgres", "cp", "-a", newCluster(t, s), data)
	require.NoError(t, os.WriteFile(filepath.Join(data, "pg_hba.conf"), []byte(authentication), 0o600))

	s.serve(t, data, settings...)
	return s
}

// serve runs a postmaster on a data directory, for as long as the test runs.
func (s *server) serve(t *testing.T, data string, settings ...string) {
	t.Helper()
	s.args = append([]string{"-D", data, "-k", s.dir, "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "log_statement=all"}, settings...)
	t.Cleanup(s.stop)
	s.launch(t)
	require.Eventually(t, s.up, time.Minute, 50*time.Millisecond, "the server does not start")
}

// launch starts the postmaster, and does not wait until it takes sessions.
func (s *server) launch(t *testing.T) {
	t.Helper()
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	require.NoError(t, err)
	defer log.Close()
	s.postmaster = exec.Command(filepath.Join(s.bin, "postgres"), s.args...)
	s.postmaster.Stdout, s.postmaster.Stderr = log, log
	s.postmaster.SysProcAttr = &syscall.SysProcAttr{Credential: postgres(t)}
	require.NoError(t, s.postmaster.Start())
}

func (s *server) stop() {
	_ = s.postmaster.Process.Signal(syscall.SIGINT)
	_ = s.postmaster.Wait()
}

// up reports whether the server takes sessions.
func (s *server) up() bool {
	return exec.Command(filepath.Join(s.bin, "pg_isready"), "-q", "-h", s.dir, "-p", strconv.Itoa(s.port)).Run() == nil
}

// postgres is the user whom servers run as.
func postgres(t *testing.T) *syscall.Credential {
	t.Helper()
	u, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	require.NoError(t, err)
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	require.NoError(t, err)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *server) logFile() string { return filepath.Join(s.dir, "server.log") }

// log is all that the server has logged, every statement among it.
func (s *server) log(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(s.logFile())
	require.NoError(t, err)
	return string(text)
}

func (s *server) as(t *testing.T, who string, args ...string) string {
	t.Helper()
	res, err := local.New().Run(context.Background(), conn.Cmd{Args: args, User: who})
	require.NoError(t, err, "%s", res.Stderr)
	return res.Stdout
}

// sql does something behind the modules' back.
func (s *server) sql(t *testing.T, statement string) string {
	t.Helper()
	return s.in(t, "postgres", statement)
}

// in does it in another database.
func (s *server) in(t *testing.T, database, statement string) string {
	t.Helper()
	return strings.TrimSpace(s.as(t, "postgres", "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1",
		"-h", s.dir, "-p", strconv.Itoa(s.port), "-d", "dbname="+conninfo(database), "-c", statement))
}

// conninfo quotes a value of a connection string.
func conninfo(value string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(value) + "'"
}

// visit opens a session that stays until the test ends, as a role of its own.
func (s *server) visit(t *testing.T, database, role string) *pgconn.PgConn {
	t.Helper()
	s.sql(t, "create role "+ident(role)+" superuser login password 'v1sit'")
	return s.connect(t, database, role, "v1sit")
}

func (s *server) connect(t *testing.T, database, role, password string) *pgconn.PgConn {
	t.Helper()
	cfg, err := pgconn.ParseConfig(fmt.Sprintf("host=127.0.0.1 port=%d user=%s password=%s sslmode=disable application_name=lodging dbname=%s",
		s.port, conninfo(role), conninfo(password), conninfo(database)))
	require.NoError(t, err)
	c, err := pgconn.ConnectConfig(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close(context.Background()) })
	return c
}

// socket is this machine with PGHOST set, as containers of the HA image have
// it, and a record of what was run.
type socket struct {
	conn.Host
	dir  string
	cmds []conn.Cmd
}

func (h *socket) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	h.cmds = append(h.cmds, cmd)
	env := map[string]secret.Value{"PGHOST": secret.New(h.dir)}
	for k, v := range cmd.Env {
		env[k] = v
	}
	cmd.Env = env
	return h.Host.Run(ctx, cmd)
}

func (s *server) host() *socket { return &socket{Host: local.New(), dir: s.dir} }

// step is a step over the local socket; a "host" in args makes it go by TCP.
func (s *server) step(t *testing.T, entry module.Entry, args string, values ...any) *moduletest.Step {
	t.Helper()
	args = fmt.Sprintf(args, values...) + fmt.Sprintf("\nport = %d\n", s.port)
	return moduletest.New(t, entry, s.host(), args, map[string]cty.Value{})
}

var (
	queryEntry    = module.Of[Query]()
	roleEntry     = module.Of[Role]()
	databaseEntry = module.Of[Database]()
)

// commands are the psql calls that a step made.
func commands(step *moduletest.Step) []conn.Cmd { return step.Env().Host.(*socket).cmds }
