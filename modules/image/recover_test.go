package image

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestRecoverExample(t *testing.T) { moduletest.Example(t, module.Of[Recover]()) }

// shellFiles are a root file system in which RUN lines run: busybox with what it
// is linked to.
func shellFiles(t *testing.T) map[string]string {
	t.Helper()
	path, err := exec.LookPath("busybox")
	require.NoError(t, err)
	files := map[string]string{
		"root/etc/passwd": "root:x:0:0:root:/:/bin/sh\n", "root/etc/group": "root:x:0:\n",
		"root/etc/os-release": "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n",
	}
	needed, _ := exec.Command("ldd", path).Output() // nothing, for a static one
	for _, word := range append(strings.Fields(string(needed)), path) {
		if !filepath.IsAbs(word) {
			continue
		}
		content, err := os.ReadFile(word)
		require.NoError(t, err)
		if word == path {
			word = "/bin/busybox"
		}
		files["root"+word] = string(content)
	}
	for _, applet := range strings.Fields("sh ls mkdir chmod chown touch cat echo rm ln cp mv env adduser sed grep") {
		files["root/bin/"+applet] = "-> busybox"
	}
	return files
}

// recoverBase makes the image recover-base:1, in which RUN lines run.
func recoverBase(t *testing.T, p place) {
	t.Helper()
	dir := folder(t, shellFiles(t))
	for _, dirs := range []string{"root/bin", "root/lib", "root/lib64"} {
		_ = filepath.WalkDir(filepath.Join(dir, dirs), func(name string, _ os.DirEntry, _ error) error {
			if info, err := os.Lstat(name); err == nil && info.Mode().IsRegular() {
				return os.Chmod(name, 0o755)
			}
			return nil
		})
	}
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "root/tmp"), 0o755))
	require.NoError(t, exec.Command("tar", "-C", filepath.Join(dir, "root"), "--owner=0", "--group=0", "-cf", filepath.Join(dir, "root.tar"), ".").Run())
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "root")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Dockerfile"),
		[]byte("FROM scratch\nADD root.tar /\nENV PATH=/bin\nLABEL org.label-schema.name=\"Base Image\" x=y\nCMD [\"/bin/sh\"]\n"), 0o644))
	buildDir(t, p, "recover-base:1", dir)
}

// buildDir builds a folder with docker, and gives the image's ID.
func buildDir(t *testing.T, p place, tag, dir string, more ...string) string {
	t.Helper()
	context, err := exec.Command("tar", "-C", dir, "-c", ".").Output()
	require.NoError(t, err)
	args := append([]string{"docker", "build", "--tag", tag}, more...)
	runWith(t, p, context, append(args, "-")...)
	return p.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", tag)
}

// words are a list of strings.
func words(v cty.Value) (list []string) {
	for _, e := range v.AsValueSlice() {
		list = append(list, e.AsString())
	}
	return list
}

// runWith runs a command with standard input.
func runWith(t *testing.T, p place, stdin []byte, args ...string) {
	t.Helper()
	out, err := p.Run(t.Context(), conn.Cmd{Args: args, Stdin: bytes.NewReader(stdin)})
	require.NoError(t, err, out.Stdout)
}

// seed is the history of crunchy-postgres-ha, as the manual deployment printed
// it.
const seed = "recovery/testdata/crunchy-postgres-ha.txt"

// standIns are programs that the seed's RUN lines call and that need a registry
// of packages: they leave a mark that they were called with these words.
const standIns = `#!/bin/sh
echo "$0 $*" >> /called
case "$0 $*" in
*yum*install*postgresql11-server*) mkdir -p /var/lib/pgsql /usr/pgsql-11/bin; echo postgres:x:26:26::/var/lib/pgsql:/bin/sh >> /etc/passwd; echo postgres:x:26: >> /etc/group ;;
*yum*install*https*) mkdir -p /etc/yum.repos.d; echo enabled=1 > /etc/yum.repos.d/pgdg-redhat.repo ;;
esac
`

