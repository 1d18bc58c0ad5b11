package rootfs

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNamesCannotLeaveTheImage(t *testing.T) {
	tree := read(t,
		[]string{"../../etc/passwd x", "/abs y", "a/../../b z", "./c c", "out -> ../../../../../../etc", "up -> /.."},
		[]string{"out/shadow x", "../.wh.abs", ".wh...", ".wh..", "a/.wh.."},
	)
	require.Equal(t, []string{"/b 1 @1", "/c 1 @1", "/etc/", "/etc/passwd 1 @1", "/etc/shadow 1 @2", "/out -> ../../../../../../etc", "/up -> /.."}, list(tree))
	require.Equal(t, []string{"../../etc/passwd", "/abs", "a/../../b"}, tree.Layers[0].Odd)
	require.Equal(t, []string{"../.wh.abs", "/.wh...", "/.wh.."}, tree.Layers[1].Odd)
	e, ok := tree.Stat("/up/etc/passwd")
	require.True(t, ok)
	require.Equal(t, "/etc/passwd", e.Path)
	e, ok = tree.Stat("/../../out/passwd")
	require.True(t, ok)
	require.Equal(t, "/etc/passwd", e.Path)
}

func TestWhatNoEngineCanUnpackIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		layers [][]string
		want   string
	}{
		"through a file":       {[][]string{{"a file"}, {"a/b x"}}, "layer 2 of image"},
		"through a ring":       {[][]string{{"a -> b", "b -> a", "a/x 1"}}, "too many symbolic links"},
		"hard link to nothing": {[][]string{{"a => b"}}, "a hard link to /b, which is not there"},
		"hard link to a ring":  {[][]string{{"a -> a", "b => a/c"}}, "too many symbolic links"},
		"hard link to folder":  {[][]string{{"d/", "b => d"}}, "a hard link to the folder /d"},
		"the root as a file":   {[][]string{{". file"}}, "the root of the image is not a folder"},
		"a link upwards":       {[][]string{{"a -> none/../../x", "a/b 1"}}, "leads nowhere"},
	} {
		var tars [][]byte
		for _, items := range c.layers {
			tars = append(tars, layer(t, items...))
		}
		_, err := Read(t.Context(), imageOf(t, tars...))
		require.ErrorContains(t, err, c.want, name)
	}
}

func TestLongNamesAreRefused(t *testing.T) {
	_, err := Read(t.Context(), imageOf(t, layer(t, strings.Repeat("d/", 2100)+"f x")))
	require.ErrorContains(t, err, "where no system takes more than 4096")
	_, err = Read(t.Context(), imageOf(t, layer(t, "a -> "+strings.Repeat("x", 5000))))
	require.ErrorContains(t, err, "where no system takes more than 4096")
}

// limited reads with lower limits than the real ones.
func limited(t *testing.T, l limits, layers ...[]byte) error {
	t.Helper()
	real := most
	most = l
	defer func() { most = real }()
	_, err := Read(t.Context(), imageOf(t, layers...))
	return err
}

func TestMemoryIsBounded(t *testing.T) {
	var many []string
	for n := range 200 {
		many = append(many, fmt.Sprintf("d%d/e/f x", n))
	}
	plenty := limits{entries: 1e6, bytes: 1e6, steps: 1e6}
	require.NoError(t, limited(t, plenty, layer(t, many...)))
	few := plenty
	few.entries = 500 // 200 headers and 400 folders
	require.ErrorContains(t, limited(t, few, layer(t, many...)), "more than 500 entries")
	few.entries = 100
	require.ErrorContains(t, limited(t, few, layer(t, many...)), "more than 100 entries")
	short := plenty
	short.bytes = 1000
	require.ErrorContains(t, limited(t, short, layer(t, many...)), "names in the image are longer")
	quick := plenty
	quick.steps = 2000
	tangle := []string{"l0 -> ."}
	for n := range 30 {
		tangle = append(tangle, fmt.Sprintf("l%d -> l%d/l%d", n+1, n, n))
	}
	for n := range 100 {
		tangle = append(tangle, fmt.Sprintf("l2/l3/x%d/y 1", n))
	}
	require.ErrorContains(t, limited(t, quick, layer(t, tangle...)), "lead too far round")
}

