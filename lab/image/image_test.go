package image

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPackageListSkipsCommentsAndBlanks(t *testing.T) {
	require.Equal(t, []string{"a", "b"}, packageList("# c\n a \n\nb\n"))
	require.Contains(t, Base().rootfs.Packages, "patroni")
	require.Contains(t, Node().rootfs.Packages, "containernetworking-plugins")
}

func TestImageKeyFollowsItsContent(t *testing.T) {
	base, more := Base(), Base()
	require.Equal(t, base.key("s"), more.key("s"))
	more.rootfs.Packages = append(more.rootfs.Packages, "vim")
	require.NotEqual(t, base.key("s"), more.key("s"))
	require.NotEqual(t, base.key("s"), base.key("other mirror"))
	hooked := Base()
	hooked.rootfs.Customize = hooked.rootfs.Customize[1:]
	require.NotEqual(t, base.key("s"), hooked.key("s"))
}

func TestScratchKeyFollowsTheBinary(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "pause")
	require.NoError(t, os.WriteFile(binary, []byte("one"), 0o755))
	first, err := Pause("p:1", binary).key()
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(binary, []byte("two"), 0o755))
	second, err := Pause("p:1", binary).key()
	require.NoError(t, err)
	require.NotEqual(t, first, second)
}
