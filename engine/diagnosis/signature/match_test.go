package signature

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAMatchToleratesBlanksAndQuotationMarks(t *testing.T) {
	for _, c := range []struct {
		match   string
		matches []string
		not     []string
	}{
		{`FATAL: could not access file "(?P<f>[^"]+)"`,
			[]string{`FATAL:  could not access file "pgaudit.so"`, "FATAL:\tcould not access file “pgaudit.so”", `FATAL: could not access file «a»`,
				`FATAL: could not access file 「a」`, `"msg":"FATAL: could not access file \"pgaudit.so\""`}, []string{`FATAL:could not access file "a"`}},
		{`user '(\w+)' ?is`, []string{"user ‘a’is", "user `a' is"}, []string{`user a is`}},
		{`a {2}b`, []string{"a  b"}, []string{"a b"}},
		{`[^"]x[']y`, []string{`'x’y`}, []string{`“x'y`}},
		{`[]" ]+z[[:digit:]'] w`, []string{"]z5 w", "”z’  w"}, []string{"z5 w"}},
		{`\Qa "b\E c`, []string{`a "b   c`}, []string{`a  “b c`}},
	} {
		re, err := compile(c.match)
		require.NoError(t, err, c.match)
		for _, line := range c.matches {
			require.True(t, re.MatchString(line), "%s should match %s", re, line)
		}
		for _, line := range c.not {
			require.False(t, re.MatchString(line), "%s should not match %s", re, line)
		}
	}
}

func TestAMatchThatIsNoneIsRefused(t *testing.T) {
	for _, match := range []string{"(", `a{2000}`, ".*", "x?", "(?=a)", `\1`, strings.Repeat("a", longestMatch+1)} {
		_, err := compile(match)
		require.Error(t, err, match)
	}
}

func TestACatastrophicPatternTakesLinearTime(t *testing.T) {
	re, err := compile(`(a+)+$|(x|x)*y`)
	require.NoError(t, err)
	start := time.Now()
	require.False(t, re.MatchString(strings.Repeat("a", 1<<20)+"!"))
	require.Less(t, time.Since(start), 20*time.Second)
}
