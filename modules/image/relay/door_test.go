package relay

import (
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

func TestAuthorizedKeysAreAsBefore(t *testing.T) {
	a, b := newPlace(t, "n1", settled{}), newPlace(t, "n2", settled{})
	keys := b.home + "/.ssh/authorized_keys"
	for name, prepare := range map[string]func(){
		"no folder": func() { require.NoError(t, os.Remove(b.home+"/.ssh")) },
		"no file":   func() {},
		"empty":     func() { require.NoError(t, os.WriteFile(keys, nil, 0o600)) },
		"lines":     func() { require.NoError(t, os.WriteFile(keys, []byte("# ours\nssh-ed25519 AAAA me\n\n"), 0o640)) },
		"no final newline": func() {
			require.NoError(t, os.WriteFile(keys, []byte("# ours\nssh-ed25519 AAAA me"), 0o644))
		},
		"a symlink": func() {
			require.NoError(t, os.WriteFile(b.home+"/keys", []byte("ssh-ed25519 AAAA elsewhere\n"), 0o600))
			require.NoError(t, os.Symlink("../keys", keys))
		},
		"a symlink to nothing": func() { require.NoError(t, os.Symlink("../nothing", keys)) },
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.RemoveAll(b.home+"/.ssh"))
			require.NoError(t, os.Mkdir(b.home+"/.ssh", 0o700))
			prepare()
			before := tree(t, b.home)
			cargo := random(3 << 20)
			a.at, b.at = nil, nil
			b.when(1, func() { require.NotEqual(t, before, tree(t, b.home)) })
			all := send(t.Context(), cargo, Options{Chain: true}, a, b)
			b.holds(cargo, all["n2"])
			require.Equal(t, "n1", all["n2"].By, b.said())
			require.Equal(t, before, tree(t, b.home))
		})
	}
}

// tree is every name below dir with its mode and content.
func tree(t *testing.T, dir string) map[string]string {
	all := map[string]string{}
	require.NoError(t, filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			all[path] = "folder"
			return err
		}
		text, _ := os.ReadFile(path)
		all[path] = info.Mode().String() + " " + string(text)
		return nil
	}))
	return all
}

// opened is a place with a station that waits, and a file with the key to it.
func opened(t *testing.T, cargo Cargo, how settled) (*place, *station, string) {
	t.Helper()
	p := newPlace(t, "n1", how)
	p.had = append(p.had, cargo)
	s, err := openStation(t.Context(), p.Node, cargo, "somebody", *quick())
	require.NoError(t, err)
	key := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(key, s.key, 0o600))
	return p, s, key
}

// knock runs ssh with the key, as its bearer may.
func (p *place) knock(key, stdin, command string, args ...string) (string, error) {
	host, port, err := net.SplitHostPort(p.Login.Address)
	require.NoError(p.t, err)
	ctx, stop := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer stop()
	all := append([]string{"-F", "/dev/null", "-i", key, "-p", port, "-l", "root", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
		"-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes"}, args...)
	c := exec.CommandContext(ctx, "ssh", append(all, host)...)
	if command != "" {
		c.Args = append(c.Args, command)
	}
	c.Stdin = strings.NewReader(stdin)
	out, err := c.CombinedOutput()
	return string(out), err
}

func TestTheKeyLetsItsBearerBringChunksAndNothingElse(t *testing.T) {
	cargo := random(3 << 20)
	p, s, key := opened(t, cargo, settled{})
	out, err := p.knock(key, "", "id")
	require.NotContains(t, out, "uid=", "a command of the bearer's own must not run")
	require.NoError(t, err)
	out, _ = p.knock(key, "", "tty", "-tt")
	require.NotContains(t, out, "/dev/")
	out, err = p.knock(key, "GET / HTTP/1.0\r\n\r\n", "", "-W", p.Login.Address)
	require.Error(t, err)
	require.Contains(t, out, "forwarding failed", "no port is forwarded")

	info := p.do(`stat -c "%a %U" "$1"; find "$1" -type f ! -name poll -exec grep -l "PRIVATE KEY" {} +; true`, s.dir)
	require.Equal(t, "700 root\n", info)

	require.NoError(t, s.stop(t.Context()))
	p.clean(cargo)
	_, err = p.knock(key, "", "id")
	require.Error(t, err, "the key opens nothing any more")
}

