package image

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

// everything is a Dockerfile of all instructions, with the things that
// histories lose: quotes, argument values, lists, owners.
const everything = `FROM recover-base:1
ARG V=1
ARG W="a b"
ARG NODEF
ARG PG_PASSWORD=hunter2
LABEL name="my app" desc="it's \"quoted\" \$HOME" v=$V
ENV A=1 B="two words" C="dollar \$X"
ENV P=/x:$PATH
RUN echo hi > /hi && \
    # a comment
    mkdir -p   /opt/x && touch "/opt/x/${V}" && \
    echo "two  blanks; $W" > "/opt/x/w" && if [ -n "$NODEF" ]; then echo "$NODEF" > /opt/x/nodef; fi
RUN ["mkdir", "/opt/exec"]
COPY app/bin /opt/bin
COPY --chown=26:0 app/yq /opt/bin/
COPY app/yq app/bin/a.sh /opt/multi/
ADD app/yq /opt/yq2
ADD app.tar.gz /opt/unpacked
WORKDIR /srv/app
WORKDIR sub
EXPOSE 5432 8009/udp
VOLUME /data /d2
VOLUME ["/j1", "/j 2"]
SHELL ["/bin/sh", "-ec"]
RUN echo shell > /srv/app/sh; rm /hi
HEALTHCHECK --interval=5s --timeout=3s --retries=3 CMD echo ok || exit 1
STOPSIGNAL SIGINT
ONBUILD RUN echo hello
USER 26
ENTRYPOINT ["/bin/sh", "-c", "echo \"$0\""]
CMD ["a", "b c"]
`

// everythingDir is a context for it.
func everythingDir(t *testing.T) string {
	t.Helper()
	dir := folder(t, map[string]string{
		"Dockerfile": everything, "app/bin/a.sh": "one", "app/bin/sub/b": "two", "app/bin/sub/l": "-> b", "app/yq": "y",
	})
	require.NoError(t, os.Chmod(filepath.Join(dir, "app/bin/a.sh"), 0o750))
	require.NoError(t, exec.Command("tar", "-C", filepath.Join(dir, "app"), "--owner=77", "--group=0", "-czf", filepath.Join(dir, "app.tar.gz"), "yq", "bin").Run())
	return dir
}

func TestRecoveredImageBuildsItsTwin(t *testing.T) {
	for name, b := range builders(t) {
		t.Run(name, func(t *testing.T) {
			recoverBase(t, at(t, "builder"))
			args := []string{"--build-arg", "NODEF=nd", "--build-arg", "W=x y=z"}
			if name == buildkit {
				args = append(args, "--network", "none")
			}
			tag := "recover-" + name + ":1"
			buildDir(t, b, tag, everythingDir(t), args...)
			to := filepath.Join(t.TempDir(), "out")
			out := on[Recover](t, b, `image = "`+tag+`"
				to      = "`+to+`"
				network = "none"
				verify  = true`).Converge(module.Create)
			text, err := os.ReadFile(filepath.Join(to, "Dockerfile"))
			require.NoError(t, err)
			t.Log(string(text))
			require.Empty(t, words(out.GetAttr("differences")))
			require.True(t, out.GetAttr("same").True())
		})
	}
}

func TestRecoveredArchiveOfBuildahBuildsItsTwin(t *testing.T) {
	b := at(t, "builder")
	recoverBase(t, b)
	dir := everythingDir(t)
	text, args := drawn(rand.New(rand.NewPCG(1, 7)))
	for _, verb := range []string{"HEALTHCHECK", "ONBUILD", "SHELL"} { // the OCI format has no place for these
		text = regexp.MustCompile(`(?m)^`+verb+` .*\n`).ReplaceAllString(text, "")
	}
	another := folder(t, map[string]string{"Dockerfile": text, "f": "f", "sub/a": "a", "sub/deep/b": "b", "sub/l": "-> a"})
	given := []string{"--build-arg", "NODEF=nd", "--build-arg", "W=x y=z"}
	for name, c := range map[string]struct {
		dir  string
		to   string
		args []string
	}{
		"a layer a line": {dir, "docker-archive", append(given, "--layers=true", "--format=docker")},
		"one layer":      {dir, "docker-archive", append(given, "--layers=false", "--format=docker")},
		"OCI":            {another, "oci-archive", append(args, "--layers=true", "--format=oci")},
	} {
		t.Run(name, func(t *testing.T) {
			archive := buildahArchive(t, b, c.dir, c.to, c.args...)
			to := filepath.Join(t.TempDir(), "out")
			out := on[Recover](t, b, `archive = "`+archive+`"
				to      = "`+to+`"
				network = "none"
				verify  = true`).Converge(module.Create)
			text, err := os.ReadFile(filepath.Join(to, "Dockerfile"))
			require.NoError(t, err)
			t.Log(string(text))
			require.Empty(t, words(out.GetAttr("differences")))
			require.True(t, out.GetAttr("same").True())
		})
	}
}

