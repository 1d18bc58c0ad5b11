package image

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

// layers are the diff IDs of an image.
func layers(t *testing.T, b place, ref string) string {
	t.Helper()
	return b.do(t, "docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", ref)
}

func TestSameTreeGivesTheSameLayers(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			files := map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "a": "of " + kind, "dir/sub/b": "2", "dir/l": "-> sub/b"}
			one, two := folder(t, files), folder(t, files)
			past := time.Date(2003, 2, 1, 4, 5, 6, 0, time.UTC)
			require.NoError(t, os.Chtimes(filepath.Join(two, "dir/sub/b"), past, past))
			body := func(dir, more string) string {
				return `context = "` + dir + `"
					builder = "` + kind + `"
					tags = ["same-` + kind + `:1"]
					` + more
			}
			first := on[Build](t, b, body(one, "")).Converge(module.Create)
			change, _, err := on[Build](t, b, body(two, "")).Check()
			require.NoError(t, err)
			require.False(t, change.Wanted(), "another folder with the same files is the same image")

			was := layers(t, b, "same-"+kind+":1")
			b.do(t, "docker", "image", "tag", "same-"+kind+":1", "kept-"+kind+":1")
			b.do(t, "docker", "image", "rm", "same-"+kind+":1")
			cached := on[Build](t, b, body(two, "")).Converge(module.Create)
			require.Equal(t, first.GetAttr("id"), cached.GetAttr("id"), "the cache knows every step")

			b.do(t, "docker", "image", "rm", "same-"+kind+":1")
			on[Build](t, b, body(two, "cache = false")).Converge(module.Create)
			require.Equal(t, was, layers(t, b, "same-"+kind+":1"), "without the cache too")
		})
	}
}

func TestDatedContext(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "dated-base:1", layered("dated"))
	on[Build](t, b, `context = "`+folder(t, map[string]string{"Dockerfile": "FROM dated-base:1\nCOPY a /a\n", "a": "1"})+`"
		source_date_epoch = 1600000000
		tags = ["dated:1"]`).Converge(module.Create)
	listing := b.sh(t, `id=$(docker create dated:1 x) && docker export "$id" | TZ=UTC tar -tv a; docker rm "$id" >/dev/null`)
	require.Contains(t, listing, "2020-09-13 12:26")
}

// What an ignore file leaves out is decided by docker's own client, and by both
// builders.
func TestIgnoreFileIsReadAsDockerReadsIt(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n"}
	for _, name := range []string{"a", "b.bin", "pkg/a", "pkg/b.bin", "pkg/deep/c.log", "docs/keep.md", "docs/x.md", "docs/sub/keep.md", "sp ace", ".hidden", "x/y/z", "x/y.tmp"} {
		files[name] = name
	}
	for name, b := range builders(t) {
		for _, rules := range []string{
			// no exception begins with a wildcard here: clients before 23 do not look into folders for such
			"**/*.bin\n/x/*\n!x/y\nsp ace\n.*\n", "# pkg\n  pkg  \n\n!pkg/b.bin\n", "*\n!docs/**\ndocs/x.md\n", "docs/*\n!docs/keep.md\n./docs/../pkg/a\n?\n", "x/**/z\n[b-d]*\n\\a\n",
		} {
			files[".dockerignore"] = rules
			dir := folder(t, files)
			b.do(t, "env", "DOCKER_BUILDKIT="+map[string]string{classic: "0", buildkit: "1"}[name], "docker", "build", "--quiet", "--tag", "ignored-own:1", dir)
			_, _, err := on[Build](t, b, `context = "`+dir+`"
				tags = ["ignored:1"]`).Apply()
			require.NoError(t, err)
			list := func(tag string) string {
				return b.sh(t, `id=$(docker create `+tag+` x) && docker export "$id" | tar -t | grep -v '^dev/\|^proc/\|^sys/\|^etc/\|^.dockerenv' | sort; docker rm "$id" >/dev/null`)
			}
			require.Equal(t, list("ignored-own:1"), list("ignored:1"), "%s: %q", name, rules)
		}
	}
}

func TestDockerfileFromElsewhereIsNotCopied(t *testing.T) {
	b := withBuildKit(t)
	dir := folder(t, map[string]string{"ctx/a": "one", "x.df": "FROM scratch\nCOPY . /\n"})
	on[Build](t, b, `context = "`+dir+`/ctx"
		dockerfile = "../x.df"
		tags       = ["hidden:1"]`).Converge(module.Create)
	_, v, err := on[Inspect](t, b, `image = "hidden:1"
		paths = ["/a", "/.antdbctl.Dockerfile", "/.dockerignore"]`).Check()
	require.NoError(t, err)
	for name, want := range map[string]bool{"/a": true, "/.antdbctl.Dockerfile": false, "/.dockerignore": false} {
		require.Equal(t, want, v.GetAttr("files").AsValueMap()[name].GetAttr("exists").True(), name)
	}
}

func TestDatedImageIsTheSameImage(t *testing.T) {
	b := withBuildKit(t)
	way, err := docker{b, "test"}.builder(t.Context(), "auto", "")
	require.NoError(t, err)
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /new/folder/a\n", "a": "1"})
	var ids, created []string
	for _, tag := range []string{"dated-one:1", "dated-two:1"} {
		out := on[Build](t, b, `context = "`+dir+`"
			cache = false
			source_date_epoch = 1600000000
			tags = ["`+tag+`"]`).Converge(module.Create)
		ids = append(ids, out.GetAttr("id").AsString())
		created = append(created, b.do(t, "docker", "image", "inspect", "--format", "{{.Created}}", tag))
		built := time.Now().Unix() // the clock of layers has seconds
		require.Eventually(t, func() bool { return time.Now().Unix() > built }, 5*time.Second, 10*time.Millisecond)
	}
	if way.kind == buildkit && way.modern {
		require.Equal(t, []string{"2020-09-13T12:26:40Z", "2020-09-13T12:26:40Z"}, created)
	}
	require.Equal(t, way.kind == buildkit && way.containerd, ids[0] == ids[1], "only containerd's store lets BuildKit date the folders that COPY makes")
}
