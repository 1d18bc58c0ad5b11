package live_test

import (
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each fix takes its finding away on a real site, and the diagnosis after it
// proves that.
func TestFixesTakeTheirFindingsAwayOnARealSite(t *testing.T) {
	if os.Getenv("ANTDBCTL_FIXES") == "" {
		t.Skip("takes ten minutes: ANTDBCTL_FIXES=.")
	}
	only := regexp.MustCompile(os.Getenv("ANTDBCTL_FIXES"))
	l := openLab(t)
	l.images()
	for _, name := range []string{"stale-task", "password-by-hand", "folder-of-root", "image-always-pulled", "image-came-late"} {
		if !only.MatchString(name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			l := l.in(t)
			at := slices.IndexFunc(breakages(), func(b breakage) bool { return b.name == name })
			require.GreaterOrEqual(t, at, 0)
			b := breakages()[at]
			cluster := "dxf-" + name
			b.do(l, cluster)
			args := []string{"--fix", b.want, "--auto-approve"}
			if name == "stale-task" {
				args = append(args, "--var", "image="+image) // what the request asked for, nothing has kept
			}
			o := l.diagnose(args...)
			require.NotNil(t, o.fixed, o.text)
			t.Logf("%s in %s: gone %t, %s", b.want, o.took.Round(1e8), o.fixed.Gone, o.fixed.Remedy)
			require.True(t, o.fixed.Gone, o.text)
			require.Zero(t, o.code, o.text)
		})
	}
}
