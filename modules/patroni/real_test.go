package patroni

import (
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
)

// real is a cluster of two members that Patroni really runs on this machine,
// with etcd as its store.
type real struct {
	dir     string
	etcd    int
	uid     uint32
	gid     uint32
	bin     string
	members map[string]*realMember
}

type realMember struct {
	name      string
	api, port int
	process   *exec.Cmd
}

const realConfig = `
scope: 演练
name: %[1]s
log: {level: INFO}
restapi: {listen: "127.0.0.1:%[2]d", connect_address: "127.0.0.1:%[2]d"}
etcd3: {host: "127.0.0.1:%[3]d"}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    postgresql:
      use_pg_rewind: true
      parameters: {shared_buffers: 16MB, max_connections: 50, log_statement: none, fsync: "off", max_worker_processes: 4}
  initdb: [{encoding: UTF8}, {locale: C}, no-sync]
postgresql:
  listen: "127.0.0.1:%[4]d"
  connect_address: "127.0.0.1:%[4]d"
  data_dir: %[5]s/%[1]s
  bin_dir: %[6]s
  pgpass: %[5]s/%[1]s.pgpass
  authentication:
    superuser: {username: postgres, password: "gu'o/&lu"}
    replication: {username: replicator, password: replicator}
  parameters: {unix_socket_directories: %[5]s}
  pg_hba: ["local all all trust", "host all all 127.0.0.1/32 md5", "host replication all 127.0.0.1/32 md5"]
`

// startReal needs the programs patroni, etcd and PostgreSQL.
func startReal(t *testing.T) *real {
	t.Helper()
	if testing.Short() {
		t.Skip("needs patroni, etcd and PostgreSQL")
	}
	require.Zero(t, os.Geteuid(), "these tests become the user postgres: run them as root")
	bins, err := filepath.Glob("/usr/lib/postgresql/*/bin")
	require.NoError(t, err)
	require.NotEmpty(t, bins, "install PostgreSQL (Debian: postgresql-15)")
	dir, err := os.MkdirTemp("", "patroni")
	require.NoError(t, err)
	owner, err := user.Lookup("postgres")
	require.NoError(t, err)
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	require.NoError(t, os.Chown(dir, uid, gid))
	r := &real{dir: dir, uid: uint32(uid), gid: uint32(gid), bin: bins[len(bins)-1], etcd: freePort(t), members: map[string]*realMember{}}
	t.Cleanup(func() {
		for _, log := range []string{"etcd.log", "a.log", "乙.log"} {
			if text, _ := os.ReadFile(filepath.Join(dir, log)); t.Failed() {
				t.Logf("%s: …%s", log, text)
			}
		}
		require.NoError(t, os.RemoveAll(dir))
	})
	r.startEtcd(t)
	for _, name := range []string{"a", "乙"} {
		r.members[name] = &realMember{name: name, api: freePort(t), port: freePort(t)}
	}
	r.startMember(t, "a")
	require.Eventually(t, func() bool { return r.leads(t, "a") }, 15*time.Second, 100*time.Millisecond, "a does not lead")
	r.startMember(t, "乙")
	r.settled(t)
	return r
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// run starts a program as the user postgres, in a process group of its own that
// ends with the test.
func (r *real) run(t *testing.T, log string, args ...string) *exec.Cmd {
	t.Helper()
	path, err := exec.LookPath(args[0])
	require.NoError(t, err, "install it (Debian: patroni, etcd-server)")
	file, err := os.Create(filepath.Join(r.dir, log))
	require.NoError(t, err)
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = r.dir, file, file
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "PYTHONIOENCODING=utf-8")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: r.uid, Gid: r.gid}}
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(20 * time.Second):
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = file.Close()
	})
	return cmd
}

func (r *real) startEtcd(t *testing.T) {
	t.Helper()
	client, peer := fmt.Sprintf("http://127.0.0.1:%d", r.etcd), fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	r.run(t, "etcd.log", "etcd", "--data-dir", filepath.Join(r.dir, "etcd"), "--unsafe-no-fsync", "--listen-client-urls", client,
		"--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "default="+peer)
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", r.etcd))
		if err != nil {
			return false
		}
		return c.Close() == nil
	}, 30*time.Second, 50*time.Millisecond, "etcd does not start")
}

func (r *real) startMember(t *testing.T, name string) {
	t.Helper()
	m, path := r.members[name], filepath.Join(r.dir, name+".yml")
	text := fmt.Sprintf(realConfig, name, m.api, r.etcd, m.port, r.dir, r.bin)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	m.process = r.run(t, name+".log", "patroni", path)
}

// view is the cluster at this moment; nil when it cannot be seen.
func (r *real) view(t *testing.T) *view {
	p, err := where{members: []string{r.address("a")}}.open(t.Context(), moduletest.Env(t, local.New()))
	require.NoError(t, err)
	v, err := p.look(t.Context())
	if err != nil {
		return nil
	}
	return v
}

func (r *real) address(name string) string { return fmt.Sprintf("127.0.0.1:%d", r.members[name].api) }

func (r *real) leads(t *testing.T, name string) bool {
	p, err := where{members: []string{r.address(name)}}.open(t.Context(), moduletest.Env(t, local.New()))
	require.NoError(t, err)
	s, err := p.members[0].api.Status(t.Context())
	return err == nil && s.Leads
}

// settled waits until one member leads and the other follows closely.
func (r *real) settled(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		v := r.view(t)
		return v != nil && len(v.members) == 2 && len(v.problems()) == 0
	}, time.Minute, 200*time.Millisecond, "乙 does not follow")
}

// sql asks one member behind the modules' back.
func (r *real) sql(t *testing.T, name, statement string) string {
	t.Helper()
	cmd := exec.Command("psql", "-X", "-q", "-A", "-t", "-U", "postgres", "-h", r.dir, "-p", strconv.Itoa(r.members[name].port), "-d", "postgres", "-c", statement)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return strings.TrimSpace(string(out))
}

// step is one on this machine that knows the address of one member.
func (r *real) step(t *testing.T, entry module.Entry, args string, values ...any) *moduletest.Step {
	t.Helper()
	args = fmt.Sprintf(args, values...) + fmt.Sprintf("\nmembers = [%q]\n", r.address("a"))
	s := moduletest.New(t, entry, local.New(), args, map[string]cty.Value{})
	s.Env().Target = conn.Target{Kind: conn.Local, Name: "here"}
	return s
}

// realLogin is how steps log in to the members' databases.
const realLogin = `
password = "gu'o/&lu"
sslmode  = "disable"
wait     = "2m"
`