func TestDoublingLinksEndAtTheKernelsLimit(t *testing.T) {
	items := []string{"l0 -> ."}
	for n := range 30 {
		items = append(items, fmt.Sprintf("l%d -> l%d/l%d", n+1, n, n))
	}
	tree := read(t, items)
	_, ok := tree.Stat("/l30")
	require.False(t, ok, "2^30 links")
	_, ok = tree.Stat("/l3")
	require.True(t, ok)
}

// raw makes a tar of one header and whatever follows it.
func raw(t *testing.T, h tar.Header, after []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, tar.NewWriter(&out).WriteHeader(&h))
	return append(out.Bytes(), after...)
}

func TestSizesThatNoLayerHoldsAreRefused(t *testing.T) {
	for _, size := range []int64{1 << 20, 1 << 40, 1<<63 - 1} {
		_, err := Read(t.Context(), imageOf(t, raw(t, tar.Header{Name: "huge", Typeflag: tar.TypeReg, Size: size}, make([]byte, 1024))))
		require.Error(t, err, size)
	}
	_, err := Read(t.Context(), imageOf(t, layer(t, "a "+strings.Repeat("x", 2000))[:1500]))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	_, err = Read(t.Context(), imageOf(t, bytes.Repeat([]byte("no tar "), 500)))
	require.ErrorIs(t, err, tar.ErrHeader)
}

// sparseTar is what GNU tar --sparse makes of a file with a hole before its
// end (old GNU format): the size is that with the hole.
func sparseTar(name string, hole int64, end string) []byte {
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	copy(h[124:], fmt.Sprintf("%011o\x00", len(end)))
	copy(h[136:], "00000000000\x00")
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], fmt.Sprintf("%011o\x00%011o\x00", hole, len(end)))
	copy(h[483:], fmt.Sprintf("%011o\x00", hole+int64(len(end))))
	copy(h[148:], "        ")
	total := 0
	for _, b := range h {
		total += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", total))
	data := make([]byte, 512)
	copy(data, end)
	return append(h, data...)
}

func TestFilesWithHolesAreReadWithinBounds(t *testing.T) {
	tars := sparseTar("small", 1000, "end")
	tars = append(tars, sparseTar("huge", 7<<30, "end")...)
	tars = append(tars, layer(t, "behind text")...)
	tree, err := Read(t.Context(), imageOf(t, tars))
	require.NoError(t, err)
	require.Equal(t, []string{"/behind 4 @1", "/huge 7516192771 @1", "/small 1003 @1"}, list(tree))
	require.Equal(t, strings.Repeat("\x00", 1000)+"end", contentAt(t, tree, "/small"))
	require.Equal(t, "text", contentAt(t, tree, "/behind"))
	_, err = tree.Open(t.Context(), "/huge")
	require.ErrorContains(t, err, "a file with holes of 7168 MiB is not read")
	_, err = tree.Waste(t.Context(), nil)
	require.NoError(t, err)
}

