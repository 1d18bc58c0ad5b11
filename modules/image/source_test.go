package image

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/modules/image/store"
)

func TestASourceIsDockerOrAnArchive(t *testing.T) {
	b := at(t, "builder")
	id := image(t, b, "corp/source:1", layered("source"))
	env := moduletest.Env(t, b)
	b.do(t, "docker", "save", "-o", filepath.Join(env.Dir, "named.tar"), "corp/source:1")
	b.do(t, "docker", "save", "-o", filepath.Join(env.Dir, "unnamed#1.tar"), id)
	b.do(t, "sh", "-c", `cd "$1" && gzip -k named.tar && zstd -q named.tar && mkdir folder && tar -C folder -xf named.tar`, "sh", env.Dir)
	require.NoError(t, os.Rename(filepath.Join(env.Dir, "named.tar.gz"), filepath.Join(env.Dir, "packed")))

	fromDocker, err := openSource(t.Context(), env, "corp/source:1", "")
	require.NoError(t, err)
	require.Equal(t, id, fromDocker.ID)
	for _, archive := range []string{"named.tar", "packed", "named.tar.zst", "unnamed#1.tar", "folder", "named.tar#corp/source:1", "packed#" + id, filepath.Join(env.Dir, "named.tar")} {
		t.Run(archive, func(t *testing.T) {
			t.Setenv("XDG_CACHE_HOME", t.TempDir())
			img, err := openSource(t.Context(), env, "", archive)
			require.NoError(t, err)
			require.Equal(t, id, img.ID)
			require.Equal(t, fromDocker.Layers, img.Layers)
			config, err := img.ConfigFile()
			require.NoError(t, err)
			require.Len(t, config.RootFS.DiffIDs, len(img.Layers))
		})
	}
}

func TestASourceOfSeveralImagesMustBePicked(t *testing.T) {
	b := at(t, "builder")
	one, two := image(t, b, "corp/several:1", layered("several one")), image(t, b, "corp/several:2", layered("several two"))
	require.NotEqual(t, one, two)
	env := moduletest.Env(t, b)
	b.do(t, "docker", "save", "-o", filepath.Join(env.Dir, "two.tar"), "corp/several:1", "corp/several:2")
	_, err := openSource(t.Context(), env, "", "two.tar")
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "archive", arg.Arg)
	require.ErrorContains(t, err, "two.tar: the archive holds 2 images: corp/several:1; corp/several:2")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, "pick one")
	img, err := openSource(t.Context(), env, "", "two.tar#corp/several:2")
	require.NoError(t, err)
	require.Equal(t, two, img.ID)
}

func TestASourceThatIsNoneSaysWhichArgument(t *testing.T) {
	env := moduletest.Env(t, nil)
	require.NoError(t, os.WriteFile(filepath.Join(env.Dir, "text"), []byte(strings.Repeat("FROM x\n", 100)), 0o600))
	for _, c := range []struct{ image, archive, arg, want string }{
		{"", "", "image", "set image or archive"},
		{"a:1", "a.tar", "archive", "not both"},
		{"", "none.tar", "archive", "there is no file"},
		{"", "text", "archive", "it is a text"},
	} {
		_, err := openSource(t.Context(), env, c.image, c.archive)
		var arg *module.ArgError
		require.ErrorAs(t, err, &arg)
		require.Equal(t, c.arg, arg.Arg)
		require.ErrorContains(t, err, c.want)
	}
	s, err := store.Open()
	require.NoError(t, err)
	left, err := filepath.Glob(filepath.Join(s.Dir(), "incoming-*"))
	require.NoError(t, err)
	require.Empty(t, left)
}
