package image

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/buildcontext"
)

func TestFailedRunNamesItsLine(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			shellBase(t, b)
			dir := folder(t, map[string]string{"Dockerfile": `ARG BASE=base-sh:1
FROM $BASE AS first
RUN sh -c 'echo of the first stage'
FROM $BASE
# a comment
COPY --from=first /bin/sh /sh
RUN sh -c 'echo evidence: no such package; \
  exit 3'
`})
			step := on[Build](t, b, `context = "`+dir+`"
				builder = "`+kind+`"
				network = "none"
				tags = ["failed:1"]`)
			var phases []string
			step.Env().Phase = func(name string) { phases = append(phases, name) }
			_, _, err := step.Apply()
			require.ErrorContains(t, err, "(Dockerfile:7): a RUN line failed")
			var explained *module.Explained
			require.ErrorAs(t, err, &explained)
			evidence := strings.Join(explained.Evidence, "\n")
			require.Contains(t, evidence, "evidence: no such package")
			require.NotContains(t, evidence, "of the first stage")
			require.Greater(t, len(phases), 3, "%v", phases)
			require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "failed"))
			require.Empty(t, b.do(t, "docker", "ps", "-aq"), "a failed RUN leaves no container behind")
		})
	}
}

// sleepers are the processes of this machine that a RUN line of that mark
// started.
func sleepers(t *testing.T, mark string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, name := range all {
		if line, err := os.ReadFile(name); err == nil && slices.Contains(strings.Split(string(line), "\x00"), mark) {
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	return pids
}

// stopsWhenTold starts a build that takes long, stops it, and looks at what is
// left.
func stopsWhenTold(t *testing.T, host conn.Host, b place, kind, mark string) {
	dir := folder(t, map[string]string{"Dockerfile": `FROM base-sh:1
RUN ["/bin/sh", "-c", "busybox sleep 1000; true", "` + mark + `"]
`})
	step := on[Build](t, host, `context = "`+dir+`"
		builder = "`+kind+`"
		network = "none"
		tags = ["stopped:1"]`)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	m := step.Module()
	_, err := m.Check(ctx, step.Env())
	require.NoError(t, err)
	go func() { done <- m.Apply(ctx, step.Env()) }()
	require.Eventually(t, func() bool { return len(sleepers(t, mark)) > 0 }, time.Minute, 20*time.Millisecond, "the RUN line starts")
	stop()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Eventually(t, func() bool { return len(sleepers(t, mark)) == 0 }, 30*time.Second, 20*time.Millisecond, "the engine stops the RUN line")
	require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "stopped"))
	require.Eventually(t, func() bool { return b.do(t, "docker", "ps", "-aq") == "" }, 10*time.Second, 20*time.Millisecond, "no container is left")
}

func TestStoppedBuildStopsOnTheEngine(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			shellBase(t, b)
			stopsWhenTold(t, b, b, kind, "mark-of-local-"+kind)
		})
	}
}

// cut ends the standard input of a build after n bytes, as a lost connection
// does: the other side sees an end like any other.
type cut struct {
	conn.Host
	n int64
}

func (c *cut) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if cmd.Stdin != nil && c.n > 0 {
		cmd.Stdin = io.LimitReader(cmd.Stdin, c.n)
	}
	return c.Host.Run(ctx, cmd)
}

func TestContextThatEndsEarlyBuildsNothing(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "a": "1", "b": "2", "c": "3"})
			c, err := buildcontext.Open(dir, "Dockerfile")
			require.NoError(t, err)
			var whole bytes.Buffer
			require.NoError(t, c.Stream(&whole, time.Time{}))
			// the last 1037 bytes are the ends of archive and envelope, which hold nothing
			for n := int64(whole.Len()) - 1038; n > 0; n -= 511 {
				step := on[Build](t, &cut{b, n}, `context = "`+dir+`"
					builder = "`+kind+`"
					tags = ["early:1"]`)
				_, _, err = step.Apply()
				require.Error(t, err, "%d of %d bytes", n, whole.Len())
				require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "early"), "%d of %d bytes", n, whole.Len())
			}
		})
	}
}

func TestConnectionLostWhileBuilding(t *testing.T) {
	n, server := remote(t)
	args := `context = "` + folder(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY big /big\n", "big": strings.Repeat("lost", 8<<20)}) + `"
		tags = ["lost-build:1"]`
	slow := &stopper{Host: n, after: 8 << 20, stop: server.Stop}
	_, _, err := on[Build](t, slow, args).Apply()
	var lost *conn.Unreachable
	require.ErrorAs(t, err, &lost)
	server.Start()
	require.Empty(t, n.do(t, "docker", "image", "ls", "-q", "lost-build"))
	on[Build](t, n, args).Converge(module.Create)
}

// stopper calls stop once so many bytes of a command's input have been read.
type stopper struct {
	conn.Host
	after int64
	stop  func()
	once  sync.Once
}

func (s *stopper) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if from := cmd.Stdin; from != nil {
		cmd.Stdin = io.MultiReader(io.LimitReader(from, s.after), readerFunc(func(p []byte) (int, error) {
			s.once.Do(s.stop)
			return from.Read(p)
		}))
	}
	return s.Host.Run(ctx, cmd)
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
