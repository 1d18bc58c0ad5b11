package rootfs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPatternsNameFiles(t *testing.T) {
	tree := read(t, []string{"usr/lib/a.so 1", "usr/lib/sub/b.so 1", "usr/lib/sub/deep/c.so.1 1", "lib -> usr/lib", "b.so 1", "usr/lib/[x] 1"})
	for pattern, want := range map[string][]string{
		"b.so":               {"/b.so", "/usr/lib/sub/b.so"},
		"*.so":               {"/b.so", "/usr/lib/a.so", "/usr/lib/sub/b.so"},
		"/*.so":              {"/b.so"},
		"/lib/*.so":          {"/usr/lib/a.so"},
		"/usr/lib/**/*.so":   {"/usr/lib/a.so", "/usr/lib/sub/b.so"},
		"usr/**/**/*.so*":    {"/usr/lib/a.so", "/usr/lib/sub/b.so", "/usr/lib/sub/deep/c.so.1"},
		"/usr/lib/sub/**":    {"/usr/lib/sub/b.so", "/usr/lib/sub/deep", "/usr/lib/sub/deep/c.so.1"},
		"/**/deep/?.so.[12]": {"/usr/lib/sub/deep/c.so.1"},
		"/lib":               {"/lib"},
		"/lib/a.so":          {"/usr/lib/a.so"},
		`/usr/lib/\[x\]`:     {"/usr/lib/[x]"},
		"/none/*":            nil,
		"/a.so":              nil,
		"/usr/lib/a.so/*":    nil,
	} {
		found, err := tree.Glob(pattern)
		require.NoError(t, err, pattern)
		var got []string
		for _, e := range found {
			got = append(got, e.Path)
		}
		require.Equal(t, want, got, pattern)
	}
	_, err := tree.Glob("/usr/[")
	require.ErrorContains(t, err, "pattern /usr/[")
}
