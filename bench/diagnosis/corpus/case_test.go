package corpus

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

const small = `want: G-40
warn: G-93
noise: busy
note: an image without pgaudit
-- facts --
{"kind":"k8s.pod","name":"antdb-1","place":{"namespace":"a","cluster":"antdb","pod":"antdb-1","node":"node2"},"data":{"phase":"Running","claims":["antdb"]}}
{"kind":"node.reach","name":"node3","place":{"node":"node3"},"data":{"error":"connection refused"}}
-- gaps --
{"what":"the kernel log","place":{"node":"node1"},"reason":"permission denied"}
-- log container pod=antdb-1 container=database cluster=antdb namespace=a node=node2 previous --
2026-11-23T02:11:05.123456789Z 2026-11-23 02:11:05 UTC [71]: FATAL:  could not access file "pgaudit.so": No such file or directory
-- log kubelet node=node2 --
2026-11-23T02:10:01+0000 node2 kubelet[812]: the case's own line
`

func TestACaseIsReadAsItIsWritten(t *testing.T) {
	c, err := Parse("small", []byte(small))
	require.NoError(t, err)
	require.Equal(t, []string{"G-40"}, c.Want)
	require.Equal(t, []string{"G-93"}, c.Warn)
	require.True(t, c.Busy)
	require.Equal(t, time.Date(2026, 11, 23, 2, 11, 10, 0, time.UTC), c.Taken)
	require.Equal(t, []string{"antdb"}, c.Facts[0].Data.(*evidence.Pod).Claims)
	require.Equal(t, c.Taken, c.Facts[0].Seen)
	require.Equal(t, "node1", c.Gaps[0].Place.Node)
	require.Equal(t, "container database, the run before", c.Logs[0].Name)
	require.True(t, c.Logs[0].Previous)
}

func TestAWrongCaseIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		"noise: busy\n": `"nothing"`,
		"want: nothing\nwant: G-1\nnoise: busy\n":                                                             `"nothing"`,
		"want: G-1\nnoise: loud\n":                                                                            "busy or quiet",
		"want: G-1\nnoise: quiet\n-- logs --\nx\n":                                                            "neither facts",
		"want: G-1\nnoise: quiet\n-- log chat pod=a --\nx\n":                                                  `no logs of kind "chat"`,
		"want: G-1\nnoise: quiet\n-- log kernel host=a --\nx\n":                                               `a place has no "host"`,
		"want: G-1\nnoise: quiet\n-- facts --\n{\"kind\":\"k8s.pod\",\"name\":\"a\",\"data\":{\"phas\":1}}\n": `no "phas"`,
	} {
		_, err := Parse("wrong", []byte(text))
		require.ErrorContains(t, err, says, text)
	}
}

func TestNoiseIsTheSameEveryTimeAndLeavesTheCaseAsItIs(t *testing.T) {
	c, err := Parse("small", []byte(small))
	require.NoError(t, err)
	facts, logs := all(t, c.Dossier())
	again, same := all(t, c.Dossier())
	require.Equal(t, facts, again)
	require.Equal(t, logs, same)
	require.Equal(t, c.Facts, facts[:len(c.Facts)])
	for _, f := range facts[len(c.Facts):] {
		require.NotEqual(t, "node3", f.Place.Node, "nothing lives on a machine that is down")
	}
	require.Contains(t, logs["kubelet node2"], "the case's own line\n2026-11-23T02:10", "its lines stand among the others, by time")
	size := 0
	for _, text := range logs {
		size += len(text)
	}
	require.Greater(t, size, 1<<19)
}

func all(t *testing.T, d evidence.Dossier) ([]evidence.Fact, map[string]string) {
	var facts []evidence.Fact
	for f, err := range d.Facts() {
		require.NoError(t, err)
		facts = append(facts, f)
	}
	logs := map[string]string{}
	for log, err := range d.Logs() {
		require.NoError(t, err)
		r, err := log.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		name := log.Kind + " " + log.Place.Node + log.Place.Pod + log.Name
		if log.Kind == evidence.KubeletLog {
			name = log.Kind + " " + log.Place.Node
		}
		require.NotContains(t, logs, name)
		logs[name] = string(text)
	}
	return facts, logs
}

func TestTheCasesAreWellFormed(t *testing.T) {
	_, err := Load("../cases")
	require.NoError(t, err)
}
