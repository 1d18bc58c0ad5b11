package ssh_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

// looker is a host whose open shell is tried out.
func looker(t *testing.T) (conn.Host, *conntest.SSHServer) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	h, err := open(t, s)
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.Close() })
	return h, s
}

func TestALookAnswersAsACommandDoes(t *testing.T) {
	h, _ := looker(t)
	for _, c := range []struct {
		script      string
		args        []string
		out, errors string
		code        int
	}{
		{`echo "$1|$2"`, []string{"it's", "a  b\n$x"}, "it's|a  b\n$x\n", "", 0},
		{`printf 'no newline'; echo why >&2; exit 3`, nil, "no newline", "why\n", 3},
		{`cd /; set -e; X=1; export X; false; echo never`, nil, "", "", 1},
		{`echo ${X-unset} "$(pwd)"; cat`, nil, "unset ", "", 0},
		{`if then`, nil, "", "", 2},
		{`head -c 300000 /dev/zero | tr '\0' x`, nil, strings.Repeat("x", 300000), "", 0},
	} {
		res, err := h.Run(t.Context(), conn.Look(c.script, c.args...))
		code, _ := conn.ExitCode(err)
		require.Equal(t, c.code, code, c.script)
		require.Contains(t, res.Stdout, c.out, c.script)
		if c.errors != "" {
			require.Equal(t, c.errors, res.Stderr)
		}
	}
}

func TestALookThatIsAskedAgainTravelsOnce(t *testing.T) {
	h, _ := looker(t)
	long := `echo "$1, it's $2"; missing=` + strings.Repeat("x", 300) + `; exit "$2"`
	for i, arg := range []string{"one", "two", "three"} {
		res, err := h.Run(t.Context(), conn.Look(long, arg, fmt.Sprint(i)))
		code, _ := conn.ExitCode(err)
		require.Equal(t, i, code)
		require.Equal(t, fmt.Sprintf("%s, it's %d\n", arg, i), res.Stdout)
	}
	res, err := h.Run(t.Context(), conn.Look(`set | grep -c "^antdbctl_script_.*missing"`))
	require.NoError(t, err)
	require.Equal(t, "1\n", res.Stdout, "the shell has it once")
}

func TestLooksShareOneShellAndLeaveNothingInIt(t *testing.T) {
	h, _ := looker(t)
	shell := func() string {
		res, err := h.Run(t.Context(), conn.Look(`echo $$; kept=1; cd /tmp`))
		require.NoError(t, err)
		return res.Stdout
	}
	first := shell()
	require.Equal(t, first, shell())
	res, err := h.Run(t.Context(), conn.Look(`echo "${kept-clean}"`))
	require.NoError(t, err)
	require.Equal(t, "clean\n", res.Stdout)
}

func TestALookWhoseShellDiesIsRunAgain(t *testing.T) {
	h, s := looker(t)
	_, err := h.Run(t.Context(), conn.Look(`true`))
	require.NoError(t, err)
	res, err := h.Run(t.Context(), conn.Look(`[ -e "$1/died" ] || { touch "$1/died"; kill -9 $$; sleep 9; }; echo alive`, t.TempDir()))
	require.NoError(t, err)
	require.Equal(t, "alive\n", res.Stdout)

	s.Stop()
	s.Start()
	res, err = h.Run(t.Context(), conn.Look(`echo back`))
	require.NoError(t, err, "a look outlives the loss of its connection")
	require.Equal(t, "back\n", res.Stdout)
}

func TestASlowLookHoldsNobodyUpAndCanBeCancelled(t *testing.T) {
	h, _ := looker(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var slow error
	var wg sync.WaitGroup
	wg.Go(func() { _, slow = h.Run(ctx, conn.Look(`sleep 30`)) })
	start := time.Now()
	for n := range 20 {
		wg.Go(func() {
			res, err := h.Run(t.Context(), conn.Look(`echo "$1"`, fmt.Sprint(n)))
			assert.NoError(t, err)
			assert.Equal(t, fmt.Sprintln(n), res.Stdout)
			if n == 19 {
				cancel()
			}
		})
	}
	wg.Wait()
	require.ErrorIs(t, slow, context.Canceled)
	require.Less(t, time.Since(start), 25*time.Second)
}
