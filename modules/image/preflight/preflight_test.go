package preflight

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAWholeImagePassesEveryCheck(t *testing.T) {
	got := judge(t, image(t, nil), Want{})
	require.Len(t, got, 20)
	for _, id := range IDs() {
		t.Logf("%+v", got[id])
	}
	for _, id := range IDs() {
		require.Equal(t, string(Pass), got[id].Verdict, "%s: %q", id, got[id].Evidence)
		require.NotEmpty(t, got[id].Evidence, id)
	}
}
