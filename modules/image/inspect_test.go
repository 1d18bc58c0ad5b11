package image

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
)

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
	is := func(p string, want Found) {
		t.Helper()
		f := files[p]
		size, _ := f.GetAttr("size").AsBigFloat().Int64()
		require.Equal(t, want, Found{Exists: f.GetAttr("exists").True(), Type: f.GetAttr("type").AsString(), Size: size, Mode: f.GetAttr("mode").AsString()}, p)
	}
	is("/usr/pgsql-11/lib/pgaudit.so", Found{Exists: true, Type: "file", Size: 3, Mode: "0644"})
	is("/lib/old.so", Found{Exists: true, Type: "file", Size: 5, Mode: "0644"})
	is("/lib", Found{Exists: true, Type: "directory", Size: 0, Mode: "0755"})
	is("/nothing", Found{})
	is("/ring", Found{})
	is("/usr/pgsql-11/lib/pgaudit.so/x", Found{})

	_, _, err = on[Inspect](t, b, `image = "uninspected:1"`).Check()
	require.ErrorContains(t, err, "no image uninspected:1")
}
