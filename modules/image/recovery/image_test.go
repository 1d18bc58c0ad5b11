package recovery

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// row is a row of an image's history with the entries of its layer; without
// entries it has none.
type row struct {
	by      string
	entries []tar.Header // a regular file's content is its Linkname
}

func file(name, content string, mode int64, owner int) tar.Header {
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Linkname: content, Mode: mode, Uid: owner, Gid: owner}
}

func dir(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755}
}

func layerOf(t *testing.T, entries []tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	tw := tar.NewWriter(&b)
	for _, h := range entries {
		content := ""
		if h.Typeflag == tar.TypeReg {
			content, h.Linkname, h.Size = h.Linkname, "", int64(len(h.Linkname))
		}
		h.ModTime = time.Unix(1e9, 0)
		require.NoError(t, tw.WriteHeader(&h))
		_, err := io.WriteString(tw, content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return b.Bytes()
}

// imageOf makes an image of rows.
func imageOf(t *testing.T, config v1.Config, rows ...row) *store.Image {
	t.Helper()
	body := v1.ConfigFile{Architecture: "amd64", OS: "linux", Config: config, RootFS: v1.RootFS{Type: "layers", DiffIDs: []v1.Hash{}}}
	archive := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(archive)
	require.NoError(t, err)
	tw := tar.NewWriter(f)
	add := func(name string, content []byte) {
		require.NoError(t, tw.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}))
		_, err := tw.Write(content)
		require.NoError(t, err)
	}
	var layers []string
	for _, r := range rows {
		body.History = append(body.History, v1.History{CreatedBy: r.by, EmptyLayer: r.entries == nil})
		if r.entries == nil {
			continue
		}
		content := layerOf(t, r.entries)
		digest := fmt.Sprintf("%x", sha256.Sum256(content))
		body.RootFS.DiffIDs = append(body.RootFS.DiffIDs, v1.Hash{Algorithm: "sha256", Hex: digest})
		layers = append(layers, digest+"/layer.tar")
		add(digest+"/layer.tar", content)
	}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	name := fmt.Sprintf("%x.json", sha256.Sum256(text))
	add(name, text)
	manifest, err := json.Marshal([]store.Entry{{Config: name, Layers: layers}})
	require.NoError(t, err)
	add("manifest.json", manifest)
	require.NoError(t, tw.Close())
	require.NoError(t, f.Close())
	s, err := store.At(t.TempDir())
	require.NoError(t, err)
	stored, err := s.ReadArchive(t.Context(), archive, "", func(int64, int64) {})
	require.NoError(t, err)
	return stored
}

// recovered recovers an image, and gives the Dockerfile's text from the FROM
// line on and the files by name: mode and content.
func recovered(t *testing.T, img *store.Image, o Options) (text string, files map[string]string) {
	t.Helper()
	root := filepath.Join(t.TempDir(), "out")
	o.Of = "a test"
	result, err := FromImage(t.Context(), img, root, o)
	require.NoError(t, err)
	text = result.Dockerfile.String()
	text = text[bytes.Index([]byte(text), []byte("FROM ")):]
	files = map[string]string{}
	err = filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, p)
		require.NoError(t, err)
		if d.Type()&fs.ModeSymlink != 0 {
			link, err := os.Readlink(p)
			files[name] = "-> " + link
			return err
		}
		info, err := d.Info()
		require.NoError(t, err)
		content, err := os.ReadFile(p)
		files[name] = info.Mode().String() + " " + string(content)
		return err
	})
	if !os.IsNotExist(err) {
		require.NoError(t, err)
	}
	return text, files
}

const sum = "9cbf3b8c13d54459e430a65d7c520515a793b316673b6ed77c48a72b7554652e"

