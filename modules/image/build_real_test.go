package image

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/buildcontext"
)

// builders are both ways to build on the same engine.
func builders(t *testing.T) map[string]place {
	t.Helper()
	return map[string]place{classic: at(t, "builder"), buildkit: withBuildKit(t)}
}

// shellBase makes the image base-sh:1, which has busybox and what it needs.
func shellBase(t *testing.T, p place) {
	t.Helper()
	if _, err := p.Run(t.Context(), conn.Command("docker", "image", "inspect", "base-sh:1")); err == nil {
		return
	}
	busybox, err := exec.LookPath("busybox")
	require.NoError(t, err)
	libraries, err := exec.Command("ldd", busybox).Output()
	require.NoError(t, err)
	files := map[string]string{}
	for _, lib := range append(regexp.MustCompile(`/\S+`).FindAllString(string(libraries), -1), busybox) {
		content, err := os.ReadFile(lib)
		require.NoError(t, err)
		if lib == busybox {
			files["root/bin/sh"] = string(content)
			lib = "/bin/busybox"
		}
		files["root"+lib] = string(content)
	}
	dir := folder(t, files)
	require.NoError(t, filepath.Walk(dir, func(name string, _ os.FileInfo, _ error) error { return os.Chmod(name, 0o755) }))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\nCOPY root /\nENV PATH=/bin\n"), 0o644))
	tar := exec.Command("tar", "-C", dir, "-c", ".")
	stream, err := tar.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, tar.Start())
	out, err := p.Run(t.Context(), conn.Cmd{Args: []string{"docker", "build", "--tag", "base-sh:1", "-"}, Stdin: stream})
	require.NoError(t, err, out.Stdout)
	require.NoError(t, tar.Wait())
}

func TestFailedRunNamesItsLine(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			shellBase(t, b)
			dir := folder(t, map[string]string{"Dockerfile": `ARG BASE=base-sh:1
FROM $BASE AS first
RUN sh -c 'echo of the first stage'
FROM $BASE
# a comment
COPY --from=first /bin/sh /sh
RUN sh -c 'echo evidence: no such package; \
  exit 3'
`})
			step := on[Build](t, b, `context = "`+dir+`"
				builder = "`+kind+`"
				network = "none"
				tags = ["failed:1"]`)
			var phases []string
			step.Env().Phase = func(name string) { phases = append(phases, name) }
			_, _, err := step.Apply()
			require.ErrorContains(t, err, "(Dockerfile:7): a RUN line failed")
			var explained *module.Explained
			require.ErrorAs(t, err, &explained)
			evidence := strings.Join(explained.Evidence, "\n")
			require.Contains(t, evidence, "evidence: no such package")
			require.NotContains(t, evidence, "of the first stage")
			require.Greater(t, len(phases), 3, "%v", phases)
			require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "failed"))
			require.Empty(t, b.do(t, "docker", "ps", "-aq"), "a failed RUN leaves no container behind")
		})
	}
}

func TestBuilderIsNoPartOfTheResult(t *testing.T) {
	b := withBuildKit(t)
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\n", "a": "of both builders"})
	body := func(kind string) string {
		return `context = "` + dir + `"
			builder = "` + kind + `"
			tags = ["bothways:` + kind + `", "bothways:1"]`
	}
	on[Build](t, b, body(classic)).Converge(module.Create)
	change, _, err := on[Build](t, b, strings.ReplaceAll(body(buildkit), "bothways:buildkit", "bothways:classic")).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted(), change.Summary)

	made := func(tag string) string { return b.do(t, "docker", "history", "--format", "{{.Comment}}", tag) }
	require.NotContains(t, made("bothways:classic"), "buildkit")
	b.do(t, "docker", "image", "rm", "bothways:classic", "bothways:1")
	on[Build](t, b, body(buildkit)).Converge(module.Create)
	require.Contains(t, made("bothways:buildkit"), "buildkit")
}

func TestBuilderIsFoundByTheStep(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			got, err := docker{b, "test"}.builder(t.Context(), "auto", "")
			require.NoError(t, err)
			client := b.do(t, "docker", "version", "--format", "{{.Client.Version}}")
			_, noPlugin := b.Run(t.Context(), conn.Command("docker", "buildx", "version"))
			if atLeast(client, 23, 0) && noPlugin != nil {
				require.Equal(t, classic, got.kind)
				_, err = docker{b, "test"}.builder(t.Context(), buildkit, "")
				require.ErrorContains(t, err, "buildx")
				return
			}
			require.Equal(t, buildkit, got.kind)
			got, err = docker{b, "test"}.builder(t.Context(), "auto", "corp-net")
			require.NoError(t, err)
			require.Equal(t, classic, got.kind, "BuildKit knows no such networks")
		})
	}
}