func TestALineThatStayedBehindIsInert(t *testing.T) {
	cargo := random(3 << 20)
	p, s, key := opened(t, cargo, settled{})
	keys := p.home + "/.ssh/authorized_keys"
	line, err := os.ReadFile(keys)
	require.NoError(t, err)
	require.NoError(t, s.stop(t.Context()))
	require.NoError(t, os.MkdirAll(filepath.Dir(keys), 0o700))
	require.NoError(t, os.WriteFile(keys, line, 0o600))
	out, err := p.knock(key, "chunk 0 1 raw x\n", "id")
	require.Error(t, err)
	require.NotContains(t, out, "uid=")
}

func TestWhatANeighbourSaysIsNotTrusted(t *testing.T) {
	bash, err := exec.LookPath("bash")
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "relay-tools-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Symlink(bash, dir+"/sh"))
	for shell, how := range map[string]settled{
		"dash": {},
		// It evaluates what stands in an arithmetic expression.
		"bash": {opts: conntest.SSHOptions{Config: []string{"SetEnv PATH=" + dir + ":/usr/sbin:/usr/bin:/sbin:/bin"}}},
	} {
		t.Run(shell, func(t *testing.T) {
			cargo := random(3 << 20)
			p, s, key := opened(t, cargo, how)
			evil := filepath.Join(t.TempDir(), "evil")
			for _, header := range []string{
				"chunk 0 a[$(touch${IFS}" + evil + ")] raw 0",
				"chunk $(touch${IFS}" + evil + ") 5 raw 0",
				"chunk 0 99999999999999999999 raw 0", "chunk 0 9000000 raw 0",
				"chunk 0 010 raw 0", "chunk 0 -5 raw 0", "chunk 0 0x10 raw 0", "chunk 0  raw 0",
				"chunk 0 5 ../../bin/sh 0", "chunk 0 5 sh 0", "chunk * * * *", "grunt 0 5 raw 0",
				"`touch${IFS}" + evil + "`", "\x00\x01\x02",
			} {
				_, _ = p.knock(key, header+strings.Repeat(" ", max(0, 95-len(header)))+"\n"+strings.Repeat("x", 100), "")
			}
			_, _ = p.knock(key, strings.Repeat("endless", 1<<20), "")
			require.NoFileExists(t, evil)
			used, err := strconv.Atoi(strings.TrimSpace(p.do(`find "$1" -type f -exec cat {} + | wc -c`, s.dir)))
			require.NoError(t, err)
			require.Less(t, used, 64<<10, "nothing of what came is kept")
			st, err := s.poll(t.Context())
			require.NoError(t, err)
			require.False(t, st.gone)
			require.Zero(t, st.next)
			require.NoError(t, s.release(t.Context()))
			p.holds(cargo, send(t.Context(), cargo, Options{}, p)["n1"])
		})
	}
}

func TestThePrivateKeyIsInNoCommandLine(t *testing.T) {
	nodes := line(t, 2)
	cargo := random(3 << 20)
	seen := &watched{Runner: nodes[0].runner}
	nodes[0].Host = seen
	all := send(t.Context(), cargo, Options{Chain: true}, nodes...)
	require.Equal(t, "n1", all["n2"].By)
	require.NotEmpty(t, seen.all)
	require.NotContains(t, seen.all, "PRIVATE")
}

// watched keeps the arguments and environments of what runs.
type watched struct {
	conn.Runner
	mu  sync.Mutex
	all string
}

func (w *watched) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	w.mu.Lock()
	for name, value := range cmd.Env {
		w.all += name + value.Reveal()
	}
	w.all += strings.Join(cmd.Args, " ") + "\n"
	w.mu.Unlock()
	return w.Runner.Run(ctx, cmd)
}
