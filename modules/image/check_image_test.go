package image

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/layerdb"
)

// A database image as the operator wants it, made of this machine's own
// PostgreSQL, pgaudit and libraries. The WAL receiver stands in for psycopg2's
// driver: it wants libpq, as that does. Patroni and pgBackRest are scripts that
// tell a version.
const databaseDockerfile = `FROM scratch
COPY base /
ENV PGROOT=/usr/lib/postgresql/%[1]s PGVERSION=%[1]s LC_ALL=C LANG=C
ENV PATH=/usr/lib/postgresql/%[1]s/bin:/usr/local/bin:/usr/bin:/bin
COPY server /
COPY cpm /opt/cpm/
RUN chmod 1777 /tmp && chown 26:26 /pgdata /pgwal /backrestrepo /crunchyadm && chmod 770 /pgdata /pgwal /backrestrepo /crunchyadm
ENTRYPOINT ["/opt/cpm/bin/bootstrap-postgres-ha.sh"]
CMD ["/usr/local/bin/patroni"]
VOLUME ["/pgdata"]
USER 26
`

// serverHere is the folder and major of this machine's PostgreSQL.
func serverHere(t testing.TB) (root, major string) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/lib/pgaudit.so")
	require.NoError(t, err)
	require.NotEmpty(t, found, "the test needs PostgreSQL and its pgaudit")
	root = filepath.Dir(filepath.Dir(found[len(found)-1]))
	return root, filepath.Base(root)
}

var lddPath = regexp.MustCompile(`(?m)=> (/\S+) \(|^\s+(/\S+) \(`)

// databaseContext makes the build context of the image.
func databaseContext(t testing.TB) string {
	t.Helper()
	root, major := serverHere(t)
	dir := t.TempDir()
	put := func(to, from string) {
		p := filepath.Join(dir, to)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		out, err := exec.Command("cp", "-RL", "--preserve=mode", from, p).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	for _, name := range []string{"/bin/bash", "/bin/cat", "/bin/sleep", "/bin/chown", "/bin/chmod", "/bin/grep", "/bin/kill", "/bin/rm", "/bin/mkdir",
		"/bin/mktemp", "/bin/tail", "/bin/id", "/usr/bin/locale", "/usr/bin/timeout", "/bin/ls", "/bin/env", "/usr/bin/head", "/usr/bin/tr",
		root + "/bin/postgres", root + "/bin/psql", root + "/bin/pg_basebackup", root + "/bin/pg_upgrade", root + "/lib/libpqwalreceiver.so"} {
		out, err := exec.Command("ldd", name).Output()
		require.NoError(t, err, name)
		for _, m := range lddPath.FindAllStringSubmatch(string(out), -1) {
			put("base"+m[1]+m[2], m[1]+m[2])
		}
		if !strings.HasPrefix(name, root) {
			put("base/bin/"+filepath.Base(name), name)
		}
	}
	put("base/bin/sh", "/bin/bash")
	put("base/usr/lib/python3/dist-packages/psycopg2/_psycopg.so", root+"/lib/libpqwalreceiver.so")
	for _, part := range []string{"bin", "lib/pgaudit.so", "lib/pg_stat_statements.so", "lib/plpgsql.so", "lib/libpqwalreceiver.so", "lib/dict_snowball.so"} {
		put("server"+root+"/"+part, root+"/"+part)
	}
	put("server/usr/share/postgresql/"+major, "/usr/share/postgresql/"+major)
	if _, err := os.Stat("/usr/share/zoneinfo/UTC"); err == nil {
		put("base/usr/share/zoneinfo/UTC", "/usr/share/zoneinfo/UTC")
	}
	for name, text := range map[string]string{
		"Dockerfile":      strings.ReplaceAll(databaseDockerfile, "%[1]s", major),
		"base/etc/passwd": "root:x:0:0::/root:/bin/sh\npostgres:x:26:26::/tmp:/bin/sh\n", "base/etc/group": "root:x:0:\npostgres:x:26:\n",
		"base/tmp/.keep": "", "base/pgdata/.keep": "", "base/pgwal/.keep": "", "base/backrestrepo/.keep": "", "base/crunchyadm/.keep": "",
		"base/usr/local/bin/patroni":                                          "#!/bin/bash\necho patroni 3.0.2\n",
		"base/usr/lib/python3/dist-packages/patroni-3.0.2.dist-info/METADATA": "Name: patroni\nVersion: 3.0.2\n",
		"base/usr/bin/pgbackrest":                                             "#!/bin/bash\necho pgBackRest 2.45\n",
		"base/usr/bin/python3":                                                "#!/bin/bash\nexit 0\n",
		"cpm/bin/bootstrap-postgres-ha.sh":                                    "#!/bin/bash\nexec \"$@\"\n",
		"cpm/conf/postgres-ha.yaml":                                           "bootstrap:\n  dcs:\n    postgresql:\n      parameters:\n        shared_preload_libraries: pgaudit.so,pg_stat_statements.so\n",
	} {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		mode := os.FileMode(0o644)
		if strings.HasPrefix(text, "#!") {
			mode = 0o755
		}
		require.NoError(t, os.WriteFile(p, []byte(text), mode))
	}
	return dir
}

// database builds the image, with lines added to its Dockerfile before those
// that make no layer.
func database(t testing.TB, p place, tag, lines string) (dir string) {
	t.Helper()
	dir = databaseContext(t)
	file := filepath.Join(dir, "Dockerfile")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	text = bytes.Replace(text, []byte("ENTRYPOINT"), []byte(lines+"ENTRYPOINT"), 1)
	require.NoError(t, os.WriteFile(file, text, 0o644))
	cmd := exec.Command("docker", "build", "-q", "--network=none", "-t", tag, dir)
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value.Reveal())
	}
	cmd.Env = append(cmd.Env, "PATH="+os.Getenv("PATH"), "HOME="+t.TempDir())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return dir
}

