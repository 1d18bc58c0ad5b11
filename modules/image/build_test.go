package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestExamples(t *testing.T) {
	moduletest.Example(t, module.Of[Build]())
	moduletest.Example(t, module.Of[Tag]())
	moduletest.Example(t, module.Of[Inspect]())
	moduletest.Example(t, module.Of[Save]())
	moduletest.Example(t, module.Of[Load]())
	moduletest.Example(t, module.Of[Ship]())
}

func TestBuildOnlyWhenInputsChange(t *testing.T) {
	for name, b := range map[string]place{"classic": at(t, "builder"), "buildkit": withBuildKit(t)} {
		t.Run(name, func(t *testing.T) { buildsWhenInputsChange(t, b) })
	}
}

// withBuildKit is the builder by way of BuildKit, which Debian's client has in
// itself and newer ones have as a plugin.
func withBuildKit(t *testing.T) place {
	t.Helper()
	b := at(t, "builder")
	b.env["DOCKER_BUILDKIT"] = secret.New("1")
	delete(b.env, "DOCKER_CONFIG") // where plugins are
	if _, err := b.Run(t.Context(), conn.Command("docker", "buildx", "version")); err != nil {
		t.Setenv("PATH", "/usr/bin:"+os.Getenv("PATH"))
	}
	return b
}

func buildsWhenInputsChange(t *testing.T, b place) {
	dir := folder(t, map[string]string{
		"Dockerfile": "FROM scratch\nARG V=1\nLABEL v=$V\nCOPY a /a\nCOPY sub /sub\n",
		"a":          "one", "sub/b": "two", "sub/l": "-> b", "notes.tmp": "x", ".dockerignore": "*.tmp\n",
	})
	body := `context = "` + dir + `"
		tags   = ["built:1", "corp/built:1"]
		labels = { team = "dba" }`
	first := on[Build](t, b, body).Converge(module.Create)
	require.Equal(t, b.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "corp/built:1"), first.GetAttr("id").AsString())
	require.Equal(t, "built:1", first.GetAttr("ref").AsString())
	require.Equal(t, "dba", b.do(t, "docker", "image", "inspect", "--format", "{{.Config.Labels.team}}", "built:1"))

	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.tmp"), []byte("ignored"), 0o644))
	change, _, err := on[Build](t, b, body).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted(), "an ignored file must not count: %s", change.Summary)

	b.do(t, "docker", "image", "rm", "corp/built:1")
	moved := on[Build](t, b, body).Converge(module.Update)
	require.Equal(t, first.GetAttr("id"), moved.GetAttr("id"), "a lost tag needs no build")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("three"), 0o644))
	changed := on[Build](t, b, body).Converge(module.Replace)
	require.NotEqual(t, first.GetAttr("id"), changed.GetAttr("id"))
	on[Build](t, b, body+"\n args = { V = 2 }").Converge(module.Replace)

	require.NoError(t, on[Build](t, b, body+"\n args = { V = 2 }").Destroy())
	require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "built"))
	require.Empty(t, b.do(t, "docker", "image", "ls", "-q", "corp/built"))
}

func TestBuildFollowsItsBaseImage(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "base:1", map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\nENV MAJOR=11\n", "f": "1"})
	dir := folder(t, map[string]string{"Dockerfile": "ARG BASE=base:1\nFROM ${BASE}\nARG MAJOR\nLABEL major=$MAJOR\n"})
	body := `context = "` + dir + `"
		tags = ["derived:1"]`
	on[Build](t, b, body).Converge(module.Create)
	image(t, b, "base:1", map[string]string{"Dockerfile": "FROM scratch\nCOPY f /f\nENV MAJOR=11\n", "f": "2"})
	on[Build](t, b, body).Converge(module.Replace)
}

func TestBuildTakesADockerfileFromElsewhere(t *testing.T) {
	b := at(t, "builder")
	dir := folder(t, map[string]string{"ctx/a": "one", "antdb-ha.df": "FROM scratch AS first\nCOPY a /a\nFROM scratch\nCOPY --from=first /a /b\n"})
	on[Build](t, b, `context = "`+dir+`/ctx"
		dockerfile = "../antdb-ha.df"
		stage      = "first"
		tags       = ["elsewhere:1"]`).Converge(module.Create)
	out := on[Inspect](t, b, `image = "elsewhere:1"
		paths = ["/a", "/b"]`)
	_, v, err := out.Check()
	require.NoError(t, err)
	require.True(t, v.GetAttr("files").AsValueMap()["/a"].GetAttr("exists").True())
	require.True(t, v.GetAttr("files").AsValueMap()["/b"].GetAttr("exists").False())
}

