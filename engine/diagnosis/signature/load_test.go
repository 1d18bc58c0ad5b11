package signature

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
)

// Every file in testdata says in comments "# ERROR: text", at the lines where
// diagnostics must point, what these must say. There must be no others.
func TestFaultsAreReportedWhereTheyAre(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.hcl")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			book, diags := Load(nil, path)
			missed, surplus := compare(string(text), diags)
			require.Empty(t, append(missed, surplus...), "first those not reported, then those not planted")
			for _, f := range book.Findings {
				require.NotContains(t, f.ID, "bad", "a finding at fault is left out")
			}
			for _, id := range good(string(text)) {
				require.True(t, slices.ContainsFunc(book.Findings, func(f *Finding) bool { return f.ID == id }), "%s is sound", id)
			}
		})
	}
}

// good are the findings of a fixture that must be there in spite of the others.
func good(text string) (ids []string) {
	for line := range strings.Lines(text) {
		if id, ok := strings.CutPrefix(line, `finding "good`); ok {
			ids = append(ids, "good"+id[:strings.IndexByte(id, '"')])
		}
	}
	return ids
}

// compare matches diagnostics with the planted comments.
func compare(text string, diags hcl.Diagnostics) (missed, surplus []string) {
	planted := map[int][]string{}
	for n, line := range strings.Split(text, "\n") {
		for _, want := range strings.Split(line, "# ERROR: ")[1:] {
			planted[n+1] = append(planted[n+1], strings.TrimSpace(want))
		}
	}
	for _, d := range diags {
		line, said := 0, d.Summary+": "+d.Detail
		if d.Subject != nil {
			line = d.Subject.Start.Line
		}
		if i := slices.IndexFunc(planted[line], func(want string) bool { return strings.Contains(said, want) }); i >= 0 {
			planted[line] = slices.Delete(planted[line], i, i+1)
			continue
		}
		surplus = append(surplus, fmt.Sprintf("%d: %s", line, said))
	}
	for line, wants := range planted {
		for _, want := range wants {
			missed = append(missed, fmt.Sprintf("%d: %s", line, want))
		}
	}
	slices.Sort(missed)
	return missed, surplus
}

const sound = `finding "%s" {
  title = { en = "t" }
  layer = "image"
  cause = { en = "c" }
  fact "x" {
    of   = "k8s.pod"
    when = !self.ready
  }
}
`

func TestTheFilesOfUsersAreReadBesideThoseShipped(t *testing.T) {
	shipped := fstest.MapFS{
		"one.hcl":       {Data: fmt.Appendf(nil, sound, "G-1")},
		"fixes/fix.hcl": {Data: []byte(`step "x" "y" {}`)},
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.hcl"), fmt.Appendf(nil, sound, "mine"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("{"), 0o600))
	single := filepath.Join(t.TempDir(), "single.sig")
	require.NoError(t, os.WriteFile(single, fmt.Appendf(nil, sound, "single"), 0o600))

	book, diags := Load(shipped, dir, single)
	require.Empty(t, diags)
	require.Equal(t, []string{"G-1", "mine", "single"}, idsOf(book))
}

func TestWhatCannotBeReadIsSaidAndTheRestWorks(t *testing.T) {
	shipped := fstest.MapFS{"one.hcl": {Data: fmt.Appendf(nil, sound, "G-1")}, "two.hcl": {Mode: fs.ModeDir}}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "binary.hcl"), []byte{0, 0xff, 0xfe, '{', '"', 0}, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "good.hcl"), fmt.Appendf(nil, sound, "good"), 0o600))
	huge := filepath.Join(dir, "huge.hcl")
	require.NoError(t, os.WriteFile(huge, nil, 0o600))
	require.NoError(t, os.Truncate(huge, largestFile+1))

	book, diags := Load(shipped, filepath.Join(dir, "nothing"), dir)
	require.Equal(t, []string{"G-1", "good"}, idsOf(book))
	said := diags.Error() + fmt.Sprint(diags.Errs())
	for _, want := range []string{"two.hcl", "nothing", "larger than 4 MiB", "binary.hcl"} {
		require.Contains(t, said, want)
	}
}

func TestFixesAreFoundBesideTheirFile(t *testing.T) {
	with := func(id, fix string) []byte {
		return []byte(strings.TrimSuffix(strings.TrimSpace(fmt.Sprintf(sound, id)), "}") + "fix {\n runbook = \"" + fix + "\"\n }\n}\n")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mine.hcl"), with("mine", "repair.hcl"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "repair.hcl"), nil, 0o600))
	book, diags := Load(fstest.MapFS{"a.hcl": {Data: with("G-1", "fixes/fix.hcl")}, "b.hcl": {Data: with("G-2", "fixes/gone.hcl")},
		"fixes/fix.hcl": {}}, filepath.Join(dir, "mine.hcl"))
	require.Len(t, diags, 1)
	require.Contains(t, diags.Error(), "fixes/gone.hcl")
	require.Equal(t, []string{"G-1", "G-2", "mine"}, idsOf(book))
	require.Equal(t, "fixes/fix.hcl", book.Findings[0].Fix.Runbook)
	require.Nil(t, book.Findings[1].Fix, "the finding stays without its fix")
	require.Equal(t, filepath.Join(dir, "repair.hcl"), book.Findings[2].Fix.Runbook)
}

func TestTheKindsThatExpressionsLookAtAreKnown(t *testing.T) {
	text := strings.Replace(fmt.Sprintf(sound, "G-1"), "!self.ready", "try(length(facts.patroni_member) > 0 && anytrue([for j in facts.k8s_job : j.failed > 0]), false)", 1)
	book, diags := Load(fstest.MapFS{"a.hcl": {Data: []byte(text)}})
	require.Empty(t, diags)
	require.Equal(t, []string{"k8s.job", "patroni.member"}, book.Kinds)
}

func idsOf(book *Book) (ids []string) {
	for _, f := range book.Findings {
		ids = append(ids, f.ID)
	}
	return ids
}

func FuzzLoad(f *testing.F) {
	f.Add(fmt.Sprintf(sound, "G-1"))
	f.Add("finding \"x\" {\n line \"a\" {\n in = [\"event\"]\n match = \"a \\\"(?P<b>[^\\\"]+)\\\"\"\n }\n}\nfinding \"y\" {")
	f.Add("finding \"x\" {\n title = { en = \"${try(a.b, [for x in facts.k8s_pod : x.y])}\" }\n unless = self\n}")
	f.Fuzz(func(t *testing.T, text string) {
		book, diags := Load(fstest.MapFS{"a.hcl": {Data: []byte(text)}, "b.hcl": {Data: fmt.Appendf(nil, sound, "anchor\x00")}})
		require.NotNil(t, book)
		for _, d := range diags {
			require.NotEmpty(t, d.Summary)
		}
		for _, x := range book.Findings {
			require.NotNil(t, x.Cause.EN)
			require.NotEmpty(t, len(x.Lines)+len(x.Facts))
		}
	})
}
