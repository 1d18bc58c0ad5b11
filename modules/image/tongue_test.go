package image

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
)

func TestTagMovesNames(t *testing.T) {
	b := at(t, "builder")
	one := image(t, b, "named:1", layered("named one"))
	args := `source = "named:1"
		tags = ["corp/named:latest", "named:stable"]`
	out := on[Tag](t, b, args).Converge(module.Create)
	require.Equal(t, one, out.GetAttr("id").AsString())
	require.Equal(t, "corp/named:latest", out.GetAttr("ref").AsString())

	two := image(t, b, "named:1", layered("named two"))
	on[Tag](t, b, args).Converge(module.Update)
	require.Equal(t, two, b.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "corp/named:latest"))

	require.NoError(t, on[Tag](t, b, args).Destroy())
	require.Equal(t, two, b.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "named:1"), "the source stays")
	require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "corp/named"))

	_, _, err := on[Tag](t, b, `source = "unnamed:1"
		tags = ["x:1"]`).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "source", arg.Arg)
}

func TestInspectTellsSettingsAndFiles(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "inspected:0", map[string]string{
		"Dockerfile":                         "FROM scratch\nCOPY root /\n",
		"root/usr/pgsql-11.5/lib/pgaudit.so": "elf", "root/usr/pgsql-11.5/lib/old.so": "old",
		"root/usr/pgsql-11": "-> pgsql-11.5", "root/lib": "-> usr/pgsql-11/lib", "root/ring": "-> ring", "root/etc/gone": "x",
	})
	id := image(t, b, "inspected:1", map[string]string{
		"Dockerfile": "FROM inspected:0\nCOPY new.so /usr/pgsql-11.5/lib/old.so\nENV PGROOT=/usr/pgsql-11 EMPTY=\nUSER 26\nWORKDIR /pgdata\n" +
			"VOLUME /pgdata\nEXPOSE 5432\nLABEL a=b\nENTRYPOINT [\"/start\"]\nCMD [\"patroni\"]\n",
		"new.so": "newer",
	})
	_, out, err := on[Inspect](t, b, `image = "inspected:1"
		paths = ["/usr/pgsql-11/lib/pgaudit.so", "/lib/old.so", "/lib", "/nothing", "/ring", "/usr/pgsql-11/lib/pgaudit.so/x"]`).Check()
	require.NoError(t, err)
	require.Equal(t, id, out.GetAttr("id").AsString())
	require.Equal(t, "amd64", out.GetAttr("arch").AsString())
	require.Equal(t, 2, out.GetAttr("layers").LengthInt()-1, "two files and a workdir")
	config := out.GetAttr("config")
	require.Equal(t, cty.ListVal([]cty.Value{cty.StringVal("/start")}), config.GetAttr("entrypoint"))
	require.Equal(t, "26", config.GetAttr("user").AsString())
	require.Equal(t, "/pgdata", config.GetAttr("workdir").AsString())
	require.Equal(t, "/usr/pgsql-11", config.GetAttr("env").AsValueMap()["PGROOT"].AsString())
	require.Equal(t, cty.ListVal([]cty.Value{cty.StringVal("5432/tcp")}), config.GetAttr("exposed"))
	require.Equal(t, "b", config.GetAttr("labels").AsValueMap()["a"].AsString())

	files := out.GetAttr("files").AsValueMap()
	is := func(p string, want File) {
		t.Helper()
		f := files[p]
		size, _ := f.GetAttr("size").AsBigFloat().Int64()
		require.Equal(t, want, File{f.GetAttr("exists").True(), f.GetAttr("type").AsString(), size, f.GetAttr("mode").AsString()}, p)
	}
	is("/usr/pgsql-11/lib/pgaudit.so", File{true, "file", 3, "0644"})
	is("/lib/old.so", File{true, "file", 5, "0644"})
	is("/lib", File{true, "directory", 0, "0755"})
	is("/nothing", File{})
	is("/ring", File{})
	is("/usr/pgsql-11/lib/pgaudit.so/x", File{})

	_, _, err = on[Inspect](t, b, `image = "uninspected:1"`).Check()
	require.ErrorContains(t, err, "no image uninspected:1")
}

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

func TestLoadRefusesWhatIsNoImage(t *testing.T) {
	n := at(t, "node")
	dir := folder(t, map[string]string{"text.tar": "hello"})
	for path, want := range map[string]string{dir + "/none.tar": "there is no", dir + "/text.tar": "no image archive"} {
		_, _, err := on[Load](t, n, `path = "`+path+`"`).Check()
		var arg *module.ArgError
		require.ErrorAs(t, err, &arg)
		require.Equal(t, "path", arg.Arg)
		require.ErrorContains(t, err, want)
	}
	require.Error(t, on[Load](t, n, `path = "relative.tar"`).Validate())
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

func TestChecksChangeNothing(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "looked:1", layered("looked"))
	dir := folder(t, map[string]string{"Dockerfile": "FROM looked:1\nCOPY a /a\n", "a": "a"})
	archive := filepath.Join(dir, "looked.tar")
	b.do(t, "docker", "save", "-o", archive, "looked:1")
	require.True(t, looks[Build](t, b, `context = "`+dir+`"
		tags = ["looked:2"]`).Wanted())
	require.True(t, looks[Tag](t, b, `source = "looked:1"
		tags = ["looked:3"]`).Wanted())
	require.False(t, looks[Inspect](t, b, `image = "looked:1"
		paths = ["/upper"]`).Wanted())
	require.True(t, looks[Save](t, b, `image = "looked:1"
		path = "`+dir+`/other.tar"`).Wanted())
	require.False(t, looks[Load](t, b, `path = "`+archive+`"`).Wanted())
	for _, engine := range []string{"auto", "docker"} {
		require.False(t, looks[Ship](t, b, `from = builder
			image = "looked:1"
			runtime = "`+engine+`"`).Wanted())
	}
	require.True(t, looks[Ship](t, b, `from = builder
		image = "looked:1"
		runtime = "containerd"`).Wanted())
}