func TestFilesOfCopyComeOutOfTheirLayers(t *testing.T) {
	base := row{"/bin/sh -c #(nop) ADD file:" + sum + " in / ", []tar.Header{dir("etc"), file("etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n", 0o644, 0)}}
	cmd := row{`/bin/sh -c #(nop)  CMD ["sh"]`, nil}
	for name, c := range map[string]struct {
		by      string
		entries []tar.Header
		line    string
		files   map[string]string
	}{
		"a named file": {
			"COPY conf/a.conf /etc/ # buildkit", []tar.Header{dir("etc"), file("etc/a.conf", "x", 0o600, 0)},
			"COPY conf/a.conf /etc/", map[string]string{"conf/a.conf": "-rw------- x"},
		},
		"a named file under another name": {
			"COPY conf/a.conf /etc/b.conf # buildkit", []tar.Header{dir("etc"), file("etc/b.conf", "x", 0o644, 0)},
			"COPY conf/a.conf /etc/b.conf", map[string]string{"conf/a.conf": "-rw-r--r-- x"},
		},
		"a named folder": {
			"COPY bin /opt/bin # buildkit", []tar.Header{dir("opt"), dir("opt/bin"), file("opt/bin/a", "x", 0o755, 0), {Typeflag: tar.TypeSymlink, Name: "opt/bin/l", Linkname: "../../etc/passwd"}},
			"COPY bin /opt/bin", map[string]string{"bin/a": "-rwxr-xr-x x", "bin/l": "-> ../../etc/passwd"},
		},
		"an owner that BuildKit does not show": {
			"COPY a /a # buildkit", []tar.Header{file("a", "x", 0o644, 26)},
			"COPY --chown=26:26 a /a", map[string]string{"a": "-rw-r--r-- x"},
		},
		"a checksum": {
			"/bin/sh -c #(nop) COPY file:" + sum + " in /etc/a.conf ", []tar.Header{dir("etc"), file("etc/a.conf", "x", 0o644, 0)},
			"COPY files/etc/a.conf /etc/a.conf", map[string]string{"files/etc/a.conf": "-rw-r--r-- x"},
		},
		"a checksum of a folder with one file": {
			"/bin/sh -c #(nop) COPY dir:" + sum + " in /opt/new ", []tar.Header{dir("opt"), dir("opt/new"), file("opt/new/a", "x", 0o644, 0)},
			"COPY files/opt/new/ /opt/new/", map[string]string{"files/opt/new/a": "-rw-r--r-- x"},
		},
		"a checksum of a file that went into a folder": {
			"/bin/sh -c #(nop) COPY file:" + sum + " in /etc ", []tar.Header{dir("etc"), file("etc/a", "x", 0o644, 0)},
			"COPY files/etc/a /etc/", map[string]string{"files/etc/a": "-rw-r--r-- x"},
		},
		"a checksum of many": {
			"/bin/sh -c #(nop) COPY multi:" + sum + " in /opt/ ", []tar.Header{dir("opt"), file("opt/a", "x", 0o644, 0), file("opt/b", "y", 0o644, 0)},
			"COPY files/opt/ /opt/", map[string]string{"files/opt/a": "-rw-r--r-- x", "files/opt/b": "-rw-r--r-- y"},
		},
		"the whole context": {
			"COPY . /app # buildkit", []tar.Header{dir("app"), file("app/a", "x", 0o644, 0), file("app/Dockerfile", "FROM y", 0o644, 0)},
			"COPY files/app/ /app/", map[string]string{"files/app/a": "-rw-r--r-- x", "files/app/Dockerfile": "-rw-r--r-- FROM y"},
		},
		"a wildcard": {
			"COPY *.conf /etc/ # buildkit", []tar.Header{dir("etc"), file("etc/a.conf", "x", 0o644, 0), file("etc/b.conf", "y", 0o644, 0)},
			"COPY files/etc/ /etc/", map[string]string{"files/etc/a.conf": "-rw-r--r-- x", "files/etc/b.conf": "-rw-r--r-- y"},
		},
		"a download": {
			"ADD https://example.com/x/y.jar /lib/ # buildkit", []tar.Header{dir("lib"), file("lib/y.jar", "x", 0o600, 0)},
			"ADD files/lib/y.jar /lib/", map[string]string{"files/lib/y.jar": "-rw------- x"},
		},
		"a link on the way": {
			"COPY a /var/run/ # buildkit", []tar.Header{dir("run"), file("run/a", "x", 0o644, 0)},
			"COPY a /run", map[string]string{"a": "-rw-r--r-- x"},
		},
		"hard links": {
			"COPY bin /b # buildkit", []tar.Header{dir("b"), file("b/one", "x", 0o755, 0), {Typeflag: tar.TypeLink, Name: "b/two", Linkname: "b/one"}},
			"COPY bin /b", map[string]string{"bin/one": "-rwxr-xr-x x", "bin/two": "-rwxr-xr-x x"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			text, files := recovered(t, imageOf(t, v1.Config{}, base, cmd, row{c.by, c.entries}), Options{})
			require.Contains(t, text, "FROM alpine:3.20.1\n")
			require.Contains(t, text, "\n"+c.line+"\n")
			require.Equal(t, c.files, files)
		})
	}
}

