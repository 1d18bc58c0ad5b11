package conn_test

import (
	"context"
	"io"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

// diary notes who is closed, in order.
type diary struct {
	*conntest.Script
	name   string
	closed *[]string
}

func (d diary) Close() error {
	*d.closed = append(*d.closed, d.name)
	return nil
}

func TestAPooledHostKeepsWhatCallersShareUntilItCloses(t *testing.T) {
	var closed []string
	pool := poolOf(func(_ context.Context, target conn.Target, _ conn.Settings, _ conn.Dialer) (conn.Host, error) {
		return diary{conntest.NewScript(t), target.Address, &closed}, nil
	})
	type key struct{ user string }
	started := 0
	login := func(address string, k key) io.Closer {
		h, err := pool.Dial(t.Context(), conn.Target{Kind: conn.SSH, Address: address})
		require.NoError(t, err)
		keeper, ok := conn.As[conn.Keeper](h)
		require.True(t, ok)
		return keeper.Keep(k, func() io.Closer {
			started++
			return diary{name: k.user + " at " + address, closed: &closed}
		})
	}
	first := login("a", key{"u"})
	require.Equal(t, first, login("a", key{"u"}), "the second caller finds what the first left")
	require.Equal(t, 1, started)
	login("a", key{"v"})
	login("b", key{"u"})
	require.Equal(t, 3, started, "each key and each host has its own")

	require.NoError(t, pool.Close())
	require.ElementsMatch(t, []string{"u at a", "v at a", "a", "u at b", "b"}, closed)
	require.Less(t, slices.Index(closed, "u at a"), slices.Index(closed, "a"), "what is kept on a host closes before the host")
	require.Less(t, slices.Index(closed, "v at a"), slices.Index(closed, "a"))
	require.Less(t, slices.Index(closed, "u at b"), slices.Index(closed, "b"))
}