// findings gives the findings of a check by ID.
func findings(out cty.Value) map[string]cty.Value {
	byID := map[string]cty.Value{}
	for _, f := range out.GetAttr("findings").AsValueSlice() {
		byID[f.GetAttr("id").AsString()] = f
	}
	return byID
}

func list(v cty.Value) []string {
	out := []string{}
	for _, e := range v.AsValueSlice() {
		out = append(out, e.AsString())
	}
	return out
}

func TestCheckPassesAWholeDatabaseImage(t *testing.T) {
	b := at(t, "builder")
	database(t, b, "checked:1", "")
	_, out, err := on[Check](t, b, `image = "checked:1"
		dynamic = "false"`).Check()
	require.NoError(t, err)
	require.Empty(t, list(out.GetAttr("failed")))
	require.Empty(t, list(out.GetAttr("warned")))
	require.Len(t, list(out.GetAttr("passed")), 20)
	require.False(t, looks[Check](t, b, `image = "checked:1"
		dynamic = "false"`).Wanted())
}

func TestCheckNamesTheLineThatDroppedPgaudit(t *testing.T) {
	b := at(t, "builder")
	root, _ := serverHere(t)
	drop := "RUN rm " + root + "/lib/pgaudit.so"
	dir := database(t, b, "checked:2", drop+"\n")
	_, _, err := on[Check](t, b, `image = "checked:2"
		dynamic = "false"
		dockerfile = "`+dir+`/Dockerfile"`).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "image", arg.Arg)
	require.ErrorContains(t, err, "checked:2 fails 2 of 20 checks; B6.6")
	require.ErrorContains(t, err, ""+root+"/lib/pgaudit.so is missing")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, "pg_config")
	require.Contains(t, strings.Join(explained.Evidence, "\n"), "at fault: layer 5, line 8 of the Dockerfile: "+drop)

	_, out, err := on[Check](t, b, `image = "checked:2"
		dynamic = "false"
		fail_on = "never"`).Check()
	require.NoError(t, err)
	require.Equal(t, []string{"B6.6", "B6.17"}, list(out.GetAttr("failed")))
	layer, _ := findings(out)["B6.6"].GetAttr("layer").AsBigFloat().Int64()
	require.Equal(t, int64(5), layer)

	_, _, err = on[Check](t, b, `image = "checked:2"
		dynamic = "false"
		preload = []`).Check()
	require.NoError(t, err, "a custom configuration that preloads nothing")
	_, _, err = on[Check](t, b, `image = "checked:2"
		dynamic = "false"
		ignore = ["B6.6", "B6.17"]`).Check()
	require.NoError(t, err)
}

