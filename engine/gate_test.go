package engine

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

func readLogs(t *testing.T, d evidence.Dossier) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for log, err := range d.Logs() {
		require.NoError(t, err)
		in, err := log.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(in)
		require.NoError(t, err)
		require.NoError(t, in.Close())
		texts[log.Name] = string(text)
	}
	return texts
}

func TestAClosedGateTakesNothingMore(t *testing.T) {
	kept := evidence.NewMemory(time.Now(), 1<<20)
	g := newGate(kept)
	g.Fact("a", evidence.Place{}, &evidence.Reach{})
	require.NoError(t, g.Log(evidence.Log{Name: "whole"}, strings.NewReader("one\ntwo\n")))
	require.ErrorContains(t, g.Log(evidence.Log{Name: "torn"}, io.MultiReader(strings.NewReader("x\n"), iotest.ErrReader(errors.New("lost")))), "lost")
	g.close()
	g.Fact("b", evidence.Place{}, &evidence.Reach{})
	g.Gap("c", evidence.Place{}, errors.New("late"))
	require.ErrorIs(t, g.Log(evidence.Log{Name: "late"}, strings.NewReader("x")), errShut)
	facts := 0
	for range kept.Facts() {
		facts++
	}
	require.Equal(t, 1, facts)
	require.Empty(t, kept.Gaps())
	require.Equal(t, map[string]string{"whole": "one\ntwo\n", "torn": "x\n"}, readLogs(t, kept))
}

func TestAReaderThatHangsKeepsNoGateOpen(t *testing.T) {
	kept := evidence.NewMemory(time.Now(), 1<<20)
	g := newGate(kept)
	hangs, writer := io.Pipe()
	defer writer.Close()
	done := make(chan error)
	go func() { done <- g.Log(evidence.Log{Name: "hangs"}, hangs) }()
	for range 2 { // when the second is taken the first is kept
		_, err := writer.Write([]byte("so far\n"))
		require.NoError(t, err)
	}
	g.close()
	require.ErrorIs(t, <-done, errShut)
	require.Contains(t, readLogs(t, kept)["hangs"], "so far\n")
}

// aloof is a recorder that wants no log.
type aloof struct{ *evidence.InMemory }

func (aloof) Log(evidence.Log, io.Reader) error { return nil }

func TestALogThatNobodyWantsIsNotRead(t *testing.T) {
	g := newGate(aloof{})
	require.NoError(t, g.Log(evidence.Log{}, iotest.ErrReader(errors.New("read"))))
	g.close()
}
