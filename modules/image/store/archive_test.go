package store

import (
	"bytes"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var twoLayers = make1("corp/antdb:1", "base", "top")

// kinds are archives of one image as the engines write it.
var kinds = map[string][]file{
	"docker to 24":            classic(twoLayers),
	"docker from 25":          modern(plain, twoLayers),
	"docker with containerd":  modern(gzipOf, twoLayers),
	"oci":                     layoutOf(plain, twoLayers),
	"oci, gzip layers":        layoutOf(gzipOf, twoLayers),
	"oci, zstd layers":        layoutOf(zstdOf, twoLayers),
	"podman":                  flat("%s.json", "%s.tar", plain, twoLayers),
	"go-containerregistry":    flat("sha256:%s", "%s.tar.gz", gzipOf, twoLayers),
	"a name of its own":       flat("config.json%.0s", "%.8s.tar", plain, twoLayers),
	"tar . of docker to 24":   dotted(classic(twoLayers)),
	"tar . of docker from 25": dotted(modern(plain, twoLayers)),
}

var packings = map[string]func([]byte) []byte{"plain": plain, "gzip": gzipOf, "zstd": zstdOf}

func TestArchivesOfEveryEraGiveTheSameImage(t *testing.T) {
	for kind, files := range kinds {
		for packing, pack := range packings {
			archive := pack(tarOf(files...))
			t.Run(kind+" "+packing, func(t *testing.T) {
				t.Parallel()
				s := fresh(t)
				img, err := read(t, s, archive, "")
				require.NoError(t, err)
				require.Equal(t, twoLayers.id(), img.ID)
				require.Equal(t, twoLayers.names, img.Names)
				holds(t, s, twoLayers)
				again, err := read(t, s, archive, "")
				require.NoError(t, err)
				require.Equal(t, img, again)
				holds(t, s, twoLayers)
			})
		}
		t.Run(kind+" streamed", func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			img, err := s.Ingest(t.Context(), bytes.NewReader(tarOf(files...)), "")
			require.NoError(t, err)
			require.Equal(t, twoLayers.id(), img.ID)
			holds(t, s, twoLayers)
		})
		t.Run(kind+" in a folder", func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			img, err := s.ReadArchive(t.Context(), lay(t, files), "", func(int64, int64) {})
			require.NoError(t, err)
			require.Equal(t, twoLayers.id(), img.ID)
			holds(t, s, twoLayers)
		})
	}
}

func TestALayerThatComesTwiceIsALinkInAClassicArchive(t *testing.T) {
	a, b := make1("a:1", "base", "a"), make1("b:1", "base", "b", "base")
	for packing, pack := range packings {
		t.Run(packing, func(t *testing.T) {
			t.Parallel()
			s := fresh(t)
			img, err := read(t, s, pack(tarOf(classic(a, b)...)), "b:1")
			require.NoError(t, err)
			require.Equal(t, b.id(), img.ID)
			require.Len(t, img.Layers, 3)
			holds(t, s, b)
		})
	}
}

func TestOfSeveralImagesOneIsPicked(t *testing.T) {
	a, b, unnamed := make1("corp/a:1", "x"), make1("docker.io/library/b:2", "x", "y"), make1("", "z")
	for kind, files := range map[string][]file{
		"classic": classic(a, b, unnamed), "modern": modern(plain, a, b, unnamed), "oci": layoutOf(gzipOf, a, b, unnamed),
	} {
		for packing, pack := range packings {
			t.Run(kind+" "+packing, func(t *testing.T) {
				t.Parallel()
				archive := pack(tarOf(files...))
				for pick, want := range map[string]made{
					"corp/a:1": a, "docker.io/corp/a:1": a, "b:2": b, "docker.io/library/b:2": b, a.id(): a, hexOf(unnamed.config)[:12]: unnamed,
				} {
					s := fresh(t)
					img, err := read(t, s, archive, pick)
					require.NoError(t, err, pick)
					require.Equal(t, want.id(), img.ID, pick)
					holds(t, s, want)
				}
				s := fresh(t)
				_, err := read(t, s, archive, "")
				require.ErrorContains(t, err, "x.tar: the archive holds 3 images: corp/a:1; ")
				require.ErrorContains(t, err, "; unnamed "+hexOf(unnamed.config)[:12])
				require.Contains(t, remedy(t, err), `adding "#" and its name`)
				_, err = read(t, s, archive, "c:1")
				require.ErrorContains(t, err, "the archive has no image c:1")
				require.Contains(t, remedy(t, err), "corp/a:1")
				holds(t, s)
			})
		}
	}
}

