package report

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLongOutputsAreOutlines(t *testing.T) {
	require.Equal(t, `{"a":"<1>","b":[2]}`, readable(map[string]any{"b": []any{2}, "a": "<1>"}))
	long := strings.Repeat("x", 90)
	require.Equal(t, strings.Join([]string{
		"node1:",
		"  ✓ ready",
		"  " + long,
		"node2: " + long,
		"size: {\"mib\":3}",
	}, "\n"), readable(map[string]any{"node2": long, "node1": []any{"✓ ready", long}, "size": map[string]any{"mib": 3}}))
	require.Equal(t, "a\n"+long+"\n- {\"n\":1}", readable([]any{"a\n" + long, map[string]any{"n": 1}}))
}
