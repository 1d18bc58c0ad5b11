package conntest_test

import (
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
)

func TestMutatingCommandsAreKnown(t *testing.T) {
	for line, want := range map[string]string{
		"docker image inspect antdb-ha:1":         "",
		"docker image ls":                         "",
		"docker build -t x .":                     "docker build",
		"docker image rm x":                       "docker rm",
		"docker exec -i c psql -c SELECT_1":       "",
		"docker exec -i c rm /x":                  "rm",
		"docker version":                          "",
		"ctr -n k8s.io images ls":                 "",
		"ctr -n k8s.io images import -":           "ctr import",
		"systemctl is-active docker":              "",
		"systemctl show docker":                   "",
		"systemctl restart docker":                "systemctl restart",
		"sudo -n -u postgres rm -f /x":            "rm",
		"/bin/rm x":                               "rm",
		"cat /etc/passwd":                         "",
		"sed -n 1p f":                             "",
		"sed -i s/a/b/ f":                         "sed -i",
		"psql -c SELECT datname FROM pg_database": "",
		"psql -c DROP TABLE x":                    "DROP T",
		"psql -c update accounts set x":           "update a",
		"psql -c SELECT last_update FROM created": "",
		"env LC_ALL=C stat /x":                    "",
	} {
		require.Equal(t, want, conntest.Mutates(strings.Fields(line)), line)
	}
	for script, want := range map[string]string{
		"test -e /x && cat /x":                   "",
		"docker version 2>/dev/null >&2 || true": "",
		"if [ -e f ]; then rm f; fi":             "rm",
		"a=$(mktemp) || exit; cat >/tmp/x":       "> /tmp/x",
		"echo x >>/etc/hosts":                    "> /etc/hosts",
		"df -P 2>/dev/null | awk '{print $2}'":   "",
		"x=1; [ \"$x\" -gt 0 ] && mkdir -p /y":   "mkdir",
		"wc -c </etc/passwd":                     "",
	} {
		require.Equal(t, want, conntest.Mutates(conn.Script(script).Args), script)
	}
}

// recorder stands for the test that a breach would fail.
type recorder struct {
	testing.TB
	failed int
}

func (r *recorder) Errorf(string, ...any) { r.failed++ }
func (r *recorder) Helper()               {}

func TestReadOnlyFailsTheTestAndDoesNothing(t *testing.T) {
	dir := t.TempDir()
	r := &recorder{TB: t}
	h := conntest.ReadOnly(r, local.New())
	_, err := h.Run(t.Context(), conn.Command("mkdir", dir+"/x"))
	require.Error(t, err)
	f, err := h.Files()
	require.NoError(t, err)
	require.Error(t, f.Write(t.Context(), dir+"/y", strings.NewReader(""), conn.FileMeta{}))
	require.Error(t, f.Remove(t.Context(), dir))
	cmd := conn.Command("psql")
	cmd.Stdin = strings.NewReader("DROP DATABASE a")
	_, err = h.Run(t.Context(), cmd)
	require.Error(t, err)
	require.Equal(t, 4, r.failed)
	res, err := h.Run(t.Context(), conn.Command("ls", "-A", dir))
	require.NoError(t, err)
	require.Empty(t, res.Stdout)
	require.Equal(t, 4, r.failed)
}

// A psql that stays is told its statements one after another.
func TestReadOnlyListensToWhatAPsqlIsTold(t *testing.T) {
	r := &recorder{TB: t}
	told, talk := io.Pipe()
	go func() {
		for _, part := range []string{"select 1;\nalter ", "role x;\n", "select 2"} {
			_, _ = io.WriteString(talk, part)
		}
		_ = talk.Close()
	}()
	// cat stands in for psql: what counts is what comes through.
	res, err := conntest.ReadOnly(r, local.New()).Run(t.Context(), conn.Cmd{Args: []string{"sh", "-c", "cat", "psql"}, Stdin: told})
	require.NoError(t, told.Close())
	require.Error(t, err)
	require.Contains(t, res.Stdout, "select 1;")
	require.NotContains(t, res.Stdout, "role x")
	require.Equal(t, 1, r.failed)
}

func TestScriptAnswersByPattern(t *testing.T) {
	r := &recorder{TB: t}
	s := conntest.NewScript(r)
	s.On("docker", "info").Fails(1, "starting up").Once()
	s.On("docker", "info").Says("fine")
	s.On("docker", "load", "...").Does(func(cmd conn.Cmd) (conn.Result, error) {
		all, err := io.ReadAll(cmd.Stdin)
		return conn.Result{Stdout: string(all)}, err
	})
	_, err := s.Run(t.Context(), conn.Command("docker", "info"))
	code, _ := conn.ExitCode(err)
	require.Equal(t, 1, code)
	res, err := s.Run(t.Context(), conn.Command("docker", "info"))
	require.NoError(t, err)
	require.Equal(t, "fine", res.Stdout)

	s.Done()
	require.Equal(t, 1, r.failed, "docker load was not run")
	cmd := conn.Command("docker", "load", "-q")
	var out strings.Builder
	cmd.Stdin, cmd.Stdout = strings.NewReader("tar"), &out
	_, err = s.Run(t.Context(), cmd)
	require.NoError(t, err)
	require.Equal(t, "tar", out.String())
	s.Done()
	require.Equal(t, 1, r.failed)

	_, err = s.Run(t.Context(), conn.Command("docker", "rm"))
	require.Error(t, err)
	require.Equal(t, 2, r.failed, "nothing was written down for it")
	require.Equal(t, []string{"docker info", "docker info", "docker load -q", "docker rm"}, s.Calls())
}
