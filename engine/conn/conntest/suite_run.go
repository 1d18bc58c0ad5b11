package conntest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

func (s suite) exitStatus(t *testing.T) {
	h := s.open(t)
	for script, want := range map[string]int{
		"exit 3":                        3,
		"exit 255":                      255,
		"exec /no/such/program":         127,
		"kill -TERM $$; sleep 10":       143,
		"echo half; echo no >&2; false": 1,
	} {
		res, err := h.Run(deadline(t), conn.Script(script))
		code, ok := conn.ExitCode(err)
		require.True(t, ok, "%s: %v", script, err)
		require.Equal(t, want, code, script)
		if want == 1 {
			exit := (*conn.ExitError)(nil)
			require.ErrorAs(t, err, &exit)
			require.Equal(t, "half\n", exit.Stdout)
			require.Equal(t, "no\n", exit.Stderr)
			require.Equal(t, conn.Result{Stdout: "half\n", Stderr: "no\n"}, res)
		}
	}
	_, err := h.Run(deadline(t), conn.Command("conntest-has-no-such-program", "x"))
	code, _ := conn.ExitCode(err)
	require.Equal(t, 127, code, "a program that is not there: %v", err)
	_, err = h.Run(deadline(t), conn.Cmd{})
	require.Error(t, err)
}

func (s suite) arguments(t *testing.T) {
	h := s.open(t)
	args := []string{"", " ", "a b", "it's", `"q"`, "$HOME", "`id`", "a\nb", `back\slash`, "*", "~", "-n", "数据库", "!!", "#x", "a;b|c&d"}
	out := sh(t, h, `for a; do printf '%s\0' "$a"; done`, args...)
	require.Equal(t, strings.Join(args, "\x00")+"\x00", out)
	res, err := h.Run(deadline(t), conn.Command("printf", `%s\n`, "it's", "a  b"))
	require.NoError(t, err)
	require.Equal(t, "it's\na  b\n", res.Stdout)
}

func (s suite) stdin(t *testing.T) {
	h := s.open(t)
	sent := make([]byte, 3<<20)
	_, _ = rand.Read(sent)
	var got bytes.Buffer
	cmd := conn.Command("cat")
	cmd.Stdin, cmd.Stdout = bytes.NewReader(sent), &got
	res, err := h.Run(deadline(t), cmd)
	require.NoError(t, err)
	require.Empty(t, res.Stdout, "what Stdout got is not kept as well")
	require.True(t, bytes.Equal(sent, got.Bytes()))

	res, err = h.Run(deadline(t), conn.Command("cat"))
	require.NoError(t, err, "without a Stdin there is an end of file, not a wait")
	require.Empty(t, res.Stdout)
}

func (s suite) unreadStdin(t *testing.T) {
	cmd := conn.Command("true")
	cmd.Stdin = bytes.NewReader(make([]byte, 8<<20))
	_, err := s.open(t).Run(deadline(t), cmd)
	require.NoError(t, err)
}

func (s suite) streaming(t *testing.T) {
	h := s.open(t)
	in, feed := io.Pipe()
	came := make(chan string, 16)
	cmd := conn.Script(`echo ready; read -r line; echo "got $line"`)
	cmd.Stdin = in
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		came <- string(p)
		return len(p), nil
	})
	done := make(chan error, 1)
	ctx := deadline(t)
	go func() {
		_, err := h.Run(ctx, cmd)
		done <- err
	}()
	require.Equal(t, "ready\n", <-came)
	_, err := io.WriteString(feed, "an answer\n")
	require.NoError(t, err)
	require.Equal(t, "got an answer\n", <-came)
	require.NoError(t, feed.Close())
	require.NoError(t, <-done)
}

func (s suite) largeOutput(t *testing.T) {
	const size, allowed = 100 << 20, 40 << 20
	h := s.open(t)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var n, next, peak uint64
	cmd := conn.Command("dd", "if=/dev/zero", "bs=65536", fmt.Sprintf("count=%d", size>>16))
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		if n += uint64(len(p)); n > next {
			runtime.ReadMemStats(&now)
			next, peak = n+size/20, max(peak, now.HeapInuse)
		}
		return len(p), nil
	})
	_, err := h.Run(deadline(t), cmd)
	require.NoError(t, err)
	require.EqualValues(t, size, n)
	require.Less(t, peak, before.HeapInuse+allowed)
}

func (s suite) stderrTail(t *testing.T) {
	h := s.open(t)
	var seen atomic.Int64
	cmd := conn.Script(`dd if=/dev/zero bs=65536 count=16 2>/dev/null | tr '\0' x >&2; echo the end >&2; exit 9`)
	cmd.Stderr = writerFunc(func(p []byte) (int, error) {
		seen.Add(int64(len(p)))
		return len(p), nil
	})
	res, err := h.Run(deadline(t), cmd)
	code, _ := conn.ExitCode(err)
	require.Equal(t, 9, code)
	require.EqualValues(t, 1<<20+len("the end\n"), seen.Load())
	require.Len(t, res.Stderr, 64<<10)
	require.True(t, strings.HasSuffix(res.Stderr, "xthe end\n"))
	require.True(t, strings.HasSuffix(err.Error(), "the end"), "the message ends with the last line")
}

