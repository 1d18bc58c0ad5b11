package evidence

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestALookSeesFactsByKindAndSentencesForGaps(t *testing.T) {
	read := false
	facts, gaps, err := Look(time.Unix(0, 0), func(rec Recorder) error {
		rec.Fact("b", Place{Namespace: "x", Pod: "b"}, &Pod{Phase: "Pending"})
		rec.Fact("a", Place{Namespace: "x", Pod: "a"}, &Pod{Phase: "Running", Labels: map[string]string{"app": "antdb"}})
		rec.Fact("node1", Place{Node: "node1"}, &Runtime{Name: "containerd"})
		rec.Gap("events", Place{Namespace: "x"}, errors.New("forbidden"))
		rec.Gap("events", Place{Namespace: "x"}, errors.New("forbidden"))
		rec.Gap("the clock", Place{}, errors.New("no time"))
		return rec.Log(Log{Kind: ContainerLog}, readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF }))
	})
	require.NoError(t, err)
	require.False(t, read, "a look fetches no logs")
	require.Equal(t, []string{"the clock: no time", "events of namespace x: forbidden"}, gaps)
	pods := facts.GetAttr("k8s_pod").AsValueSlice()
	require.Len(t, pods, 2)
	require.Equal(t, "a", pods[0].GetAttr("name").AsString())
	require.Equal(t, "x", pods[0].GetAttr("place").GetAttr("namespace").AsString())
	require.Equal(t, "Pending", pods[1].GetAttr("phase").AsString())
	require.Equal(t, 0, pods[1].GetAttr("labels").LengthInt())
	require.Equal(t, "containerd", facts.GetAttr("node_runtime").AsValueSlice()[0].GetAttr("name").AsString())
	require.Equal(t, 0, facts.GetAttr("pg_slot").LengthInt(), "a kind without facts is an empty list")
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestMemoryKeepsTheEndOfALogAndWhatCameOfABrokenOne(t *testing.T) {
	m := NewMemory(time.Unix(0, 0), 10)
	require.NoError(t, m.Log(Log{Kind: ContainerLog, Name: "long"}, strings.NewReader(strings.Repeat("x", 200_000)+"\none\ntwo\n")))
	require.NoError(t, m.Log(Log{Kind: ContainerLog, Name: "none"}, strings.NewReader("")))
	err := m.Log(Log{Kind: ContainerLog, Name: "torn"}, io.MultiReader(strings.NewReader("a\nb"), iotest.ErrReader(io.ErrUnexpectedEOF)))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	texts := map[string]string{}
	for log, err := range m.Logs() {
		require.NoError(t, err)
		for range 2 { // it may be opened more than once
			r, err := log.Open()
			require.NoError(t, err)
			text, err := io.ReadAll(r)
			require.NoError(t, err)
			texts[log.Name] = string(text)
		}
	}
	require.Equal(t, map[string]string{"long": "one\ntwo\n", "torn": "a\nb"}, texts)
}

func TestTheTailBeginsWithALineAndHasAllOfAShortText(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""}, {"ab\n", "ab\n"}, {"0123456789", "0123456789"}, {"abc\n0123456\n", "0123456\n"}, {"01234567890", "1234567890"}, {"abcdefghijklmno\n", "ghijklmno\n"},
	} {
		kept, err := Tail(iotest.OneByteReader(strings.NewReader(c.text)), 10)
		require.NoError(t, err)
		require.Equal(t, c.want, string(kept), c.text)
	}
}