func TestFailedBuildShowsItsOutput(t *testing.T) {
	for name, b := range map[string]place{"classic": at(t, "builder"), "buildkit": withBuildKit(t)} {
		t.Run(name, func(t *testing.T) { failsWithOutput(t, b) })
	}
}

func failsWithOutput(t *testing.T, b place) {
	for name, c := range map[string]struct{ dockerfile, says, remedy, evidence string }{
		"parse error":  {"FROM scratch\n|7 A=1 /bin/sh -c true\n", "docker history", "RUN line", "unknown instruction"},
		"base missing": {"FROM 127.0.0.1:1/nosuch:1\n", "base image 127.0.0.1:1/nosuch:1", "image.load", "connection refused"},
		"RUN fails":    {"FROM scratch\nRUN /nothing\n", "RUN /nothing", "", "/bin/sh"},
	} {
		t.Run(name, func(t *testing.T) {
			step := on[Build](t, b, `context = "`+folder(t, map[string]string{"Dockerfile": c.dockerfile})+`"
				network = "none"
				lint_ignore = ["history-text"]
				tags = ["broken:1"]`)
			_, _, err := step.Apply()
			require.ErrorContains(t, err, c.says)
			var explained *module.Explained
			require.ErrorAs(t, err, &explained)
			require.Contains(t, explained.Remedy, c.remedy)
			evidence := strings.Join(explained.Evidence, "\n")
			if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
				evidence += exit.Stderr
			}
			require.Contains(t, evidence, c.evidence)
		})
	}
}

// unreachable is a host that must not be asked anything.
type unreachable struct{ conn.Host }

func (unreachable) Run(context.Context, conn.Cmd) (conn.Result, error) {
	return conn.Result{}, &conn.Unreachable{Target: "builder", Err: errors.New("no route to host")}
}

func TestFaultsOfTheDockerfileAreFoundOffline(t *testing.T) {
	for name, c := range map[string]struct {
		files          map[string]string
		args, arg, err string
	}{
		"unset ARG": {
			map[string]string{"Dockerfile": "FROM scratch\nARG PG_MAJOR\n\nENV PGROOT=/usr/pgsql-${PG_MAJOR}\n"}, "",
			"args", "PG_MAJOR (declared in line 2, used in line 4)",
		},
		"missing file": {
			map[string]string{"Dockerfile": "FROM scratch\nCOPY \\\n  pkg/antdb41.tar.gz /tmp/\n"}, "",
			"context", "Dockerfile:2 copies pkg/antdb41.tar.gz, which is not in",
		},
		"ignored file": {
			map[string]string{"Dockerfile": "FROM scratch\nCOPY pkg/a.tar /\n", "pkg/a.tar": "", ".dockerignore": "# none\n**/*.tar\n"}, "",
			"context", "line 2 of .dockerignore leaves out",
		},
		"no Dockerfile": {map[string]string{"x": ""}, "", "dockerfile", "no such file"},
		"no context":    {nil, `dockerfile = "none/x"`, "dockerfile", "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := on[Build](t, unreachable{}, `context = "`+folder(t, c.files)+`"
				tags = ["x:1"]
				`+c.args).Check()
			var arg *module.ArgError
			require.ErrorAs(t, err, &arg)
			require.Equal(t, c.arg, arg.Arg)
			require.ErrorContains(t, err, c.err)
		})
	}
	_, _, err := on[Build](t, unreachable{}, `context = "`+folder(t, map[string]string{"Dockerfile": "FROM scratch\n"})+`"
		tags = ["x:1"]`).Check()
	var lost *conn.Unreachable
	require.ErrorAs(t, err, &lost)
}

func TestNamesAreValidatedOffline(t *testing.T) {
	for _, name := range []string{"Corp/antdb", "antdb ha", "a:b:c", ""} {
		err := on[Build](t, unreachable{}, `context = "."
			tags = ["ok:1", "`+name+`"]`).Validate()
		require.ErrorContains(t, err, "no image name", name)
	}
	for _, name := range []string{"antdb-ha", "crunchydata/antdb-ha:centos7-11.6-4.2.1", "registry.site:5000/a/b__c:V1", "localhost/x"} {
		require.NoError(t, on[Build](t, unreachable{}, `context = "."
			tags = ["`+name+`"]`).Validate(), name)
	}
}
