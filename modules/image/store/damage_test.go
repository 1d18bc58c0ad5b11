package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// remedy is what the error says to do; every fault of an archive says it.
func remedy(t testing.TB, err error) string {
	t.Helper()
	var f *Fault
	require.ErrorAs(t, err, &f)
	require.NotEmpty(t, f.Remedy)
	return f.Remedy
}

// tight are limits that a test can reach.
func tight(s Store) Store {
	s.limits = limits{entries: 200, small: 64 << 10, layers: 20, free: 0, ratio: 20, floor: 1 << 20}
	return s
}

func TestBadArchivesAreToldApartAndLeaveNothing(t *testing.T) {
	good := classic(twoLayers)
	goodTar := tarOf(good...)
	oci := layoutOf(gzipOf, twoLayers)
	swapped := make1("swapped:1", "a", "b", "c")
	swapped.layers[0], swapped.layers[2] = swapped.layers[2], swapped.layers[0]
	other := tarOf(file{name: "etc/f0", data: []byte("evil")})
	cases := map[string]struct {
		archive []byte
		want    string
	}{
		"empty":              {nil, "the file is empty"},
		"text":               {[]byte("FROM centos:7\nRUN echo\n"), `a text that begins with "FROM centos:7"`},
		"zip":                {append([]byte("PK\x03\x04"), make([]byte, 600)...), "a zip file"},
		"bzip2":              {[]byte("BZh91AY&SY"), "packed with bzip2"},
		"xz":                 {append([]byte("\xfd7zXZ\x00"), make([]byte, 600)...), "packed with xz"},
		"zeros":              {make([]byte, 4096), "it begins with zeros"},
		"packed twice":       {gzipOf(gzipOf(goodTar)), "packed twice"},
		"packed text":        {gzipOf([]byte("hello")), `a text that begins with "hello"`},
		"packed nothing":     {gzipOf(nil), "nothing is packed in it"},
		"short gzip":         {gzipOf(goodTar)[:5], "cut short"},
		"random tar":         {tarOf(file{name: "src/main.go", data: []byte("package main")}), "has neither manifest.json nor index.json, and begins with src/main.go"},
		"export":             {tarOf(file{name: ".dockerenv"}, file{name: "bin/", data: nil}, file{name: "etc/passwd"}), "the file system of a container"},
		"old docker":         {tarOf(file{name: strings.Repeat("a", 64) + "/json", data: []byte("{}")}, file{name: "repositories", data: []byte("{}")}), "a Docker before 1.10"},
		"no manifest":        {tarOf(without(good, "manifest.json")...), "its end is missing"},
		"its beginning":      {tarOf(without(good, "manifest.json")[:4]...), "its end is missing"},
		"half":               {goodTar[:len(goodTar)/2], "cut short, in the middle of"},
		"half, gzip":         {gzipOf(goodTar)[:300], "cut short, in the middle of"},
		"half, zstd":         {zstdOf(goodTar)[:300], "cut short, in the middle of"},
		"damaged gzip":       {flipped(gzipOf(noisy()), 5000), "damaged"},
		"damaged gzip sum":   {flipped(gzipOf(goodTar), len(gzipOf(goodTar))-6), "damaged"},
		"damaged zstd":       {flipped(zstdOf(noisy()), 5000), "damaged"},
		"damaged header":     {flipped(goodTar, 512*3+20), "damaged: what comes after"},
		"other config":       {tarOf(replaced(good, hexOf(twoLayers.config)+".json", []byte(`{"rootfs":{}}`))...), "the configuration " + hexOf(twoLayers.config) + ".json has the digest"},
		"other layer":        {tarOf(replaced(good, fmt.Sprintf("%064x/layer.tar", 1), other)...), "layer 1 of 2"},
		"other gzip layer":   {tarOf(replaced(oci, hexOf(gzipOf(twoLayers.layers[0])), gzipOf(other))...), "has the digest " + sumOf(other)},
		"damaged gzip layer": {tarOf(replaced(oci, hexOf(gzipOf(twoLayers.layers[0])), flipped(gzipOf(twoLayers.layers[0]), 30))...), "damaged"},
		"short gzip layer":   {tarOf(replaced(oci, hexOf(gzipOf(twoLayers.layers[0])), gzipOf(twoLayers.layers[0])[:40])...), "cut short, in the middle of blobs/sha256/"},
		"damaged manifest":   {tarOf(replaced(oci, strings.TrimPrefix(manifestOf(oci, twoLayers), "sha256:"), []byte("{}"))...), "has the digest"},
		"swapped":            {tarOf(classic(swapped)...), "layers are swapped"},
		"lacks a layer":      {tarOf(without(good, fmt.Sprintf("%064x/layer.tar", 2))...), "lacks layer 2 of 2"},
		"lacks an oci layer": {tarOf(without(oci, hexOf(gzipOf(twoLayers.layers[1])))...), "lacks layer 2 of 2"},
		"lacks the config":   {tarOf(without(good, hexOf(twoLayers.config)+".json")...), "lacks the configuration"},
		"lacks the manifest": {tarOf(without(oci, strings.TrimPrefix(manifestOf(oci, twoLayers), "sha256:"))...), "lacks the manifest"},
		"list of nothing":    {tarOf(file{name: "manifest.json", data: []byte("[]")}), "lists no image"},
		"list that is none":  {tarOf(file{name: "manifest.json", data: []byte("<html>")}), "manifest.json is no list of images"},
		"too few layers":     {tarOf(replaced(good, "manifest.json", jsonOf([]Entry{{Config: hexOf(twoLayers.config) + ".json"}}))...), "lists 0 layers, and the image has 2"},
		"artifact":           {tarOf(layoutOf(plain, made{config: []byte("{}"), layers: [][]byte{[]byte("chart")}})...), "no image but something else"},
		"sha512":             {tarOf(replaced(oci, "index.json", []byte(`{"manifests":[{"digest":"sha512:00"}]}`))...), "no SHA-256 digest"},
		"digest with a path": {tarOf(replaced(oci, "index.json", []byte(`{"manifests":[{"digest":"sha256:../../../etc/passwd"}]}`))...), "no SHA-256 digest"},
		"climbs":             {tarOf(append([]file{{name: "../evil", data: []byte("x")}}, good...)...), "names a file outside of itself"},
		"climbs later":       {tarOf(append([]file{{name: "a/../../evil", data: []byte("x")}}, good...)...), "names a file outside of itself"},
		"absolute":           {tarOf(append([]file{{name: "/etc/cron.d/evil", data: []byte("x")}}, good...)...), "names a file outside of itself"},
		"link out":           {tarOf(append([]file{{name: "aa/layer.tar", link: "../../../etc/passwd"}}, good...)...), "a link out of it"},
		"absolute link":      {tarOf(append([]file{{name: "aa/layer.tar", link: "/etc/passwd"}}, good...)...), "a link out of it"},
		"link to itself":     {tarOf(append(without(good, fmt.Sprintf("%064x/layer.tar", 1)), file{name: fmt.Sprintf("%064x/layer.tar", 1), link: "layer.tar"})...), "lead in a circle"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			_, err := read(t, s, c.archive, "")
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, "x.tar: ", "the file is named")
			remedy(t, err)
			holds(t, s)
		})
		if bytes.HasPrefix(c.archive, gzipMagic) || bytes.HasPrefix(c.archive, zstdMagic) || len(c.archive) < 512 || noTar(c.archive[:512]) != nil {
			continue
		}
		t.Run(name+", packed whole", func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			_, err := read(t, s, zstdOf(c.archive), "")
			require.ErrorContains(t, err, c.want)
			remedy(t, err)
			holds(t, s)
		})
		t.Run(name+", streamed", func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			_, err := s.Ingest(t.Context(), bytes.NewReader(c.archive), "")
			require.ErrorContains(t, err, c.want)
			holds(t, s)
		})
	}
}

