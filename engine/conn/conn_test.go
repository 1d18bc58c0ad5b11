package conn_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

func TestExitErrorsNameTheCommandNotItsArguments(t *testing.T) {
	for _, c := range []struct {
		cmd  conn.Cmd
		want string
	}{
		{conn.Command("docker", "login", "-p", "secret"), "docker login: exit status 3: denied"},
		{conn.Command("psql", "--password=x"), "psql: exit status 3: denied"},
		{conn.Script("echo secret"), "script: exit status 3: denied"},
		{conn.Cmd{}, "(empty command): exit status 3: denied"},
	} {
		err := &conn.ExitError{Cmd: c.cmd, Code: 3, Stderr: "first\ndenied\n"}
		require.EqualError(t, err, c.want)
		code, ok := conn.ExitCode(fmt.Errorf("wrapped: %w", err))
		require.True(t, ok)
		require.Equal(t, 3, code)
	}
	_, ok := conn.ExitCode(errors.New("other"))
	require.False(t, ok)
}

func TestOutputKeepsTheEndOfStderr(t *testing.T) {
	out := conn.NewOutput(conn.Command("x"))
	var all strings.Builder
	for i := range 30000 {
		line := fmt.Sprintf("line %d\n", i)
		all.WriteString(line)
		_, err := out.Stderr().Write([]byte(line))
		require.NoError(t, err)
	}
	kept := out.Result().Stderr
	require.Len(t, kept, 64<<10)
	require.True(t, strings.HasSuffix(all.String(), kept))
	_, err := out.Stderr().Write(make([]byte, 1<<20))
	require.NoError(t, err)
	require.Equal(t, strings.Repeat("\x00", 64<<10), out.Result().Stderr)
}

func TestTargetsSurviveExpressions(t *testing.T) {
	full := conn.Target{Kind: conn.SSH, Name: "n", Config: "c", Address: "a", Port: 1, User: "u", Namespace: "s", Pod: "p",
		Container: "x", Labels: []string{"l"}, Vars: map[string]string{"k": "v"}}
	back, err := conn.TargetFrom(full.Cty())
	require.NoError(t, err)
	require.Equal(t, full, back)
	require.True(t, conn.Target{}.IsZero())
	other := full
	other.Port = 2
	require.NotEqual(t, full.Key(), other.Key())
	require.Equal(t, "ssh", conn.Target{Kind: conn.SSH}.String())
}
