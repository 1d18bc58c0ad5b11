package pgo

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

func requireAt(t *testing.T, err error, arg, text string) {
	t.Helper()
	require.ErrorContains(t, err, text)
	at := (*module.ArgError)(nil)
	require.True(t, errors.As(err, &at), "%v names no argument", err)
	require.Equal(t, arg, at.Arg)
}

func evidence(t *testing.T, err error) []string {
	t.Helper()
	e := (*module.Explained)(nil)
	require.ErrorAs(t, err, &e)
	return e.Evidence
}
