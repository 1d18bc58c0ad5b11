package live_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// breakage is one way to break a site. do breaks it and returns when it shows;
// what it changes is put back when the test ends.
type breakage struct {
	name string
	want string // the finding that must come first
	do   func(l *lab, cluster string)
}

// TestEveryBreakIsFoundWithoutNamingIt takes half an hour: ANTDBCTL_LIVE=.
// runs it, or those breaks whose name that regular expression matches.
func TestEveryBreakIsFoundWithoutNamingIt(t *testing.T) {
	if os.Getenv("ANTDBCTL_LIVE") == "" {
		t.Skip("takes half an hour: ANTDBCTL_LIVE=.")
	}
	only := regexp.MustCompile(os.Getenv("ANTDBCTL_LIVE"))
	l := openLab(t)
	l.images()
	before := l.diagnose()
	require.Empty(t, before.causes("dx"), "the site is in order before it is broken:\n%s", tell(before.verdicts[0].Causes))
	for _, b := range breakages() {
		if !only.MatchString(b.name) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			l := l.in(t)
			cluster := "dx-" + strings.ToLower(b.name[:min(len(b.name), 20)])
			b.do(l, cluster)
			o := l.diagnose()
			causes := o.causes(cluster)
			t.Logf("%s in %s:\n%s", b.name, o.took.Round(1e8), tell(causes))
			require.NotEmpty(t, causes, o.text)
			require.Equal(t, b.want, causes[0].ID)
			l.record(b, cluster)
		})
	}
}

func breakages() []breakage {
	var all []breakage
	for _, group := range [][]breakage{startBreaks, storageBreaks, siteBreaks, serverBreaks} {
		all = append(all, group...)
	}
	return all
}

// in is the lab for a subtest.
func (l *lab) in(t *testing.T) *lab {
	inner := *l
	inner.t = t
	return &inner
}
