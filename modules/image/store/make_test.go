package store

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
)

// made is an image by hand: the bytes of its parts.
type made struct {
	names  []string
	config []byte
	layers [][]byte // tars
}

// make1 makes an image whose layers hold a file each, with these contents.
func make1(name string, contents ...string) made {
	m := made{}
	if name != "" {
		m.names = []string{name}
	}
	for i, c := range contents {
		m.layers = append(m.layers, tarOf(file{name: fmt.Sprintf("etc/f%d", i), data: []byte(c)}))
	}
	m.config = configOf("amd64", m.layers)
	return m
}

func configOf(arch string, layers [][]byte) []byte {
	ids := []string{}
	for _, l := range layers {
		ids = append(ids, sumOf(l))
	}
	return jsonOf(map[string]any{"architecture": arch, "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": ids}})
}

func (m made) id() string { return sumOf(m.config) }

func sumOf(b []byte) string {
	sum := sha256.Sum256(b)
	return digestOf(sum[:])
}

func hexOf(b []byte) string { return strings.TrimPrefix(sumOf(b), "sha256:") }

func jsonOf(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

// file is one file of an archive, or a symbolic link.
type file struct {
	name string
	data []byte
	link string
}

func tarOf(files ...file) []byte {
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o644, Typeflag: tar.TypeReg, Size: int64(len(f.data))}
		if f.link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, f.link, 0
		}
		if strings.HasSuffix(f.name, "/") {
			h.Typeflag, h.Mode = tar.TypeDir, 0o755
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		_, _ = w.Write(f.data)
	}
	_ = w.Close()
	return out.Bytes()
}

