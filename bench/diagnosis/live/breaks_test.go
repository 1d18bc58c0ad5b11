package live_test

import (
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/bench/diagnosis/corpus"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
	"github.com/adbsql/antdbctl/runbooks"
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
	for _, b := range breakages() {
		if only.MatchString(b.name) {
			t.Run(b.name, func(t *testing.T) {
				l, cluster := l.in(t), clusterOf(b)
				b.do(l, cluster)
				file, o := l.look()
				l.judge(b, cluster, file, o)
			})
		}
	}
}

// The breaks of ANTDBCTL_TOGETHER are all there at once, and each is found
// where it is. It wants -parallel of their number.
func TestManyBreaksAtOnceAreToldApart(t *testing.T) {
	if os.Getenv("ANTDBCTL_TOGETHER") == "" {
		t.Skip("takes ten minutes, and room for many clusters: ANTDBCTL_TOGETHER=REGEXP")
	}
	only := regexp.MustCompile(os.Getenv("ANTDBCTL_TOGETHER"))
	l := openLab(t)
	l.images()
	var broken sync.WaitGroup
	look := sync.OnceValues(l.look)
	for _, b := range breakages() {
		if !only.MatchString(b.name) {
			continue
		}
		broken.Add(1)
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			l, cluster := l.in(t), clusterOf(b)
			func() {
				defer broken.Done()
				b.do(l, cluster)
			}()
			broken.Wait()
			file, o := look()
			l.judge(b, cluster, file, o)
		})
	}
}

func clusterOf(b breakage) string { return "dx-" + b.name[:min(len(b.name), 20)] }

// judge holds a verdict against what was broken. What was recorded is judged
// without what else was broken meanwhile.
func (l *lab) judge(b breakage, cluster, file string, o outcome) {
	l.t.Helper()
	causes := o.causes(cluster)
	l.t.Logf("%s, in %s:\n%s", b.name, o.took.Round(1e8), tell(causes))
	if file == "" {
		require.NotEmpty(l.t, causes, o.text)
		require.Equal(l.t, b.want, causes[0].ID)
		return
	}
	text := l.recorded(b, cluster, file)
	c, err := corpus.Parse("live-"+b.name, text)
	require.NoError(l.t, err)
	book, diags := signature.Load(runbooks.Diagnosis())
	require.False(l.t, diags.HasErrors(), diags.Error())
	alone, err := corpus.Diagnose(l.t.Context(), c, book)
	require.NoError(l.t, err)
	l.t.Logf("alone: %s", alone)
	name := "live-" + b.name + ".txtar"
	if !alone.First() {
		require.NoError(l.t, os.WriteFile(filepath.Join(os.TempDir(), name), text, 0o600))
	}
	require.True(l.t, alone.First(), "the case is in %s", os.TempDir())
	require.NoError(l.t, os.WriteFile(filepath.Join("..", "cases", name), text, 0o644))
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
