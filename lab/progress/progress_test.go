package progress

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDoReportsSuccessAndWrapsFailure(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	require.NoError(t, p.Do(t.Context(), "bake", func(context.Context) error { return nil }))
	require.Regexp(t, `^00:0\d  ✓ bake \(0s\)\n$`, out.String())

	cause := errors.New("no flour")
	err := p.Do(t.Context(), "bake", func(context.Context) error { return cause })
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "bake: no flour")
}

func TestSignsOfLifeWhileWorkIsLong(t *testing.T) {
	var out bytes.Buffer
	p := New(&out)
	alive := func() bool {
		p.mu.Lock() // the printer's own lock makes the buffer safe to look at
		defer p.mu.Unlock()
		return bytes.Contains(out.Bytes(), []byte("… bake"))
	}
	require.NoError(t, p.Do(t.Context(), "bake", func(context.Context) error {
		require.Eventually(t, alive, 20*time.Second, 20*time.Millisecond)
		return nil
	}))
}