func TestTheSameImageUnderTwoNamesIsOneImage(t *testing.T) {
	a, b := make1("a:1", "x"), make1("b:1", "x")
	for _, files := range [][]file{classic(a, b), layoutOf(plain, a, b)} {
		img, err := read(t, fresh(t), tarOf(files...), "")
		require.NoError(t, err)
		require.Equal(t, []string{"a:1", "b:1"}, img.Names)
	}
}

func TestAnIndexOfPlatformsGivesTheOneThatIsThere(t *testing.T) {
	amd, arm := make1("x:1", "amd"), make1("x:1", "arm")
	arm.config = configOf("arm64", arm.layers)
	files := layoutOf(gzipOf, amd, arm)
	inner := map[string]any{"manifests": []any{
		map[string]any{"digest": manifestOf(files, amd), "platform": map[string]string{"os": "linux", "architecture": "amd64"}},
		map[string]any{"digest": manifestOf(files, arm), "platform": map[string]string{"os": "linux", "architecture": "arm64", "variant": "v8"}},
		map[string]any{"digest": sumOf([]byte("elsewhere")), "platform": map[string]string{"os": "linux", "architecture": "s390x"}},
		map[string]any{"digest": sumOf([]byte("note")), "annotations": map[string]string{"vnd.docker.reference.type": "attestation-manifest"}},
	}}
	list := jsonOf(inner)
	files = append(without(files, "index.json"), file{name: ociPath(sumOf(list)), data: list}, file{name: "index.json", data: jsonOf(map[string]any{
		"manifests": []any{map[string]any{"digest": sumOf(list), "annotations": map[string]string{"io.containerd.image.name": "docker.io/library/x:1"}}},
	})})
	s := fresh(t)
	img, err := read(t, s, tarOf(files...), hexOf(arm.config)[:8])
	require.NoError(t, err)
	require.Equal(t, arm.id(), img.ID)
	require.Equal(t, []string{"docker.io/library/x:1"}, img.Names)
	mine, err := read(t, fresh(t), tarOf(files...), "x:1")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"amd64": amd.id(), "arm64": arm.id()}[runtime.GOARCH], mine.ID, "of this machine")
	_, err = read(t, s, tarOf(files...), "y:1")
	require.Contains(t, remedy(t, err), "docker.io/library/x:1 (linux/arm64/v8)")
	holds(t, s, arm)
}

// manifestOf finds the manifest of an image in its layout.
func manifestOf(files []file, m made) string {
	for _, f := range files {
		if bytes.Contains(f.data, []byte(`"config":{`)) && bytes.Contains(f.data, []byte(m.id())) {
			return sumOf(f.data)
		}
	}
	return ""
}

func TestAnImageWithoutLayersIsAnImage(t *testing.T) {
	m := make1("settings:1")
	for _, files := range [][]file{classic(m), modern(plain, m), layoutOf(plain, m)} {
		img, err := read(t, fresh(t), tarOf(files...), "")
		require.NoError(t, err)
		require.Empty(t, img.Layers)
	}
}

func TestProgressEndsWithTheWholeFile(t *testing.T) {
	archive := tarOf(modern(plain, twoLayers)...)
	name := lay(t, []file{{name: "x.tar", data: archive}}) + "/x.tar"
	last, total := int64(0), int64(0)
	_, err := fresh(t).ReadArchive(t.Context(), name, "", func(n, of int64) {
		require.GreaterOrEqual(t, n, last)
		last, total = n, of
	})
	require.NoError(t, err)
	require.EqualValues(t, len(archive), total)
	require.Equal(t, total, last)
}

func TestAnArchiveIsReadOnceWhileItIsTheSame(t *testing.T) {
	s := fresh(t)
	other := make1("corp/antdb:1", "base", "tip")
	archive, changed := tarOf(classic(twoLayers)...), tarOf(classic(other)...)
	require.Len(t, changed, len(archive))
	name := lay(t, []file{{name: "x.tar", data: archive}}) + "/x.tar"
	past := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(name, past, past))
	reads := 0
	open := func() *Image {
		reads = 0
		img, err := s.ReadArchive(t.Context(), name, "", func(int64, int64) { reads++ })
		require.NoError(t, err)
		return img
	}
	first := open()
	require.NotZero(t, reads)
	require.Equal(t, first, open())
	require.Zero(t, reads)

	require.NoError(t, os.WriteFile(name, changed, 0o600))
	require.NoError(t, os.Chtimes(name, past, past))
	require.Equal(t, other.id(), open().ID, "other bytes under the same size and time")
	require.Equal(t, other.id(), open().ID)
	require.Zero(t, reads)

	require.NoError(t, os.Remove(s.file(other.id())))
	require.Equal(t, other.id(), open().ID, "the store forgot it")
	require.NotZero(t, reads)
}
