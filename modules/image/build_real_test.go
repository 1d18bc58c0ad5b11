package image

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
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

// sh runs a script that must succeed and gives its output.
func (p place) sh(t *testing.T, script string) string {
	t.Helper()
	return p.do(t, "sh", "-c", script)
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
			step := on[Build](t, n, `context = "`+dir+`"
				builder = "`+kind+`"
				network = "none"
				tags = ["far-`+kind+`:1"]`)
			units := map[string]int64{}
			step.Env().Progress = func(done, total int64, unit string) {
				require.LessOrEqual(t, done, total)
				units[unit] = max(units[unit], done)
			}
			step.Converge(module.Create)
			require.Greater(t, units["B"], int64(10<<20), "the context on its way")
			require.Greater(t, units["steps"], int64(1))
			stopsWhenTold(t, n, n, kind, "mark-of-ssh-"+kind)
		})
	}
}
