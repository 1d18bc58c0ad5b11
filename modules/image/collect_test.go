package image

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/modules/image/preflight"
)

func TestCollectExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Collect]()) }

func TestCollectTellsWhatImagesLack(t *testing.T) {
	b := at(t, "builder")
	root, _ := serverHere(t)
	drop := "RUN rm " + root + "/lib/pgaudit.so"
	database(t, b, "gathered:whole", "")
	database(t, b, "gathered:broken", drop+"\n")
	image(t, b, "gathered:other", layered("other"))
	step := on[Collect](t, b, `refs = ["gathered:whole", "gathered:none", "gathered:broken", "gathered:other"]`)
	step.Env().Target = conn.Target{Kind: conn.Docker, Name: "builder"}
	m := evidence.NewMemory(time.Now(), 0)
	require.NoError(t, step.Module().(*Collect).Collect(t.Context(), step.Env(), m))

	bad, count := map[string]*evidence.ImageCheck{}, map[string]int{}
	for f := range m.Facts() {
		check := f.Data.(*evidence.ImageCheck)
		count[f.Name]++
		require.Contains(t, []string{"good", "warn", "bad", "unknown"}, check.Verdict)
		if check.Verdict == "bad" {
			require.Equal(t, "gathered:broken", f.Name)
			bad[check.ID] = check
		}
	}
	require.Equal(t, map[string]int{"gathered:whole": len(preflight.IDs()), "gathered:broken": len(preflight.IDs())}, count)
	require.Contains(t, bad["B6.6"].Evidence, root+"/lib/pgaudit.so is missing")
	require.Equal(t, int64(5), bad["B6.6"].Layer)
	require.Contains(t, bad["B6.6"].Command, drop[4:])
	require.Contains(t, bad["B6.6"].Remedy, "pg_config")
	gaps := m.Gaps()
	require.Len(t, gaps, 2)
	require.Equal(t, "the content of image gathered:none", gaps[0].What)
	require.Contains(t, gaps[1].String(), "the content of image gathered:other: it is no database image")

	require.False(t, looks[Collect](t, b, `refs = ["gathered:whole"]`).Wanted())
}

func TestCollectLeavesTheMachinesOwnDockerToItsTarget(t *testing.T) {
	facts, gaps, err := evidence.Look(time.Now(), func(rec evidence.Recorder) error {
		return (&Collect{Refs: []string{"antdb:1"}}).Collect(t.Context(), moduletest.Env(t, nil), rec)
	})
	require.NoError(t, err)
	require.Empty(t, gaps)
	require.Zero(t, facts.GetAttr("image_check").LengthInt())
}