func gzipOf(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func zstdOf(b []byte) []byte {
	var out bytes.Buffer
	w, err := zstd.NewWriter(&out)
	if err != nil {
		panic(err)
	}
	_, _ = w.Write(b)
	_ = w.Close()
	return out.Bytes()
}

func plain(b []byte) []byte { return b }

// classic is an archive of Docker up to 24. A layer that came before is a link.
func classic(images ...made) []file {
	var out []file
	var list []Entry
	seen := map[string]string{}
	for n, m := range images {
		e := Entry{Config: hexOf(m.config) + ".json", RepoTags: m.names}
		for i, l := range m.layers {
			dir := fmt.Sprintf("%064x", n<<8+i+1)
			e.Layers = append(e.Layers, dir+"/layer.tar")
			out = append(out, file{name: dir + "/"}, file{name: dir + "/VERSION", data: []byte("1.0")}, file{name: dir + "/json", data: []byte("{}")})
			if before := seen[hexOf(l)]; before != "" {
				out = append(out, file{name: dir + "/layer.tar", link: "../" + before + "/layer.tar"})
				continue
			}
			seen[hexOf(l)] = dir
			out = append(out, file{name: dir + "/layer.tar", data: l})
		}
		out = append(out, file{name: e.Config, data: m.config})
		list = append(list, e)
	}
	return append(out, file{name: "manifest.json", data: jsonOf(list)}, file{name: "repositories", data: []byte("{}")})
}

// layoutOf is an OCI layout. pack packs the layers.
func layoutOf(pack func([]byte) []byte, images ...made) []file {
	out := []file{{name: "blobs/"}, {name: "blobs/sha256/"}}
	blob := func(b []byte) Descriptor {
		out = append(out, file{name: "blobs/sha256/" + hexOf(b), data: b})
		return Descriptor{Digest: sumOf(b), Size: int64(len(b))}
	}
	var index []Descriptor
	for _, m := range images {
		var layers []Descriptor
		for _, l := range m.layers {
			layers = append(layers, blob(pack(l)))
		}
		d := blob(jsonOf(map[string]any{"schemaVersion": 2, "mediaType": ociManifest, "config": blob(m.config), "layers": layers}))
		if len(m.names) > 0 {
			d.Annotations = map[string]string{"io.containerd.image.name": m.names[0], "org.opencontainers.image.ref.name": "1"}
		}
		index = append(index, d)
	}
	return append(out, file{name: "index.json", data: jsonOf(map[string]any{"schemaVersion": 2, "manifests": index})},
		file{name: "oci-layout", data: []byte(`{"imageLayoutVersion":"1.0.0"}`)})
}

// modern is an archive of Docker since 25: a layout with Docker's list.
func modern(pack func([]byte) []byte, images ...made) []file {
	var list []Entry
	for _, m := range images {
		e := Entry{Config: ociPath(sumOf(m.config)), RepoTags: m.names}
		for _, l := range m.layers {
			e.Layers = append(e.Layers, ociPath(sumOf(pack(l))))
		}
		list = append(list, e)
	}
	return append(layoutOf(pack, images...), file{name: "manifest.json", data: jsonOf(list)})
}

// flat is an archive as podman, skopeo and go-containerregistry write it.
func flat(config, layer string, pack func([]byte) []byte, images ...made) []file {
	var out []file
	var list []Entry
	for _, m := range images {
		e := Entry{Config: fmt.Sprintf(config, hexOf(m.config)), RepoTags: m.names}
		out = append(out, file{name: e.Config, data: m.config})
		for _, l := range m.layers {
			name := fmt.Sprintf(layer, hexOf(pack(l)))
			out = append(out, file{name: name, data: pack(l)})
			e.Layers = append(e.Layers, name)
		}
		list = append(list, e)
	}
	return append(out, file{name: "manifest.json", data: jsonOf(list)})
}

// replaced is files with another content of those of that name.
func replaced(files []file, name string, data []byte) []file {
	out := append([]file{}, files...)
	for i := range out {
		if strings.HasSuffix(out[i].name, name) {
			out[i].data = data
		}
	}
	return out
}

func without(files []file, name string) []file {
	var out []file
	for _, f := range files {
		if !strings.HasSuffix(f.name, name) {
			out = append(out, f)
		}
	}
	return out
}

func dotted(files []file) []file {
	out := []file{{name: "./"}}
	for _, f := range files {
		f.name = "./" + f.name
		out = append(out, f)
	}
	return out
}

// lay writes files to a folder.
func lay(t testing.TB, files []file) string {
	dir := t.TempDir()
	for _, f := range files {
		p := filepath.Join(dir, f.name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		switch {
		case f.link != "":
			require.NoError(t, os.Symlink(f.link, p))
		case strings.HasSuffix(f.name, "/"):
			require.NoError(t, os.MkdirAll(p, 0o755))
		default:
			require.NoError(t, os.WriteFile(p, f.data, 0o644))
		}
	}
	return dir
}

// fresh is an empty store.
func fresh(t testing.TB) Store {
	s, err := At(t.TempDir())
	require.NoError(t, err)
	return s
}

// read reads bytes as an archive in a file.
func read(t testing.TB, s Store, archive []byte, pick string) (*Image, error) {
	name := filepath.Join(t.TempDir(), "x.tar")
	require.NoError(t, os.WriteFile(name, archive, 0o600))
	return s.ReadArchive(t.Context(), name, pick, func(int64, int64) {})
}

// holds asserts that the store has the parts of the image, whole, and nothing else.
func holds(t testing.TB, s Store, images ...made) {
	t.Helper()
	want := map[string]bool{}
	for _, m := range images {
		for _, b := range append(m.layers, m.config) {
			want[hexOf(b)] = true
		}
	}
	have := map[string]bool{}
	entries, err := os.ReadDir(s.path("blobs"))
	require.NoError(t, err)
	for _, e := range entries {
		text, err := os.ReadFile(s.path("blobs", e.Name()))
		require.NoError(t, err)
		require.Equal(t, e.Name(), hexOf(text), "a part is what its name says")
		have[e.Name()] = true
	}
	require.Equal(t, want, have)
	left, err := filepath.Glob(s.path("incoming-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
