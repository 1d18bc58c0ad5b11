package evidence

import (
	"errors"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStreamKeepsWhatCameBeforeAFailure(t *testing.T) {
	m := NewMemory(time.Now(), 100)
	broken := errors.New("the connection is gone")
	require.ErrorIs(t, Stream(m, Log{Kind: KernelLog}, func(w io.Writer) error {
		_, err := io.WriteString(w, "a line\n")
		require.NoError(t, err)
		return broken
	}), broken)
	require.NoError(t, Stream(m, Log{Kind: KubeletLog}, func(io.Writer) error { return nil }), "nothing is no log")
	var texts []string
	for log := range m.Logs() {
		r, err := log.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		texts = append(texts, string(text))
	}
	require.Equal(t, []string{"a line\n"}, texts)
}

func TestStreamEndsWhenTheRecorderHasEnough(t *testing.T) {
	require.NoError(t, Stream(sated{}, Log{Kind: KernelLog}, func(w io.Writer) error {
		for {
			if _, err := io.WriteString(w, "more and more\n"); err != nil {
				return err
			}
		}
	}))
	require.NoError(t, Stream(NewMemory(time.Now(), 0), Log{Kind: KernelLog}, func(io.Writer) error {
		return errors.New("a log that nobody wants was fetched")
	}))
}

// sated reads the beginning of a log, and no more.
type sated struct{ Recorder }

func (sated) Log(_ Log, text io.Reader) error {
	_, err := text.Read(make([]byte, 4))
	return err
}