func TestSeedHistoryBuildsOnAStandInBase(t *testing.T) {
	for name, b := range builders(t) {
		t.Run(name, func(t *testing.T) {
			recoverBase(t, at(t, "builder"))
			files := map[string]string{"Dockerfile": "FROM recover-base:1\nCOPY bin/ /bin/\n"}
			for _, program := range []string{"yum", "pip3", "useradd"} {
				files["bin/"+program] = standIns
			}
			dir := folder(t, files)
			for _, program := range []string{"yum", "pip3", "useradd"} {
				require.NoError(t, os.Chmod(filepath.Join(dir, "bin", program), 0o755))
			}
			buildDir(t, at(t, "builder"), "centos:7.7.1908", dir)
			to := filepath.Join(t.TempDir(), "out")
			here, err := os.Getwd()
			require.NoError(t, err)
			out := on[Recover](t, b, `history = "`+filepath.Join(here, seed)+`"
				to = "`+to+`"`).Converge(module.Create)
			require.Equal(t, "centos:7.7.1908", out.GetAttr("from").GetAttr("name").AsString())
			for _, need := range words(out.GetAttr("needs")) {
				file, _, _ := strings.Cut(need, " ")
				p := filepath.Join(to, file)
				if file != "yq" {
					p = filepath.Join(p, "a.file")
				}
				require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
				require.NoError(t, os.WriteFile(p, []byte(need), 0o644))
			}
			buildDir(t, b, "recover-seed:1", to, "--network", "none")
			require.Equal(t, `["/opt/cpm/bin/bootstrap-postgres-ha.sh"] ["/usr/local/bin/patroni"] 26`,
				b.do(t, "docker", "image", "inspect", "--format", "{{json .Config.Entrypoint}} {{json .Config.Cmd}} {{.Config.User}}", "recover-seed:1"))
			require.Contains(t, b.do(t, "docker", "image", "inspect", "--format", "{{json .Config.Env}}", "recover-seed:1"),
				`"PGROOT=/usr/pgsql-11","PGVERSION=11"`)
			called := b.do(t, "docker", "run", "--rm", "--network", "none", "--entrypoint", "/bin/cat", "recover-seed:1", "/called")
			require.Contains(t, called, "/bin/yum -y install --enablerepo=pgdg11 --setopt=skip_missing_names_on_install=False openssh-clients openssh-server pgaudit13_11 pgbackrest-2.20 postgresql11-contrib postgresql11-server postgresql11-plpython psmisc rsync")
			require.Contains(t, called, "/bin/pip3 install patroni[kubernetes]==1.6.3")
		})
	}
}

func TestLinesThatCannotRunAreReportedAndTheRestIsCompared(t *testing.T) {
	for name, b := range builders(t) {
		t.Run(name, func(t *testing.T) {
			recoverBase(t, at(t, "builder"))
			tag := "recover-offline-" + name + ":1"
			buildDir(t, b, tag, folder(t, map[string]string{
				"Dockerfile": "FROM recover-base:1\nRUN echo first > /first\n" +
					"RUN grep mirror /etc/hosts || { echo no mirror; exit 7; }; echo package > /package; rm /etc/os-release\n" +
					"RUN cat /package > /copy\nCOPY f /f\nUSER 26\n", "f": "1",
			}), "--network", "none", "--add-host", "mirror:127.0.0.9")
			to := filepath.Join(t.TempDir(), "out")
			out := on[Recover](t, b, `image = "`+tag+`"
				to      = "`+to+`"
				network = "none"
				verify  = true`).Converge(module.Create)
			require.True(t, out.GetAttr("same").False())
			differences := words(out.GetAttr("differences"))
			require.Len(t, differences, 1)
			require.Contains(t, differences[0], "RUN grep mirror /etc/hosts || { echo no mirror; exit 7; }")
			require.Contains(t, differences[0], "cannot run here (no mirror)")
		})
	}
}