func TestFilesThatCopyCannotMakeComeInAnArchive(t *testing.T) {
	for name, c := range map[string]struct {
		by      string
		entries []tar.Header
		line    string
	}{
		"two owners":              {"COPY bin /b # buildkit", []tar.Header{dir("b"), file("b/one", "x", 0o755, 1), file("b/two", "x", 0o755, 2)}, "ADD files/b.tar /"},
		"an archive taken apart":  {"ADD pg.tar.gz /opt/ # buildkit", []tar.Header{dir("opt"), dir("opt/pg"), file("opt/pg/one", "x", 0o755, 0)}, "ADD pg.tar /"},
		"a device":                {"COPY bin /b # buildkit", []tar.Header{dir("b"), {Typeflag: tar.TypeChar, Name: "b/null", Devmajor: 1, Devminor: 3}}, "ADD files/b.tar /"},
		"a commit":                {"/bin/bash", []tar.Header{file("one", "x", 0o755, 0)}, "ADD files/layer02.tar /"},
		"another tool":            {"bazel build ...", []tar.Header{file("one", "x", 0o755, 0)}, "ADD files/layer02.tar /"},
		"a commit with a removal": {"", []tar.Header{file(".wh.gone", "", 0, 0), file("one", "x", 0o755, 0)}, "RUN [\"rm\", \"-rf\", \"--\", \"/gone\"]\n\n"},
	} {
		t.Run(name, func(t *testing.T) {
			text, files := recovered(t, imageOf(t, v1.Config{}, row{"ADD rootfs.tar.gz / # buildkit", []tar.Header{dir("bin")}}, row{`CMD ["sh"]`, nil}, row{c.by, c.entries}), Options{Base: "base:1"})
			require.Contains(t, text, "\n"+c.line)
			require.Len(t, files, 1)
		})
	}
}

func TestTwoSourcesOfOneNameAreKeptApart(t *testing.T) {
	text, files := recovered(t, imageOf(t, v1.Config{},
		row{"ADD rootfs.tar.gz / # buildkit", []tar.Header{dir("bin")}}, row{`CMD ["sh"]`, nil},
		row{"COPY a /one # buildkit", []tar.Header{file("one", "1", 0o644, 0)}},
		row{"COPY a /two # buildkit", []tar.Header{file("two", "2", 0o644, 0)}},
		row{"COPY a /three # buildkit", []tar.Header{file("three", "1", 0o644, 0)}},
	), Options{Base: "base:1"})
	require.Contains(t, text, "COPY a /one\n")
	require.Contains(t, text, "COPY files/two /two\n")
	require.Contains(t, text, "COPY a /three\n")
	require.Equal(t, map[string]string{"a": "-rw-r--r-- 1", "files/two": "-rw-r--r-- 2"}, files)
}

