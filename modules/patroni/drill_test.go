package patroni

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

var drillEntry = module.Of[Drill]()

func TestADrillIsDueUntilAGoodOneIsRecorded(t *testing.T) {
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	d := &Drill{By: "pod", Every: 720 * time.Hour, MaxDowntime: time.Minute}
	good := func() *record { return &record{At: now.Add(-time.Hour), By: "pod", DowntimeMS: 9040} }
	require.Empty(t, d.due(good(), now))
	require.Equal(t, "never drilled", d.due(nil, now))
	other := good()
	other.By = "freeze"
	require.Equal(t, "the last drill was by freeze", d.due(other, now))
	old := good()
	old.At = now.Add(-721 * time.Hour)
	require.Equal(t, "the last drill was 721h0m0s ago", d.due(old, now))
	lossy := good()
	lossy.Lost = 1
	require.Equal(t, "the last drill broke the limits: 1 acknowledged writes are gone, at most 0 may", d.due(lossy, now))
	slow := good()
	slow.DowntimeMS = 60001
	require.Contains(t, d.due(slow, now), "1m0.001s without an acknowledged write, at most 1m0s may pass")
	d.Every = 0
	require.Equal(t, "at each apply", d.due(good(), now))
}

func TestABrokenLimitFailsTheStepAtItsArgument(t *testing.T) {
	d := &Drill{By: "pod", MaxDowntime: 5 * time.Second, MaxLost: 2}
	require.NoError(t, d.judge(&record{DowntimeMS: 5000, Lost: 2}))
	requireAt(t, d.judge(&record{DowntimeMS: 5001}), "max_downtime", "5.001s without an acknowledged write, at most 5s may pass")
	err := d.judge(&record{Lost: 3, Acknowledged: 100})
	requireAt(t, err, "max_lost", "3 acknowledged writes are gone, at most 2 may")
	explained := (*module.Explained)(nil)
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Evidence, "acknowledged writes lost: 3 of 100 (limit 2)")
}