func TestCheckReadsArchivesToo(t *testing.T) {
	b := at(t, "builder")
	database(t, b, "checked:3", "")
	archive := filepath.Join(t.TempDir(), "checked.tar")
	b.do(t, "docker", "save", "-o", archive, "checked:3")
	_, out, err := on[Check](t, b, `archive = "`+archive+`"`).Check()
	require.NoError(t, err)
	require.Len(t, list(out.GetAttr("passed")), 20)
	for args, want := range map[string]string{
		``:                                     "image",
		`image = "a"` + "\n" + `archive = "b"`: "archive",
		`archive = "a"` + "\n" + `dynamic = "true"`: "dynamic",
		`image = "a"` + "\n" + `ignore = ["B6.21"]`: "ignore",
	} {
		var arg *module.ArgError
		require.ErrorAs(t, on[Check](t, b, args).Validate(), &arg)
		require.Equal(t, want, arg.Arg)
	}
}

// A missing pgaudit is found in an image of 700 MB, of which nothing was read
// before, in less than five seconds.
func TestCheckOfALargeImageTakesSeconds(t *testing.T) {
	b := at(t, "builder")
	root, _ := serverHere(t)
	dir := database(t, b, "large:0", "")
	ballast := filepath.Join(dir, "ballast")
	require.NoError(t, os.Mkdir(ballast, 0o755))
	for _, name := range []string{"a", "b"} {
		require.NoError(t, exec.Command("dd", "if=/dev/urandom", "of="+filepath.Join(ballast, name), "bs=1M", "count=310", "status=none").Run())
	}
	require.NoError(t, os.WriteFile(filepath.Join(ballast, "Dockerfile"), []byte("FROM large:0\nUSER 0\nCOPY a /opt/a\nCOPY b /opt/b\nRUN rm "+root+"/lib/pgaudit.so\nUSER 26\n"), 0o644))
	b.do(t, "docker", "build", "-q", "--network=none", "-t", "large:1", ballast)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	start := time.Now()
	_, _, err := on[Check](t, b, `image = "large:1"
		dynamic = "false"`).Check()
	took := time.Since(start)
	t.Logf("%s in %s", b.do(t, "docker", "image", "inspect", "--format", "{{.Size}}", "large:1"), took)
	require.ErrorContains(t, err, "pgaudit.so is missing")
	require.Less(t, took, 5*time.Second)
	b.do(t, "docker", "image", "rm", "large:1", "large:0")
}

func TestLayersReadInDockersFolderAreThoseOfTheImage(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "here:1", layered("here"))
	info, err := dockerOn(on[Check](t, b, `image = "x"`).Env()).one(t.Context(), "here:1")
	require.NoError(t, err)
	folder, driver, err := dockerOn(on[Check](t, b, `image = "x"`).Env()).folder(t.Context())
	require.NoError(t, err)
	img, err := layerdb.Find(folder, driver, info.ID, info.RootFS.Layers)
	require.NoError(t, err)
	require.Len(t, img.Parts(), len(info.RootFS.Layers))
	for n, part := range img.Parts() {
		r, err := img.OpenLayer(n, false)
		require.NoError(t, err)
		sum := sha256.New()
		size, err := io.Copy(sum, io.NewSectionReader(r, 0, part.Size+1))
		require.NoError(t, err)
		require.NoError(t, r.Close())
		require.Equal(t, part.Size, size)
		require.Equal(t, info.RootFS.Layers[n], "sha256:"+hex.EncodeToString(sum.Sum(nil)), path.Join(folder, part.Digest))
	}
	_, err = layerdb.Find(t.TempDir(), driver, info.ID, info.RootFS.Layers)
	require.ErrorIs(t, err, layerdb.ErrNotHere)
	_, err = layerdb.Find(folder, "btrfs", info.ID, info.RootFS.Layers)
	require.ErrorIs(t, err, layerdb.ErrNotHere)
	_, err = layerdb.Find(folder, driver, info.ID, append(info.RootFS.Layers[:1:1], info.ID))
	require.ErrorIs(t, err, layerdb.ErrNotHere)
}