// noisy is a good archive that does not pack.
func noisy() []byte {
	state, text := uint32(1), make([]byte, 20_000)
	for i := range text {
		state = state*1664525 + 1013904223
		text[i] = byte(state >> 24)
	}
	return tarOf(classic(make1("noisy:1", string(text)))...)
}

func flipped(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x55
	return b
}

func TestBombsGoOffOutside(t *testing.T) {
	zeros := make([]byte, 8<<20)
	many := []file{}
	for i := range 300 {
		many = append(many, file{name: fmt.Sprintf("%064x/json", i)})
	}
	tall := make1("tall:1", strings.Split(strings.Repeat("x,", 30), ",")...)
	cases := map[string]struct {
		archive []byte
		want    string
	}{
		"a packed archive":       {gzipOf(tarOf(classic(make1("bomb:1", string(zeros)))...)), "it is a bomb"},
		"a packed layer":         {tarOf(layoutOf(gzipOf, make1("bomb:1", string(zeros)))...), "it is a bomb"},
		"many packed layers":     {tarOf(layoutOf(zstdOf, make1("bomb:1", string(zeros[:1<<19]), string(zeros[:1<<19+1]), string(zeros[:1<<19+2])))...), "it is a bomb"},
		"many files":             {tarOf(append(many, classic(twoLayers)...)...), "more than 200 files"},
		"many layers":            {tarOf(classic(tall)...), "has 31 layers"},
		"a giant list":           {tarOf(file{name: "manifest.json", data: bytes.Repeat([]byte(" "), 1<<17)}), "manifest.json in the archive has more than"},
		"a giant index":          {tarOf(file{name: "index.json", data: bytes.Repeat([]byte(" "), 1<<17)}), "index.json in the archive has more than"},
		"a giant config":         {tarOf(replaced(classic(twoLayers), hexOf(twoLayers.config)+".json", bytes.Repeat([]byte(" "), 1<<17))...), ".json in the archive has more than"},
		"a sparse file of 8 EiB": {sparse(), "is a sparse file"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := tight(fresh(t))
			_, err := read(t, s, c.archive, "")
			require.ErrorContains(t, err, c.want)
			remedy(t, err)
			holds(t, s)
			_, err = s.Ingest(t.Context(), bytes.NewReader(c.archive), "")
			require.Error(t, err)
			holds(t, s)
		})
	}
}