// buildahArchive builds a folder with buildah, and gives the archive of the
// image.
func buildahArchive(t *testing.T, b place, dir, to string, args ...string) string {
	t.Helper()
	work := t.TempDir()
	b.do(t, "docker", "image", "save", "--output", work+"/base.tar", "recover-base:1")
	require.NoError(t, os.WriteFile(work+"/auth.json", []byte("{}"), 0o600))
	buildah := func(args ...string) {
		cmd := exec.Command("buildah", append([]string{"--storage-driver", "vfs", "--root", work + "/root", "--runroot", work + "/run"}, args...)...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "REGISTRY_AUTH_FILE="+work+"/auth.json")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	t.Cleanup(func() {
		_ = exec.Command("buildah", "--root", work+"/root", "--runroot", work+"/run", "rm", "--all").Run()
	})
	buildah("pull", "docker-archive:"+work+"/base.tar")
	buildah(append([]string{"bud", "--isolation", "chroot", "--tag", "recover-buildah:1",
		"--build-context", "recover-base:1=container-image://localhost/recover-base:1"}, append(args, ".")...)...)
	buildah("push", "recover-buildah:1", to+":"+work+"/out.tar:recover-buildah:1")
	return work + "/out.tar"
}

var drawnImages = flag.Int("drawn", 2, "how many images of random instructions are rebuilt with each builder")

// drawn is a Dockerfile of random instructions, with what the builder is given
// for its arguments.
func drawn(r *rand.Rand) (text string, args []string) {
	value := func() string {
		return []string{"1", `"two words"`, `"a=b c=d"`, `"\"quoted\" \$x"`, `'single $quoted'`, "a\\ b", `""`, "$A", "${A:-none}/x"}[r.IntN(9)]
	}
	name := func() string { return []string{"A", "B", "C_D", "PG_MAJOR", "PATHS"}[r.IntN(5)] }
	list := func() string {
		return []string{`["a", "b c"]`, `["/bin/sh", "-c", "echo \"$0\" | cat"]`, "echo one two", `exec "$@"`, "[]"}[r.IntN(5)]
	}
	text = "FROM recover-base:1\n"
	for n := range 14 + r.IntN(6) {
		switch r.IntN(15) {
		case 0:
			text += "ENV " + name() + "=" + value() + " X" + name() + "=" + value() + "\n"
		case 1:
			text += "LABEL " + name() + "=" + value() + " org.example." + name() + "=" + value() + "\n"
		case 2, 3:
			arg := name()
			text += "ARG " + arg + []string{"", "=" + value()}[r.IntN(2)] + "\n"
			if r.IntN(2) == 0 {
				args = append(args, "--build-arg", arg+"="+[]string{"1", "x y", "p=q r", ""}[r.IntN(4)])
			}
		case 4, 5:
			text += fmt.Sprintf("RUN mkdir -p /d%d   && echo \"$A  $B\" > /d%d/a   && if [ -n \"$PG_MAJOR\" ]; then echo  $PG_MAJOR > /d%d/b; fi\n", n, n, n)
		case 6:
			text += fmt.Sprintf("RUN [\"mkdir\", \"/e%d\"]\n", n)
		case 7:
			text += []string{"COPY f /f1\n", "COPY f sub /both/\n", "COPY sub /sub/\n", "COPY --chown=26:7 sub /owned\n", "ADD sub /sub\n", "COPY f* /star/\n"}[r.IntN(6)]
		case 8:
			text += []string{"WORKDIR /w\n", "WORKDIR x\n", "USER 0:0\n", "USER root\n", "STOPSIGNAL SIGQUIT\n"}[r.IntN(5)]
		case 9:
			text += "CMD " + list() + "\n"
		case 10:
			text += "ENTRYPOINT " + list() + "\n"
		case 11:
			text += []string{"VOLUME /v1 /v2\n", "VOLUME [\"/v 3\"]\n", "EXPOSE 5432 80/udp\n", "EXPOSE 9000-9002\n"}[r.IntN(4)]
		case 12:
			text += []string{"HEALTHCHECK --interval=5s --retries=2 CMD echo \"a b\" || exit 1\n", "HEALTHCHECK CMD [\"x\", \"y z\"]\n", "HEALTHCHECK NONE\n"}[r.IntN(3)]
		case 13:
			text += []string{"SHELL [\"/bin/sh\", \"-ec\"]\n", "SHELL [\"/bin/sh\", \"-c\"]\n"}[r.IntN(2)]
		case 14:
			text += "ONBUILD RUN echo " + name() + "\n"
		}
	}
	return text + []string{"USER 26:0\n", "MAINTAINER someone\n", ""}[r.IntN(3)], args
}

func TestAnyImageBuildsItsTwin(t *testing.T) {
	for name, b := range builders(t) {
		recoverBase(t, at(t, "builder"))
		for seed := range uint64(*drawnImages) {
			t.Run(fmt.Sprintf("%s %d", name, seed), func(t *testing.T) {
				text, args := drawn(rand.New(rand.NewPCG(seed, 7)))
				dir := folder(t, map[string]string{"Dockerfile": text, "f": "f", "sub/a": "a", "sub/deep/b": "b", "sub/l": "-> a"})
				tag := fmt.Sprintf("recover-drawn-%s:%d", name, seed)
				buildDir(t, b, tag, dir, append(args, "--network", "none")...)
				archive := filepath.Join(t.TempDir(), "image.tar")
				b.do(t, "docker", "image", "save", "--output", archive, tag)
				if seed%2 == 1 {
					b.do(t, "gzip", archive)
					archive += ".gz"
				}
				to := filepath.Join(t.TempDir(), "out")
				out := on[Recover](t, b, `archive = "`+archive+`"
					to      = "`+to+`"
					network = "none"
					verify  = true`).Converge(module.Create)
				have, err := os.ReadFile(filepath.Join(to, "Dockerfile"))
				require.NoError(t, err)
				require.Empty(t, words(out.GetAttr("differences")), "%s\n%s became\n%s", args, text, have)
			})
		}
	}
}

// Engines from 23.0 on print such rows for RUN <<EOF; the engine of these tests
// is older, and builds what is recovered all the same.
func TestHereDocumentsRunAsTheyDid(t *testing.T) {
	const text = `IMAGE   CREATED   CREATED BY   SIZE   COMMENT
<missing>   2 weeks ago   RUN |1 A=one two /bin/sh -c set -e
# a comment in a script

  echo "$A  \"quoted\" \$A \\" > /script
cat <<END > /document
  <<text of  two
# lines
END
 # buildkit   12B   buildkit.dockerfile.v0
<missing>   2 weeks ago   ARG A=one two   0B   buildkit.dockerfile.v0
<missing>   2 years ago   CMD ["/bin/sh"]   0B   
<missing>   2 years ago   /bin/sh -c #(nop) ADD file:9cbf3b8c13d54459e430a65d7c520515a793b316673b6ed77c48a72b7554652e in /    3MB   
`
	for name, b := range builders(t) {
		t.Run(name, func(t *testing.T) {
			recoverBase(t, at(t, "builder"))
			dir := folder(t, map[string]string{"history.txt": text})
			on[Recover](t, b, `history = "`+dir+`/history.txt"
				to   = "`+dir+`/out"
				base = "recover-base:1"`).Converge(module.Create)
			buildDir(t, b, "recover-script:1", filepath.Join(dir, "out"), "--network", "none")
			require.Equal(t, "one two  \"quoted\" $A \\\n  <<text of  two\n# lines",
				b.do(t, "docker", "run", "--rm", "--network", "none", "--entrypoint", "/bin/cat", "recover-script:1", "/script", "/document"))
		})
	}
}