func TestCheckProvesAnImageInAContainer(t *testing.T) {
	b := at(t, "builder")
	database(t, b, "checked:4", "")
	step := on[Check](t, b, `image = "checked:4"
		dynamic = "true"`)
	_, out, err := step.Check()
	require.NoError(t, err)
	require.Len(t, list(out.GetAttr("passed")), 20)
	var proved []string
	for _, f := range out.GetAttr("findings").AsValueSlice() {
		if f.GetAttr("proved").True() {
			proved = append(proved, f.GetAttr("id").AsString())
		}
	}
	require.Equal(t, []string{"B6.2", "B6.4", "B6.5", "B6.6", "B6.7", "B6.10", "B6.12", "B6.14", "B6.17", "B6.19"}, slices.DeleteFunc(proved, func(id string) bool { return id == "B6.9" }))
	require.Contains(t, strings.Join(list(findings(out)["B6.7"].GetAttr("evidence")), "\n"), "an audited INSERT: SESSION,")
	require.Contains(t, strings.Join(list(findings(out)["B6.19"].GetAttr("evidence")), "\n"), "catalog version 2")
	noContainers(t, b)

	root, _ := serverHere(t)
	database(t, b, "checked:5", "RUN rm "+root+"/lib/pgaudit.so\n")
	_, out, err = on[Check](t, b, `image = "checked:5"
		dynamic = "true"
		fail_on = "never"`).Check()
	require.NoError(t, err)
	require.Contains(t, strings.Join(list(findings(out)["B6.17"].GetAttr("evidence")), "\n"), `FATAL:  could not access file "pgaudit.so"`)
	noContainers(t, b)
}

func TestAnImageThatCannotRunIsToldOf(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "shellless:1", layered("shellless"))
	_, _, err := on[Check](t, b, `image = "shellless:1"
		dynamic = "true"
		fail_on = "never"`).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "dynamic", arg.Arg)
	require.ErrorContains(t, err, "start a container of")
	noContainers(t, b)
	_, _, err = on[Check](t, b, `image = "shellless:1"
		fail_on = "never"`).Check()
	require.NoError(t, err)
}

// Whatever ends a probe, its container ends and is removed.
func TestAProbeLeavesNoContainerBehind(t *testing.T) {
	b := at(t, "builder")
	database(t, b, "checked:6", "RUN echo 'while :; do :; done' > /usr/local/bin/pgbackrest && chmod 755 /usr/local/bin/pgbackrest\n")
	kill := func(client *os.Process, _ func()) { _ = client.Kill() } // it may have ended just now
	cancel := func(_ *os.Process, cancel func()) { cancel() }
	for name, c := range map[string]struct {
		when func() bool
		end  func(client *os.Process, cancel func())
	}{
		"cancelled while it runs":                       {running(t, b), cancel},
		"cancelled while the container is made":         {anyTime, cancel},
		"its client killed while it runs":               {running(t, b), kill},
		"its client killed while the container is made": {anyTime, kill},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			step := on[Check](t, b, `image = "checked:6"
				dynamic = "true"
				fail_on = "never"`)
			done := make(chan error, 1)
			go func() {
				_, err := step.Module().Check(ctx, step.Env())
				done <- err
			}()
			client := probeClient(t)
			require.Eventually(t, c.when, time.Minute, 20*time.Millisecond)
			c.end(client, cancel)
			require.Error(t, <-done)
			noContainers(t, b)
		})
	}
}

func anyTime() bool { return true }

// running tells whether a container runs.
func running(t *testing.T, p place) func() bool {
	return func() bool { return p.do(t, "docker", "ps", "-q") != "" }
}

// probeClient waits for the docker client of a probe.
func probeClient(t *testing.T) *os.Process {
	t.Helper()
	var pid int
	require.Eventually(t, func() bool {
		out, _ := exec.Command("pgrep", "-f", "^docker run .*antdbctl-check-").Output()
		_, err := fmt.Sscan(string(out), &pid)
		return err == nil
	}, time.Minute, 10*time.Millisecond)
	p, err := os.FindProcess(pid)
	require.NoError(t, err)
	return p
}

func noContainers(t *testing.T, p place) {
	t.Helper()
	left := func() string {
		return p.do(t, "docker", "ps", "--all", "--filter", "name=antdbctl-check-", "--format", "{{.Names}} {{.Status}} {{.CreatedAt}}")
	}
	for deadline := time.Now().Add(20 * time.Second); left() != "" && time.Now().Before(deadline); {
		<-time.After(100 * time.Millisecond)
	}
	require.Empty(t, left())
	require.Empty(t, p.do(t, "docker", "volume", "ls", "-q"))
}
