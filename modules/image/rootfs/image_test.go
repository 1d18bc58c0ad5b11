package rootfs

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// item is an entry of a hand-made layer: "NAME CONTENT" is a file, "NAME/" a
// folder, "NAME -> TARGET" a symbolic link, "NAME => TARGET" a hard one.
func item(s string) (*tar.Header, string) {
	if name, link, ok := strings.Cut(s, " -> "); ok {
		return &tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: link, Mode: 0o777}, ""
	}
	if name, link, ok := strings.Cut(s, " => "); ok {
		return &tar.Header{Name: name, Typeflag: tar.TypeLink, Linkname: link, Mode: 0o644}, ""
	}
	if strings.HasSuffix(s, "/") {
		return &tar.Header{Name: s, Typeflag: tar.TypeDir, Mode: 0o755}, ""
	}
	name, content, _ := strings.Cut(s, " ")
	return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}, content
}

// layer makes a tar of items.
func layer(t testing.TB, items ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	for _, s := range items {
		h, content := item(s)
		require.NoError(t, tw.WriteHeader(h))
		_, err := io.WriteString(tw, content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return out.Bytes()
}

// imageOf puts an image of these layers into a store.
func imageOf(t testing.TB, layers ...[]byte) *store.Image {
	t.Helper()
	s, err := store.At(t.TempDir())
	require.NoError(t, err)
	digests := []string{}
	for _, l := range layers {
		b, err := s.Put(bytes.NewReader(l))
		require.NoError(t, err)
		digests = append(digests, b.Digest)
	}
	config, err := json.Marshal(map[string]any{"os": "linux", "architecture": "amd64", "rootfs": map[string]any{"type": "layers", "diff_ids": digests}})
	require.NoError(t, err)
	b, err := s.Put(bytes.NewReader(config))
	require.NoError(t, err)
	img, err := s.Lookup(b.Digest)
	require.NoError(t, err)
	return img
}

// read reads an image of layers given as items.
func read(t testing.TB, layers ...[]string) *Tree {
	t.Helper()
	var tars [][]byte
	for _, items := range layers {
		tars = append(tars, layer(t, items...))
	}
	tree, err := Read(t.Context(), imageOf(t, tars...))
	require.NoError(t, err)
	return tree
}

// list is the tree as lines.
func list(t *Tree) []string {
	out := []string{}
	for e := range t.All() {
		out = append(out, line(e))
	}
	return out
}

func line(e Entry) string {
	switch {
	case e.IsDir():
		return e.Path + "/"
	case e.Link != "":
		return e.Path + " -> " + e.Link
	}
	return fmt.Sprintf("%s %d @%d", e.Path, e.Size, e.Layer+1)
}

// changes is what a layer does as lines.
func changes(t *Tree, n int) []string {
	out := []string{}
	for _, c := range t.Changes(n) {
		out = append(out, map[Op]string{Added: "+", Changed: "~", Deleted: "-"}[c.Op]+c.Entry.Path)
	}
	return out
}

func contentAt(t *testing.T, tree *Tree, p string) string {
	t.Helper()
	f, err := tree.Open(t.Context(), p)
	require.NoError(t, err)
	defer f.Close()
	text, err := io.ReadAll(f)
	require.NoError(t, err)
	return string(text)
}