// awkward values of environment variables.
var awkward = map[string]string{
	"A_EMPTY":   "",
	"A_QUOTES":  `it's "quoted" \ $HOME $(id) ` + "`id`",
	"A_LINES":   "one\ntwo\n\n  four\n",
	"A_NEWLINE": "\n",
	"A_UNICODE": "亚信数据库 пароль ☃",
	"A_MARK":    "x\nantdbctl:y\n",
	"A_SPACES":  "  \t both ends \t ",
	"A_LONG":    strings.Repeat("0123456789", 2000),
}

func (s suite) environment(t *testing.T) {
	h := s.open(t)
	for name, value := range awkward {
		cmd := conn.Script(fmt.Sprintf(`printf %%s "$%s"; case ${%s+set} in set) ;; *) exit 7;; esac`, name, name))
		cmd.Env = map[string]secret.Value{"OTHER": secret.New("x")}
		for n, v := range awkward {
			cmd.Env[n] = secret.New(v)
		}
		res, err := h.Run(deadline(t), cmd)
		require.NoError(t, err, name)
		require.Equal(t, value, res.Stdout, name)
	}
	cmd := conn.Command("env")
	cmd.Env = map[string]secret.Value{"CONNTEST_B": secret.New("2")}
	res, err := h.Run(deadline(t), cmd)
	require.NoError(t, err)
	require.Contains(t, res.Stdout, "CONNTEST_B=2\n")
	require.Contains(t, res.Stdout, "PATH=", "the place's own environment stays")
}

func (s suite) environmentHidden(t *testing.T) {
	h := s.open(t)
	value := "hidden-" + rand.Text()
	cmd := conn.Script(`[ -n "$SECRET" ] || exit 7; sleep 0.2; cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' '`)
	cmd.Env = map[string]secret.Value{"SECRET": secret.New(value)}
	res, err := h.Run(deadline(t), cmd)
	require.NoError(t, err)
	require.Contains(t, res.Stdout, "/proc/[0-9]*/cmdline", "the look into /proc must see the command itself")
	require.NotContains(t, res.Stdout, value)
}

func (s suite) environmentAndStdin(t *testing.T) {
	cmd := conn.Script(`printf '%s|' "$A"; cat`)
	cmd.Env = map[string]secret.Value{"A": secret.New("one\ntwo")}
	cmd.Stdin = strings.NewReader("three\nfour")
	res, err := s.open(t).Run(deadline(t), cmd)
	require.NoError(t, err)
	require.Equal(t, "one\ntwo|three\nfour", res.Stdout)
}

func (s suite) folder(t *testing.T) {
	h := s.open(t)
	dir := folder(t, h)
	cmd := conn.Command("pwd")
	cmd.Dir = dir
	cmd.Env = map[string]secret.Value{"A": secret.New("x")}
	res, err := h.Run(deadline(t), cmd)
	require.NoError(t, err)
	require.Equal(t, dir+"\n", res.Stdout)
	cmd.Dir = dir + "/missing"
	_, err = h.Run(deadline(t), cmd)
	require.Error(t, err)
}

func (s suite) manyAtOnce(t *testing.T) {
	const n = 40 // more than any server allows on one connection
	h := s.open(t)
	ctx := deadline(t)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			res, err := h.Run(ctx, conn.Script(`sleep 0.05; echo "$1"`, fmt.Sprint(i)))
			if err == nil && res.Stdout != fmt.Sprintln(i) {
				err = fmt.Errorf("answer of another command: %q", res.Stdout)
			}
			errs[i] = err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func (s suite) endedContext(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := s.open(t).Run(ctx, conn.Command("true"))
	require.ErrorIs(t, err, context.Canceled)
}

func (s suite) kill(t *testing.T) {
	h := s.open(t)
	ctx, stop := context.WithCancel(deadline(t))
	defer stop()
	pids := make(chan string, 1)
	cmd := conn.Script(`sleep 300 & echo "$$ $!"; wait`)
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		pids <- string(p)
		return len(p), nil
	})
	done := make(chan error, 1)
	go func() {
		_, err := h.Run(ctx, cmd)
		done <- err
	}()
	var pid string
	select {
	case pid = <-pids:
	case err := <-done:
		require.Fail(t, "ended early", "%v", err)
	}
	stop()
	start := time.Now()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Less(t, time.Since(start), 10*time.Second)
	args := strings.Fields(pid)
	living := `for p; do kill -0 "$p" 2>/dev/null && ps -o pid=,stat=,args= -p "$p"; done; true`
	for sh(t, h, living, args...) != "" {
		require.Less(t, time.Since(start), 20*time.Second, "the command and its child must be gone")
		time.Sleep(20 * time.Millisecond)
	}
}

func (s suite) otherUser(t *testing.T) {
	h := s.open(t)
	if !isRoot(t, h) {
		t.Skip("only root may become anybody; sudo has its own tests")
	}
	cmd := conn.Script(`id -un; printf '%s\n' "$A"; pwd; cat`)
	cmd.User = "nobody"
	cmd.Env = map[string]secret.Value{"A": secret.New("it's")}
	cmd.Dir = "/"
	cmd.Stdin = strings.NewReader("rest")
	res, err := h.Run(deadline(t), cmd)
	require.NoError(t, err)
	require.Equal(t, "nobody\nit's\n/\nrest", res.Stdout)
	cmd.User = "conntest-no-such-user"
	_, err = h.Run(deadline(t), cmd)
	require.Error(t, err)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