// sparse is a tar of a sparse file in the old form of GNU, of 8 EiB.
func sparse() []byte {
	b := tarOf(file{name: "manifest.json"})
	h := b[:512]
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "00000000000\x0000000000000\x00")
	copy(h[483:], []byte{0x80, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff})
	sum := 0
	copy(h[148:156], "        ")
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

func TestLayersOfZerosAreNoBomb(t *testing.T) {
	m := make1("wal:1", string(make([]byte, 64<<20)))
	_, err := read(t, fresh(t), gzipOf(tarOf(classic(m)...)), "")
	require.NoError(t, err)
}

func TestAFullDiskIsNamed(t *testing.T) {
	s := fresh(t)
	s.limits.free = 1 << 60
	_, err := read(t, s, tarOf(classic(twoLayers)...), "")
	require.ErrorContains(t, err, "the disk of "+s.dir+" is full")
	require.Contains(t, remedy(t, err), "XDG_CACHE_HOME")
	holds(t, s)
}

func TestReadingStopsWhenItIsCancelled(t *testing.T) {
	s := fresh(t)
	ctx, cancel := context.WithCancel(t.Context())
	r := io.MultiReader(bytes.NewReader(tarOf(classic(twoLayers)...)[:4000]), readerFunc(func([]byte) (int, error) { cancel(); return 0, nil }))
	_, err := s.Ingest(ctx, r, "")
	require.ErrorIs(t, err, context.Canceled)
	holds(t, s)
}

func TestAFailedEngineIsToldAsItIs(t *testing.T) {
	gone := errors.New("engine gone")
	for _, pack := range packings {
		s := fresh(t)
		archive := pack(noisy())
		_, err := s.Ingest(t.Context(), io.MultiReader(bytes.NewReader(archive[:len(archive)/2]), readerFunc(func([]byte) (int, error) { return 0, gone })), "")
		require.ErrorIs(t, err, gone)
		holds(t, s)
	}
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAFolderIsNotLeftAndItsPipesAreNotWaitedFor(t *testing.T) {
	first := ociPath(sumOf(twoLayers.layers[0]))
	files := layoutOf(plain, twoLayers)
	for want, spoil := range map[string]func(name string) error{
		first + " in the folder leads out of it": func(name string) error { return os.Symlink("/etc/passwd", name) },
		first + " in the folder is no file":      func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"the archive lacks layer 1 of 2":         func(string) error { return nil },
		"layers are swapped":                     func(name string) error { return os.Symlink(hexOf(twoLayers.layers[1]), name) },
	} {
		t.Run(want, func(t *testing.T) {
			dir := lay(t, files)
			require.NoError(t, os.Remove(filepath.Join(dir, first)))
			require.NoError(t, spoil(filepath.Join(dir, first)))
			s := fresh(t)
			_, err := s.ReadArchive(t.Context(), dir, "", func(int64, int64) {})
			require.ErrorContains(t, err, want)
			remedy(t, err)
			holds(t, s)
		})
	}
}

func TestAPackingThatWantsTooMuchMemoryIsNamed(t *testing.T) {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out, zstd.WithWindowSize(64<<20))
	require.NoError(t, err)
	archive := noisy()
	_, err = w.Write(archive[:1000])
	require.NoError(t, err)
	require.NoError(t, w.Flush()) // its length is unknown from here on
	_, err = w.Write(archive[1000:])
	require.NoError(t, err)
	require.NoError(t, w.Close())
	s := fresh(t)
	_, err = read(t, s, out.Bytes(), "")
	require.ErrorContains(t, err, "cannot be unpacked in the memory there is for it")
	require.Contains(t, remedy(t, err), "--long")
	holds(t, s)
}