func TestWhatTheBuilderDoesNotKnowIsToldBeforeIt(t *testing.T) {
	b := withBuildKit(t)
	for _, c := range []struct{ kind, dockerfile, says string }{
		{classic, "FROM scratch\nCOPY --chmod=755 a /a\n", "Dockerfile:2 uses COPY --chmod, which the classic builder"},
		{classic, "FROM scratch\nCOPY <<EOF /a\nx\nEOF\n", "Dockerfile:2 uses a here-document"},
	} {
		_, _, err := on[Build](t, b, `context = "`+folder(t, map[string]string{"Dockerfile": c.dockerfile, "a": ""})+`"
			builder = "`+c.kind+`"
			tags = ["needs:1"]`).Apply()
		require.ErrorContains(t, err, c.says)
	}
	on[Build](t, b, `context = "`+folder(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY --chmod=755 a /a\n", "a": ""})+`"
		builder = "buildkit"
		tags = ["needs:1"]`).Converge(module.Create)
}

// trace keeps the commands that went through it.
type trace struct {
	conn.Host
	mu   sync.Mutex
	seen []string
}

func (c *trace) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	c.mu.Lock()
	c.seen = append(c.seen, strings.Join(cmd.Args, " "))
	c.mu.Unlock()
	return c.Host.Run(ctx, cmd)
}

func TestLookAtABuiltImageIsOneCall(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "onecall-base:1", layered("onecall"))
	body := `context = "` + folder(t, map[string]string{"Dockerfile": "FROM onecall-base:1\nCOPY a /a\n", "a": "1"}) + `"
		tags = ["onecall:1", "onecall:2"]`
	on[Build](t, b, body).Converge(module.Create)
	seen := &trace{Host: b}
	change, _, err := on[Build](t, seen, body).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted())
	require.Equal(t, []string{"docker image inspect onecall:1 onecall:2 onecall-base:1"}, seen.seen)
}

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

// sh runs a script that must succeed and gives its output.
func (p place) sh(t *testing.T, script string) string {
	t.Helper()
	return p.do(t, "sh", "-c", script)
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

// sleepers are the processes of this machine that a RUN line of that mark
// started.
func sleepers(t *testing.T, mark string) (pids []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	require.NoError(t, err)
	for _, name := range all {
		if line, err := os.ReadFile(name); err == nil && slices.Contains(strings.Split(string(line), "\x00"), mark) {
			pids = append(pids, filepath.Base(filepath.Dir(name)))
		}
	}
	return pids
}

// stopsWhenTold starts a build that takes long, stops it, and looks at what is
// left.
func stopsWhenTold(t *testing.T, host conn.Host, b place, kind, mark string) {
	dir := folder(t, map[string]string{"Dockerfile": `FROM base-sh:1
RUN ["/bin/sh", "-c", "busybox sleep 1000; true", "` + mark + `"]
`})
	step := on[Build](t, host, `context = "`+dir+`"
		builder = "`+kind+`"
		network = "none"
		tags = ["stopped:1"]`)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	m := step.Module()
	_, err := m.Check(ctx, step.Env())
	require.NoError(t, err)
	go func() { done <- m.Apply(ctx, step.Env()) }()
	require.Eventually(t, func() bool { return len(sleepers(t, mark)) > 0 }, time.Minute, 20*time.Millisecond, "the RUN line starts")
	stop()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Eventually(t, func() bool { return len(sleepers(t, mark)) == 0 }, 30*time.Second, 20*time.Millisecond, "the engine stops the RUN line")
	require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "stopped"))
	require.Eventually(t, func() bool { return b.do(t, "docker", "ps", "-aq") == "" }, 10*time.Second, 20*time.Millisecond, "no container is left")
}

func TestStoppedBuildStopsOnTheEngine(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			shellBase(t, b)
			stopsWhenTold(t, b, b, kind, "mark-of-local-"+kind)
		})
	}
}

func TestBuildOverSSH(t *testing.T) {
	n, _ := remote(t)
	n.env["PATH"] = secret.New("/usr/bin:/usr/sbin:/bin:/sbin") // of a Debian, whose client has BuildKit
	shellBase(t, n)
	kinds := []string{classic}
	if way, err := (docker{n, "test"}).builder(t.Context(), "auto", ""); err == nil && way.kind == buildkit {
		kinds = append(kinds, buildkit)
	}
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			dir := folder(t, map[string]string{"Dockerfile": "FROM base-sh:1\nCOPY big /big\nRUN read line < /big; test \"$line\" = far\n", "big": "far\n" + strings.Repeat(kind, 1<<21)})
			on[Build](t, n, `context = "`+dir+`"
				builder = "`+kind+`"
				network = "none"
				tags = ["far-`+kind+`:1"]`).Converge(module.Create)
			stopsWhenTold(t, n, n, kind, "mark-of-ssh-"+kind)
		})
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

// cut ends the standard input of a build after n bytes, as a lost connection
// does: the other side sees an end like any other.
type cut struct {
	conn.Host
	n int64
}

func (c *cut) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if cmd.Stdin != nil && c.n > 0 {
		cmd.Stdin = io.LimitReader(cmd.Stdin, c.n)
	}
	return c.Host.Run(ctx, cmd)
}

func TestContextThatEndsEarlyBuildsNothing(t *testing.T) {
	for kind, b := range builders(t) {
		t.Run(kind, func(t *testing.T) {
			dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "a": "1", "b": "2", "c": "3"})
			c, err := buildcontext.Open(dir, "Dockerfile")
			require.NoError(t, err)
			var whole bytes.Buffer
			require.NoError(t, c.Stream(&whole, time.Time{}))
			// the last 1037 bytes are the ends of archive and envelope, which hold nothing
			for n := int64(whole.Len()) - 1038; n > 0; n -= 511 {
				step := on[Build](t, &cut{b, n}, `context = "`+dir+`"
					builder = "`+kind+`"
					tags = ["early:1"]`)
				_, _, err = step.Apply()
				require.Error(t, err, "%d of %d bytes", n, whole.Len())
				require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "early"), "%d of %d bytes", n, whole.Len())
			}
		})
	}
}