func TestHostileLayersDoNotLeaveTheContext(t *testing.T) {
	base := []row{{"ADD rootfs.tar.gz / # buildkit", []tar.Header{dir("bin")}}, {`CMD ["sh"]`, nil}}
	_, files := recovered(t, imageOf(t, v1.Config{}, append(base,
		row{"COPY ../../d /d # buildkit", []tar.Header{file("../../d/up", "x", 0o644, 0), file("/d/abs", "y", 0o644, 0)}})...), Options{Base: "base:1"})
	require.Equal(t, map[string]string{"files/d/up": "-rw-r--r-- x", "files/d/abs": "-rw-r--r-- y"}, files)

	away := t.TempDir()
	img := imageOf(t, v1.Config{}, append(base, row{"COPY d /d # buildkit", []tar.Header{
		{Typeflag: tar.TypeSymlink, Name: "d/l", Linkname: away}, file("d/l/through", "x", 0o644, 0),
	}})...)
	_, err := FromImage(t.Context(), img, filepath.Join(t.TempDir(), "out"), Options{Base: "base:1"})
	require.ErrorContains(t, err, "/d/l/through below /d/l, which is no folder")

	img = imageOf(t, v1.Config{}, append(base,
		row{"COPY d /one # buildkit", []tar.Header{{Typeflag: tar.TypeSymlink, Name: "one", Linkname: away}}},
		row{"COPY d/x /two # buildkit", []tar.Header{file("two", "x", 0o644, 0)}},
	)...)
	text, files := recovered(t, img, Options{Base: "base:1"})
	require.Contains(t, text, "COPY files/two /two\n")
	require.Equal(t, map[string]string{"d": "-> " + away, "files/two": "-rw-r--r-- x"}, files)

	entries, err := os.ReadDir(away)
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestImagesWhoseHistoryDoesNotMatchAreSaidToBeSo(t *testing.T) {
	img := imageOf(t, v1.Config{User: "26"}, row{"ADD rootfs.tar.gz / # buildkit", []tar.Header{dir("bin")}}, row{"COPY a /a # buildkit", nil})
	result, err := FromImage(t.Context(), img, filepath.Join(t.TempDir(), "out"), Options{Of: "x", Base: "base:1"})
	require.NoError(t, err)
	require.Contains(t, result.Dockerfile.String(), "USER 26")
	require.Equal(t, []string{"a  (COPY /a)"}, result.Dockerfile.Needs)

	_, err = FromImage(t.Context(), imageOf(t, v1.Config{}), filepath.Join(t.TempDir(), "out"), Options{Of: "x"})
	require.ErrorContains(t, err, "no history")
}

func TestFlattenedBaseAsksNoRegistry(t *testing.T) {
	img := imageOf(t, v1.Config{Env: []string{"A=1"}},
		row{"ADD rootfs.tar.gz / # buildkit", []tar.Header{dir("etc"), file("etc/os-release", "ID=alpine\nVERSION_ID=3.20.1\n", 0o644, 0), file("gone", "x", 0o644, 0)}},
		row{"RUN /bin/sh -c rm /gone # buildkit", []tar.Header{file(".wh.gone", "", 0, 0)}},
		row{"ENV A=1", nil},
		row{"COPY a /a # buildkit", []tar.Header{file("a", "x", 0o644, 0)}},
	)
	text, files := recovered(t, img, Options{Known: &Known{Name: "base:1", Layers: 2, Rows: 3}, Flat: true})
	require.Equal(t, "FROM scratch\nADD base.tar /\n\nENV A=1\n\nCOPY a /a\n", text)
	require.Contains(t, files["base.tar"], "etc/os-release")
	require.NotContains(t, files["base.tar"], "gone")
}

func TestSecretsAmongTheArgumentsAreWarnedOf(t *testing.T) {
	img := imageOf(t, v1.Config{}, row{"ADD rootfs.tar.gz / # buildkit", []tar.Header{dir("bin")}}, row{"ARG DB_PASSWORD=hunter2", nil})
	result, err := FromImage(t.Context(), img, filepath.Join(t.TempDir(), "out"), Options{Of: "x"})
	require.NoError(t, err)
	require.Len(t, result.Warnings, 1)
	require.Contains(t, result.Warnings[0], "DB_PASSWORD")
	require.NotContains(t, result.Warnings[0], "hunter2")
}
