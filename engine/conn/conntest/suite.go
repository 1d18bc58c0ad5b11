// Package conntest is what every kind of connection has in common, as tests: a
// suite that each conn.Host passes, a Host that refuses to change anything, a
// scripted Runner, and SSH servers to connect to. Only tests import it.
package conntest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

// Lack is something that a kind of place cannot have; the suite leaves it out.
type Lack string

// What a place may lack.
const (
	LacksFiles Lack = "files"
	LacksKill  Lack = "kill" // ending the far command when ctx ends
	LacksDial  Lack = "dial"
	LacksUsers Lack = "users" // running as another user
)

// Suite holds the Hosts that open gives to the contract of conn.Host. The far
// side must have sh and the usual utilities.
func Suite(t *testing.T, open func(t *testing.T) conn.Host, lacks ...Lack) {
	has := func(l Lack) bool { return !slices.Contains(lacks, l) }
	s := suite{open: open}
	t.Run("exit status", s.exitStatus)
	t.Run("arguments arrive as they are", s.arguments)
	t.Run("stdin reaches the command whole", s.stdin)
	t.Run("a command may leave its stdin unread", s.unreadStdin)
	t.Run("output comes while the command runs", s.streaming)
	t.Run("large output takes no memory", s.largeOutput)
	t.Run("the end of stderr is kept", s.stderrTail)
	t.Run("environment", s.environment)
	t.Run("environment is in no argument vector", s.environmentHidden)
	t.Run("environment leaves stdin alone", s.environmentAndStdin)
	t.Run("folder", s.folder)
	t.Run("many commands at once", s.manyAtOnce)
	t.Run("an ended context runs nothing", s.endedContext)
	if has(LacksKill) {
		t.Run("the end of the context kills the command", s.kill)
	}
	if has(LacksUsers) {
		t.Run("another user", s.otherUser)
	}
	if has(LacksFiles) {
		files(t, s)
	}
	if has(LacksDial) {
		t.Run("dial tcp", s.dialTCP)
		t.Run("dial a refusing port", s.dialRefused)
	}
}

type suite struct {
	open func(t *testing.T) conn.Host
}

// deadline ends a test that hangs, well before the test binary's own.
func deadline(t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(stop)
	return ctx
}

// sh runs a script that must succeed and gives its stdout.
func sh(t *testing.T, h conn.Runner, script string, args ...string) string {
	t.Helper()
	res, err := h.Run(deadline(t), conn.Script(script, args...))
	require.NoError(t, err)
	return res.Stdout
}

// folder makes a new folder at the far side.
func folder(t *testing.T, h conn.Runner) string {
	t.Helper()
	dir := strings.TrimSpace(sh(t, h, `d=${TMPDIR:-/tmp}/conntest.$$; mkdir -m 755 "$d" && echo "$d"`))
	t.Cleanup(func() {
		_, err := h.Run(context.WithoutCancel(t.Context()), conn.Command("rm", "-rf", "--", dir))
		require.NoError(t, err)
	})
	return dir
}

// isRoot tells whether h works as root.
func isRoot(t *testing.T, h conn.Runner) bool {
	t.Helper()
	return strings.TrimSpace(sh(t, h, "id -u")) == "0"
}
