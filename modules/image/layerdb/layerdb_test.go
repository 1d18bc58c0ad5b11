package layerdb

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
)

// write puts a layer of two files into a folder like Docker's, as its overlay2
// driver would, and gives the layer's tar. The package that uses this one tests
// with a real Docker.
func write(t *testing.T, folder string) (content []byte, id, diffID string) {
	t.Helper()
	put := func(data []byte, names ...string) {
		p := filepath.Join(append([]string{folder}, names...)...)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, data, 0o644))
	}
	const cache = "0123456789abcdef"
	var whole, recipe bytes.Buffer
	w := tar.NewWriter(&whole)
	lines := json.NewEncoder(&recipe)
	mark := 0
	for _, f := range []struct{ name, text string }{{"etc/a", "first"}, {"etc/b", strings.Repeat("second ", 300)}} {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: f.name, Mode: 0o644, Size: int64(len(f.text))}))
		require.NoError(t, lines.Encode(recipeEntry{Type: rawEntry, Payload: bytes.Clone(whole.Bytes()[mark:])}))
		_, err := io.WriteString(w, f.text)
		require.NoError(t, err)
		require.NoError(t, lines.Encode(recipeEntry{Type: fileEntry, Name: f.name, Size: int64(len(f.text))}))
		mark = whole.Len()
		require.NoError(t, w.Flush())
		put([]byte(f.text), "overlay2", cache, "diff", f.name)
	}
	require.NoError(t, w.Close())
	require.NoError(t, lines.Encode(recipeEntry{Type: rawEntry, Payload: whole.Bytes()[mark:]}))
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(recipe.Bytes())
	require.NoError(t, err)
	require.NoError(t, z.Close())

	diffID = digest(whole.Bytes())
	config := fmt.Appendf(nil, `{"rootfs":{"type":"layers","diff_ids":[%q]}}`, diffID)
	id = digest(config)
	put(config, "image/overlay2/imagedb/content/sha256", hexOf(id))
	put([]byte(cache), "image/overlay2/layerdb/sha256", hexOf(diffID), "cache-id")
	put([]byte(diffID), "image/overlay2/layerdb/sha256", hexOf(diffID), "diff")
	put(packed.Bytes(), "image/overlay2/layerdb/sha256", hexOf(diffID), "tar-split.json.gz")
	return whole.Bytes(), id, diffID
}

func TestALayerReadsAsItsTarAtAnyOffset(t *testing.T) {
	folder := t.TempDir()
	want, id, diffID := write(t, folder)
	img, err := Find(folder, "overlay2", id, []string{diffID})
	require.NoError(t, err)
	require.Equal(t, int64(len(want)), img.Parts()[0].Size)
	r, err := img.OpenLayer(0, false)
	require.NoError(t, err)
	for _, piece := range []int{1, 7, 512, len(want)} {
		for at := 0; at < len(want); at += piece {
			got := make([]byte, piece)
			n, err := r.ReadAt(got, int64(at))
			require.Equal(t, want[at:min(at+piece, len(want))], got[:n])
			require.Equal(t, at+piece > len(want), err == io.EOF)
		}
	}
	require.NoError(t, r.Close())

	headers, err := img.OpenLayer(0, true)
	require.NoError(t, err)
	tr := tar.NewReader(io.NewSectionReader(headers, 0, int64(len(want))))
	for _, name := range []string{"etc/a", "etc/b"} {
		h, err := tr.Next()
		require.NoError(t, err)
		require.Equal(t, name, h.Name)
	}
	require.NoError(t, headers.Close())
}

func TestAFolderThatIsNotAsDockerLeftItIsNotBelieved(t *testing.T) {
	for name, spoil := range map[string]func(folder, diffID string) string{
		"no recipe": func(f, d string) string {
			return remove(t, f, "image/overlay2/layerdb/sha256", hexOf(d), "tar-split.json.gz")
		},
		"no layer": func(f, d string) string { return remove(t, f, "image/overlay2/layerdb/sha256", hexOf(d), "diff") },
		"damaged recipe": func(f, d string) string {
			return garble(t, f, "image/overlay2/layerdb/sha256", hexOf(d), "tar-split.json.gz")
		},
		"of another layer": func(f, d string) string { return garble(t, f, "image/overlay2/layerdb/sha256", hexOf(d), "diff") },
		"cache ID upwards": func(f, d string) string {
			p := filepath.Join(f, "image/overlay2/layerdb/sha256", hexOf(d), "cache-id")
			require.NoError(t, os.WriteFile(p, []byte("../../../../etc"), 0o644))
			return p
		},
	} {
		folder := t.TempDir()
		_, id, diffID := write(t, folder)
		spoil(folder, diffID)
		_, err := Find(folder, "overlay2", id, []string{diffID})
		require.ErrorIs(t, err, ErrNotHere, name)
	}
	folder := t.TempDir()
	want, id, diffID := write(t, folder)
	img, err := Find(folder, "overlay2", id, []string{diffID})
	require.NoError(t, err)
	file := filepath.Join(folder, "overlay2/0123456789abcdef/diff/etc/a")
	for name, change := range map[string]func() error{
		"cut":            func() error { return os.WriteFile(file, []byte("f"), 0o644) },
		"a link outside": func() error { return os.Symlink("/etc/passwd", file) },
	} {
		require.NoError(t, os.Remove(file))
		require.NoError(t, change(), name)
		r, err := img.OpenLayer(0, false)
		require.NoError(t, err)
		_, err = r.ReadAt(make([]byte, len(want)), 0)
		require.Error(t, err, name)
		require.NoError(t, r.Close())
	}
}

func remove(t *testing.T, names ...string) string {
	p := filepath.Join(names...)
	require.NoError(t, os.Remove(p))
	return p
}

func garble(t *testing.T, names ...string) string {
	p := filepath.Join(names...)
	require.NoError(t, os.WriteFile(p, []byte("nonsense"), 0o644))
	return p
}
