package lang

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
			r, diags := Load(path, Options{Registry: modules, LookupEnv: noEnv})
			require.Equal(t, text, r.Sources[path])
			missed, surplus := compare(string(text), diags)
			require.Empty(t, append(missed, surplus...), "first those not reported, then those not planted")
		})
	}
}

func TestTwelveDifferentFaultsInOneRun(t *testing.T) {
	text, err := os.ReadFile("testdata/twelve-faults.hcl")
	require.NoError(t, err)
	require.Equal(t, 12, strings.Count(string(text), "# ERROR: "))
}

func noEnv(string) (string, bool) { return "", false }

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
