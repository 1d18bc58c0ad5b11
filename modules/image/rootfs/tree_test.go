package rootfs

import (
	"errors"
	"io"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUpperLayersCoverLowerOnes(t *testing.T) {
	tree := read(t,
		[]string{"etc/", "etc/a old", "etc/b b", "etc-x x", "usr/lib/deep/c c"},
		[]string{"etc/", "etc/a newer", "etc/d d"},
	)
	require.Equal(t, []string{"/etc/", "/etc/a 5 @2", "/etc/b 1 @1", "/etc/d 1 @2", "/etc-x 1 @1",
		"/usr/", "/usr/lib/", "/usr/lib/deep/", "/usr/lib/deep/c 1 @1"}, list(tree))
	require.Equal(t, []string{"~/etc/a", "+/etc/d"}, changes(tree, 1), "a folder listed for what is in it is no change")
	require.Equal(t, "newer", contentAt(t, tree, "/etc/a"))
	require.Equal(t, "c", contentAt(t, tree, "usr/lib/deep/c"))
	e, ok := tree.Stat("/usr/lib")
	require.True(t, ok)
	require.True(t, e.Implied, "no header named it")
}

func TestWhiteoutsTakeAwayLowerLayersAlone(t *testing.T) {
	tree := read(t,
		[]string{"a/", "a/x 1", "a/y/", "a/y/z 1", "b 1", "c/", "c/old 1", "d/", "d/old 1"},
		[]string{"a/y/new 1", "a/.wh.x", "a/.wh.y", ".wh.b", "b 22", "c/new 1", "c/.wh..wh..opq", ".wh..wh.plnk", ".wh.nothing"},
	)
	require.Equal(t, []string{"/a/", "/a/y/", "/a/y/new 1 @2", "/b 2 @2", "/c/", "/c/new 1 @2", "/d/", "/d/old 1 @1"}, list(tree))
	require.Equal(t, []string{"-/a/x", "+/a/y/new", "-/a/y/z", "~/b", "+/c/new", "-/c/old"}, changes(tree, 1),
		"what a layer takes away and brings again is changed")
	require.Equal(t, []int{2, 1, 3}, []int{tree.Layers[1].Added, tree.Layers[1].Changed, tree.Layers[1].Deleted})
}

func TestAFolderReplacedByAFileTakesItsContentWithIt(t *testing.T) {
	tree := read(t, []string{"a/", "a/b 1", "a/c/", "a/c/d 1"}, []string{"a file"}, []string{"a/", "a/e 1"})
	require.Equal(t, []string{"/a/", "/a/e 1 @3"}, list(tree))
	require.Equal(t, []string{"~/a", "-/a/b", "-/a/c", "-/a/c/d"}, changes(tree, 1))
	require.Equal(t, []string{"~/a", "+/a/e"}, changes(tree, 2))
}

func TestWhatALayerAddsAndDropsItselfIsNoChange(t *testing.T) {
	tree := read(t, []string{"a 1"}, []string{"b/", "b/c 1", "b file"})
	require.Equal(t, []string{"/a 1 @1", "/b 4 @2"}, list(tree))
	require.Equal(t, []string{"+/b"}, changes(tree, 1))
}

func TestLinksAreFollowedInsideTheImage(t *testing.T) {
	tree := read(t, []string{
		"usr/pgsql-11.5/lib/pgaudit.so elf", "usr/pgsql-11 -> pgsql-11.5", "lib -> /usr/pgsql-11/lib", "up -> ../../../lib",
		"ring -> ring", "a -> b", "b -> a", "gone -> /nowhere/else", "dot -> usr/./pgsql-11//lib/../lib/pgaudit.so",
	})
	for _, p := range []string{"/usr/pgsql-11/lib/pgaudit.so", "/lib/pgaudit.so", "/up/pgaudit.so", "/dot", "//lib/./pgaudit.so", "/lib/../lib/pgaudit.so"} {
		e, ok := tree.Stat(p)
		require.True(t, ok, p)
		require.Equal(t, "/usr/pgsql-11.5/lib/pgaudit.so", e.Path, p)
	}
	for _, p := range []string{"/ring", "/a", "/gone", "/lib/pgaudit.so/x", "/nothing", "/ring/x"} {
		_, ok := tree.Stat(p)
		require.False(t, ok, p)
	}
	e, ok := tree.Lstat("/lib")
	require.True(t, ok)
	require.Equal(t, "/usr/pgsql-11/lib", e.Link)
	e, ok = tree.Stat("/")
	require.True(t, ok)
	require.True(t, e.IsDir())
	require.Equal(t, []Entry{must(tree.Stat("/dot"))}, tree.Dir("/lib"))
}

func must(e Entry, _ bool) Entry { return e }

func TestEntriesGoThroughLinkedFolders(t *testing.T) {
	tree := read(t,
		[]string{"usr/lib/old.so 1", "lib -> usr/lib", "dangling -> opt/new"},
		[]string{"lib/new.so 22", "lib/.wh.old.so", "dangling/x 1"},
	)
	require.Equal(t, []string{"/dangling -> opt/new", "/lib -> usr/lib", "/opt/", "/opt/new/", "/opt/new/x 1 @2", "/usr/", "/usr/lib/", "/usr/lib/new.so 2 @2"}, list(tree))
	require.Equal(t, "22", contentAt(t, tree, "/usr/lib/new.so"))
}

func TestHardLinksShareContent(t *testing.T) {
	tree := read(t, []string{"bin/a one", "b => bin/a", "c => ./b"}, []string{"bin/a two!"}, []string{"b => c"}, []string{".wh.c"})
	require.Equal(t, "two!", contentAt(t, tree, "/bin/a"))
	require.Equal(t, "one", contentAt(t, tree, "/b"))
	_, ok := tree.Stat("/c")
	require.False(t, ok)
}

func TestOpenSaysWhyThereIsNothingToRead(t *testing.T) {
	tree := read(t, []string{"d/", "d/f text"})
	_, err := tree.Open(t.Context(), "/d/none")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = tree.Open(t.Context(), "/d")
	require.ErrorContains(t, err, "is a directory")
	_, err = tree.Open(t.Context(), "/d/f/x")
	require.ErrorIs(t, err, fs.ErrNotExist)
}

func TestEachReadsInTheOrderOfTheLayers(t *testing.T) {
	tree := read(t, []string{"z 1", "a 2"}, []string{"m 3"})
	var got []string
	err := tree.Each(t.Context(), []string{"/m", "/a", "/z"}, func(p string, f *File) error {
		text, err := io.ReadAll(f)
		got = append(got, p+string(text))
		return err
	})
	require.NoError(t, err)
	require.Equal(t, []string{"/z1", "/a2", "/m3"}, got)
	stop := errors.New("stop")
	require.ErrorIs(t, tree.Each(t.Context(), []string{"/m", "/a"}, func(string, *File) error { return stop }), stop)
	require.ErrorIs(t, tree.Each(t.Context(), []string{"/m", "/x"}, func(string, *File) error { panic("read") }), fs.ErrNotExist)
}