func TestOddNamesStayWhatTheyAre(t *testing.T) {
	long := strings.Repeat("n", 200)
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	for _, name := range []string{"new\nline", "esc\x1b[31m", "ünï", "bad\xff\xfe", "sp ace", long, strings.Repeat("deep/", 60) + "x", "a\\b", " ", "..."} {
		require.NoError(t, tw.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o4755, Uid: 1 << 22, Gid: 3e9, Size: 1, Format: tar.FormatGNU}))
		_, err := tw.Write([]byte("x"))
		require.NoError(t, err)
	}
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "pax" + long, Typeflag: tar.TypeReg, Format: tar.FormatPAX, PAXRecords: map[string]string{"SCHILY.xattr.user.x": strings.Repeat("v", 9000)}}))
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}))
	require.NoError(t, tw.Close())
	tree, err := Read(t.Context(), imageOf(t, out.Bytes()))
	require.NoError(t, err)
	for _, p := range []string{"/new\nline", "/esc\x1b[31m", "/ünï", "/bad\xff\xfe", "/sp ace", "/" + long, "/" + strings.Repeat("deep/", 60) + "x", "/a\\b", "/ ", "/..."} {
		e, ok := tree.Stat(p)
		require.True(t, ok, "%q", p)
		require.Equal(t, "4755", e.Octal())
		require.Equal(t, []int{1 << 22, 3e9}, []int{e.UID, e.GID})
	}
	require.Equal(t, "x", contentAt(t, tree, "/sp ace"))
	_, ok := tree.Stat("/pax" + long)
	require.True(t, ok)
	_, err = tree.Open(t.Context(), "/dev/null")
	require.ErrorContains(t, err, "is not a regular file")
}

func TestReadingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Read(ctx, imageOf(t, layer(t, "a x")))
	require.ErrorIs(t, err, context.Canceled)
}

// FuzzRead reads bytes that may be no tars at all.
func FuzzRead(f *testing.F) {
	f.Add(layer(f, "a/", "a/b x", "c -> a", "d => a/b"), layer(f, "c/.wh.b", "a/.wh..wh..opq", "c/n 1", "a file"))
	f.Add(layer(f, "../x 1", "l -> l", "m -> ../.."), layer(f, "m/../.wh.x", ".wh.l", "l/y 1"))
	f.Add(sparseTar("s", 600, "end"), []byte("no tar"))
	f.Fuzz(func(t *testing.T, low, high []byte) { holds(t, [][]byte{low, high}) })
}

// holds checks what is so of every tree.
func holds(t *testing.T, layers [][]byte) {
	tree, err := Read(t.Context(), imageOf(t, layers...))
	if err != nil {
		return
	}
	last := "/"
	for e := range tree.All() {
		require.True(t, strings.HasPrefix(e.Path, "/") && !strings.Contains(e.Path+"/", "/../"), e.Path)
		require.Negative(t, comparePaths(last, e.Path))
		last = e.Path
		got, ok := tree.Lstat(e.Path)
		require.True(t, ok, e.Path)
		require.Equal(t, e, got)
		if !e.Mode.IsRegular() || e.Size > 1<<20 {
			continue
		}
		file, err := tree.Open(t.Context(), e.Path)
		if err == nil {
			n, err := io.Copy(io.Discard, file)
			require.NoError(t, err)
			require.Equal(t, e.Size, n)
			require.NoError(t, file.Close())
		}
	}
	for n, l := range tree.Layers {
		require.Len(t, tree.Changes(n), l.Added+l.Changed+l.Deleted)
	}
	w, err := tree.Waste(t.Context(), nil)
	require.NoError(t, err)
	require.LessOrEqual(t, w.Bytes, tree.Image.Size())
}

// FuzzLayers lays layers over each other that are valid tars: a line each entry,
// "-" between the layers.
func FuzzLayers(f *testing.F) {
	f.Add("a/\na/b x\nc -> a\nd => a/b\n-\nc/.wh.b\na/.wh..wh..opq\nc/n 1\na file\n-\na/\na/e 1")
	f.Add("../x 1\nl -> l\nm -> ../..\n-\nm/../.wh.x\n.wh.l\nl/y 1\n-\nb => l/y\n.wh.l")
	f.Fuzz(func(t *testing.T, text string) {
		var tars [][]byte
		for part := range strings.SplitSeq(text, "\n-\n") {
			var out bytes.Buffer
			tw := tar.NewWriter(&out)
			for line := range strings.SplitSeq(part, "\n") {
				h, body := item(line)
				if err := tw.WriteHeader(h); err != nil {
					return
				}
				if _, err := tw.Write([]byte(body)); err != nil {
					return
				}
			}
			require.NoError(t, tw.Close())
			tars = append(tars, out.Bytes())
		}
		holds(t, tars)
	})
}
