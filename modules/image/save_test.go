package image

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

func TestSaveAndLoad(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	for _, file := range []string{"image.tar", "image.tar.gz"} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), file)
			name := "corp/saved-" + strings.ReplaceAll(file, ".", "-") + ":1"
			id := image(t, b, name, layered(file+" one"))
			save := `image = "` + name + `"
				path = "` + path + `"`
			saved := on[Save](t, b, save).Converge(module.Create)
			require.Equal(t, id, saved.GetAttr("id").AsString())
			require.True(t, strings.HasPrefix(n.do(t, "sha256sum", path), saved.GetAttr("sha256").AsString()))

			load := `path = "` + path + `"
				tags = ["` + name + `-loaded"]`
			loaded := on[Load](t, n, load).Converge(module.Create)
			require.Equal(t, id, loaded.GetAttr("id").AsString())
			require.Equal(t, id, n.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", name+"-loaded"))
			on[Load](t, n, load+`
				runtime   = "containerd"
				namespace = "`+strings.ReplaceAll(file, ".", "-")+`"`).Converge(module.Create)

			image(t, b, name, layered(file+" two"))
			on[Save](t, b, save).Converge(module.Replace)
			on[Load](t, n, load).Converge(module.Update)
			require.NoError(t, on[Load](t, n, load).Destroy())
			require.Empty(t, n.do(t, "docker", "image", "ls", "-q", strings.TrimSuffix(name, ":1")))
			require.NoError(t, on[Save](t, b, save).Destroy())
			require.NoFileExists(t, path)
		})
	}
}

func TestSaveTellsOfAFolderThatIsMissing(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "nofolder:1", layered("x"))
	_, _, err := on[Save](t, b, `image = "nofolder:1"
		path = "/no/such/folder/x.tar"`).Apply()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "path", arg.Arg)
}