func TestBaseThatIsNotThereIsTakenFromTheImageToVerify(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	recoverBase(t, b)
	buildDir(t, b, "recover-away:1", folder(t, map[string]string{
		"Dockerfile": "FROM recover-base:1\nRUN echo one > /one\nCOPY f /opt/f\nENV X=1\nUSER 26\n", "f": "f",
	}), "--network", "none")
	dir := t.TempDir()
	b.do(t, "docker", "image", "save", "--output", dir+"/away.tar", "recover-away:1")
	body := `archive = "` + dir + `/away.tar"
		to      = "` + dir + `/out"
		network = "none"`
	plain := on[Recover](t, n, body).Converge(module.Create)
	require.Equal(t, "debian:bookworm", plain.GetAttr("from").GetAttr("name").AsString())
	require.Equal(t, "likely", plain.GetAttr("from").GetAttr("certainty").AsString())
	require.True(t, plain.GetAttr("same").False(), "nobody asked to verify")

	verified := on[Recover](t, n, body+"\n verify = true").Converge(module.Update)
	require.Empty(t, words(verified.GetAttr("differences")))
	require.True(t, verified.GetAttr("same").True())
	require.Empty(t, n.do(t, "docker", "image", "ls", "--quiet", "antdbctl-recovered"), "the rebuilt image is taken away")

	on[Recover](t, n, body+"\n flatten = true").Converge(module.Replace)
	text, err := os.ReadFile(dir + "/out/Dockerfile")
	require.NoError(t, err)
	require.Contains(t, string(text), "FROM scratch\nADD base.tar /\n")

	require.NoError(t, os.WriteFile(dir+"/out/Dockerfile", append(text, "LABEL mine=1\n"...), 0o644))
	mine := on[Recover](t, n, body+"\n flatten = true\n verify = true").Converge(module.Update)
	require.Equal(t, []string{`Labels: map["org.label-schema.name":"Base Image" "x":"y"], now map["mine":"1" "org.label-schema.name":"Base Image" "x":"y"]`},
		words(mine.GetAttr("differences")), "an edited Dockerfile is verified as it is")
	_, _, err = on[Recover](t, n, body).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "to", arg.Arg)
	require.ErrorContains(t, err, "was edited since")
}

func TestRecoverNamesTheArgumentAtFault(t *testing.T) {
	dir := folder(t, map[string]string{"letter.txt": "Dear reader,\n", "full/file": ""})
	for name, c := range map[string]struct{ args, arg, says string }{
		"no source":       {``, "image", "set one of image, archive and history"},
		"two sources":     {"image = \"x\"\n archive = \"y\"", "image", "set one of"},
		"flatten of text": {"history = \"x\"\n flatten = true", "flatten", "needs the image"},
		"verify of text":  {"history = \"x\"\n verify = true", "verify", "needs the image"},
		"no such text":    {`history = "` + dir + `/none"`, "history", "no such file"},
		"no history":      {`history = "` + dir + `/letter.txt"`, "history", "no output of `docker history --no-trunc`"},
		"no such archive": {`archive = "` + dir + `/none.tar"`, "archive", "none.tar"},
	} {
		t.Run(name, func(t *testing.T) {
			step := on[Recover](t, unreachable{}, c.args+"\n to = \""+dir+"/out\"")
			err := step.Validate()
			if err == nil {
				_, _, err = step.Check()
			}
			var arg *module.ArgError
			require.ErrorAs(t, err, &arg)
			require.Equal(t, c.arg, arg.Arg)
			require.ErrorContains(t, err, c.says)
		})
	}
	here, err := os.Getwd()
	require.NoError(t, err)
	_, _, err = on[Recover](t, unreachable{}, `history = "`+filepath.Join(here, seed)+`"
		to = "`+dir+`/full"`).Check()
	require.ErrorContains(t, err, "full has other files in it (file)")
}
