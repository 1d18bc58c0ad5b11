package cluster

import (
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWaitAnswerNamesTheSilentAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, WaitAnswer(t.Context(), address, time.Second))

	require.NoError(t, listener.Close())
	err = WaitAnswer(t.Context(), address, 300*time.Millisecond)
	require.ErrorContains(t, err, "nobody answers after 300ms")
	require.ErrorContains(t, err, address)
}
