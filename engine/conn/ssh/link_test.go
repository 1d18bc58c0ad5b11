package ssh

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
)

// deaf is a connection that never answers, as the library's is for a channel
// that is asked for in the moment when it breaks. A real one cannot be brought
// to that moment at will.
type deaf struct {
	ssh.Conn
	end chan struct{} // of the test
}

func (d deaf) OpenChannel(string, []byte) (ssh.Channel, <-chan *ssh.Request, error) {
	<-d.end
	return nil, nil, io.EOF
}

func (deaf) Close() error { return nil }

func TestNothingWaitsForALostConnection(t *testing.T) {
	broken := errors.New("broken")
	conn := deaf{end: make(chan struct{})}
	defer close(conn.end)
	for name, ask := range map[string]func(*link) error{
		"open": func(l *link) error { _, _, err := l.open(t.Context()); return err },
		"dial": func(l *link) error { _, err := l.dial(t.Context(), "tcp", "127.0.0.1:1"); return err },
	} {
		t.Run(name, func(t *testing.T) {
			l := &link{client: &ssh.Client{Conn: conn}, lost: make(chan struct{})}
			go l.lose(broken)
			require.ErrorIs(t, ask(l), broken)
		})
	}
	t.Run("a cancelled caller", func(t *testing.T) {
		l := &link{client: &ssh.Client{Conn: conn}, lost: make(chan struct{})}
		ctx, stop := context.WithCancelCause(t.Context())
		stop(broken)
		_, err := l.dial(ctx, "tcp", "127.0.0.1:1")
		require.ErrorIs(t, err, broken)
		_, _, err = l.open(ctx)
		require.ErrorIs(t, err, broken)
	})
}
