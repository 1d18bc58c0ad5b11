package image

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestLoadRefusesWhatIsNoImage(t *testing.T) {
	n := at(t, "node")
	dir := folder(t, map[string]string{"text.tar": "hello", "export/etc/passwd": "root"})
	n.do(t, "tar", "-C", dir+"/export", "-cf", dir+"/export.tar", ".")
	for path, want := range map[string]string{
		"none.tar": "there is no", "text.tar": `it is a text that begins with "hello"`, "export.tar": "the file system of a container", "export": "is no file",
	} {
		_, _, err := on[Load](t, n, `path = "`+filepath.Join(dir, path)+`"`).Check()
		var arg *module.ArgError
		require.ErrorAs(t, err, &arg)
		require.Equal(t, "path", arg.Arg)
		require.ErrorContains(t, err, want)
	}
	require.Error(t, on[Load](t, n, `path = "relative.tar"`).Validate())
}

// archives makes files of the same image in all forms that are in use.
func archives(t *testing.T, b place, name string) (dir, id string) {
	id = image(t, b, name, layered(name))
	image(t, b, name+"-other", layered(name+" other"))
	dir = t.TempDir()
	b.do(t, "sh", "-c", `cd "$1" && docker save -o docker.tar "$2" && docker save -o two.tar "$2" "$2-other" && docker save -o unnamed.tar "$3" &&
		gzip -c docker.tar >packed && zstd -q -o docker.tar.zst docker.tar && mkdir files && tar -C files -xf docker.tar && tar -C files -cf dotted.tar .`,
		"sh", dir, name, id)
	img, err := openSource(t.Context(), moduletest.Env(t, b), name, "")
	require.NoError(t, err)
	cargo, err := img.OCI(fullName(name), nil)
	require.NoError(t, err)
	text, err := io.ReadAll(io.NewSectionReader(cargo, 0, cargo.Size()))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/oci.tar", text, 0o600))
	return dir, id
}

func TestLoadTakesEveryArchive(t *testing.T) {
	b := at(t, "builder")
	n, _ := remote(t)
	for _, engine := range []string{"docker", "containerd"} {
		name := "corp/every-" + engine + ":1"
		dir, id := archives(t, b, name)
		for _, file := range []string{"docker.tar", "packed", "docker.tar.zst", "dotted.tar", "oci.tar", "unnamed.tar", "two.tar#" + name} {
			t.Run(engine+" "+file, func(t *testing.T) {
				load := `path = "` + dir + "/" + file + `"
					tags = ["` + name + `"]
					namespace = "every"
					runtime = "` + engine + `"`
				out := on[Load](t, n, load).Converge(module.Create)
				require.Equal(t, id, out.GetAttr("id").AsString())
				require.False(t, looks[Load](t, n, load).Wanted())
				require.NoError(t, on[Load](t, n, load).Destroy())
				n.do(t, "sh", "-c", `docker rmi "$1" >/dev/null 2>&1; true`, "sh", id)
			})
		}
		_, _, err := on[Load](t, n, `path = "`+dir+`/two.tar"`).Check()
		require.ErrorContains(t, err, "two.tar on test: the archive holds 2 images: "+name+"; "+name+"-other")
	}
}

func TestABadArchiveLeavesTheNodeAsItWas(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	for _, engine := range []string{"docker", "containerd"} {
		name := "corp/bad-" + engine + ":1"
		dir, _ := archives(t, b, name)
		good, err := os.ReadFile(dir + "/docker.tar")
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(dir+"/damaged.tar", []byte(strings.Replace(string(good), "the large one", "the LARGE one", 1)), 0o600))
		n.do(t, "sh", "-c", `cd "$1" && head -c "$(($(wc -c <docker.tar) / 2))" docker.tar >short.tar && head -c "$(($(wc -c <packed) - 20))" packed >short.tgz`, "sh", dir)
		common := `namespace = "bad"
			runtime = "` + engine + `"
			tags = ["corp/bad-tag:1"]`
		for _, before := range []string{"empty", "with another image of that name"} {
			if before != "empty" {
				other := layered(name + " before")
				other["lower"] = "a layer that is there does not come from the archive"
				image(t, b, name, other)
				b.do(t, "docker", "save", "-o", dir+"/before.tar", name)
				on[Load](t, n, `path = "`+dir+`/before.tar"
					`+common).Converge(module.Create)
			}
			was := names(t, n, engine)
			for _, file := range []string{"damaged.tar", "short.tar", "short.tgz"} {
				t.Run(engine+" "+file+" "+before, func(t *testing.T) {
					_, _, err := on[Load](t, n, `path = "`+dir+"/"+file+`"
						`+common).Apply()
					var arg *module.ArgError
					require.ErrorAs(t, err, &arg)
					require.Equal(t, "path", arg.Arg)
					require.Regexp(t, "archive is (damaged|cut short)", err.Error())
					require.Equal(t, was, names(t, n, engine))
				})
			}
		}
	}
}

// names are those of all images of an engine, with what they mean.
func names(t *testing.T, n place, engine string) string {
	if engine == "docker" {
		return n.do(t, "sh", "-c", "docker image ls --all --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' | sort")
	}
	return n.do(t, "sh", "-c", "ctr -n bad images ls | awk '{ print $1, $3 }' | sort")
}
