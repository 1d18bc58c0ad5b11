package image

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
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
		var got Found
		require.NoError(t, gocty.FromCtyValue(files[p], &got))
		require.Equal(t, want, got, p)
	}
	is("/usr/pgsql-11/lib/pgaudit.so", Found{Exists: true, Type: "file", Size: 3, Mode: "0644", Path: "/usr/pgsql-11.5/lib/pgaudit.so", Layer: 1})
	is("/lib/old.so", Found{Exists: true, Type: "file", Size: 5, Mode: "0644", Path: "/usr/pgsql-11.5/lib/old.so", Layer: 2})
	is("/lib", Found{Exists: true, Type: "directory", Mode: "0755", Path: "/usr/pgsql-11.5/lib", Layer: 1})
	is("/nothing", Found{})
	is("/ring", Found{})
	is("/usr/pgsql-11/lib/pgaudit.so/x", Found{})

	_, _, err = on[Inspect](t, b, `image = "uninspected:1"`).Check()
	require.ErrorContains(t, err, "no image uninspected:1")
}

func TestInspectReadsTextsAndPrograms(t *testing.T) {
	b := at(t, "builder")
	program, err := os.ReadFile("/usr/bin/tar")
	require.NoError(t, err)
	image(t, b, "inspected:2", map[string]string{
		"Dockerfile": "FROM scratch\nCOPY root /\n", "root/bin/tar": string(program), "root/bin/broken": "\x7fELF", "root/etc/conf": "preload = pgaudit\n",
		"root/etc/binary": "\xff\xfe", "root/etc/link": "-> conf", "root/etc/long": strings.Repeat("x", maxText+1),
	})
	_, out, err := on[Inspect](t, b, `image = "inspected:2"
		paths    = ["/bin/tar", "/etc/conf", "/bin/broken", "/etc"]
		contents = ["/etc/link"]
		symbols  = { "/bin/tar" = ["malloc", "no_such_thing"] }`).Check()
	require.NoError(t, err)
	require.Equal(t, "preload = pgaudit\n", out.GetAttr("texts").AsValueMap()["/etc/link"].AsString())
	programs := out.GetAttr("programs").AsValueMap()
	require.Len(t, programs, 2, "a text is no program")
	require.Equal(t, "damaged", programs["/bin/broken"].GetAttr("kind").AsString())
	var got Program
	require.NoError(t, gocty.FromCtyValue(programs["/bin/tar"], &got))
	require.Equal(t, "program", got.Kind)
	require.Contains(t, got.Needed, "libc.so.6")
	require.Contains(t, got.Missing, "/bin/tar wants libc.so.6, which is not found")
	require.Regexp(t, `^2\.\d+$`, got.Glibc)
	require.Equal(t, map[string]string{"malloc": "wanted", "no_such_thing": "none"}, got.Symbols)

	for args, want := range map[string]string{
		`contents = ["/etc/none"]`:           "open /etc/none: file does not exist",
		`contents = ["/etc/binary"]`:         "/etc/binary is no text",
		`contents = ["/etc/long"]`:           "more than the 1.0 MiB that a runbook holds",
		`symbols = { "/etc/conf" = ["x"] }`:  "/etc/conf: no ELF file",
		`symbols = { "/bin/nothing" = [] }`:  "/bin/nothing",
		`symbols = { "/bin/broken" = ["x"]}`: "damaged ELF file",
	} {
		_, _, err := on[Inspect](t, b, "image = \"inspected:2\"\n"+args).Check()
		require.ErrorContains(t, err, want, args)
		argument, _, _ := strings.Cut(args, " ")
		require.Equal(t, argument, argumentOf(err), args)
	}
}

func argumentOf(err error) string {
	var arg *module.ArgError
	if errors.As(err, &arg) {
		return arg.Arg
	}
	return ""
}

func TestInspectTellsWhatEachLayerDidAndWasted(t *testing.T) {
	b := at(t, "builder")
	big := strings.Repeat("antdb", 10_000)
	image(t, b, "inspected:3", map[string]string{"Dockerfile": "FROM scratch\nCOPY a /a\nCOPY a /b\nCOPY c /a\nENV X=y\n", "a": big, "c": "small"})
	archive := filepath.Join(t.TempDir(), "image.tar")
	b.do(t, "docker", "save", "-o", archive, "inspected:3")
	var first cty.Value
	for _, source := range []string{`image = "inspected:3"`, `archive = "` + archive + `"`} {
		_, out, err := on[Inspect](t, b, source+"\ndetails = true").Check()
		require.NoError(t, err)
		var layers []LayerFacts
		require.NoError(t, gocty.FromCtyValue(out.GetAttr("history"), &layers))
		require.Len(t, layers, 3)
		require.Regexp(t, `^COPY .*/b`, layers[1].Command)
		require.Equal(t, LayerFacts{3, layers[2].Digest, layers[2].Command, layers[2].Size, 0, 1, 0, 0}, layers[2])
		var waste []WasteFacts
		require.NoError(t, gocty.FromCtyValue(out.GetAttr("waste"), &waste))
		require.Equal(t, []WasteFacts{{"/a", int64(len(big)), "overwritten", 1, 3, "/b"}}, waste)
		require.Equal(t, out.GetAttr("layers").LengthInt(), 3)
		require.Equal(t, "y", out.GetAttr("config").GetAttr("env").AsValueMap()["X"].AsString())
		require.Equal(t, []cty.Value{cty.StringVal("inspected:3")}, out.GetAttr("names").AsValueSlice())
		if first == cty.NilVal {
			first = out.GetAttr("id")
		}
		require.Equal(t, first, out.GetAttr("id"))
	}
}

func TestInspectTakesOneSourceAndAbsolutePaths(t *testing.T) {
	for args, want := range map[string]string{
		``:                                  "set image or archive",
		"image = \"a\"\narchive = \"b\"":    "not both",
		"image = \"a\"\npaths = [\"b\"]":    `"b" is no absolute path`,
		"image = \"a\"\ncontents = [\"b\"]": `"b" is no absolute path`,
		"image = \"a\"\nsymbols = { \"b\" = [\"c\"] }": `"b" is no absolute path`,
	} {
		require.ErrorContains(t, on[Inspect](t, nil, args).Validate(), want, args)
	}
}

// What rootfs makes of layers is what docker makes of them: the same files with
// the same owners, modes, sizes and links.
func TestTheTreeIsWhatAContainerWouldSee(t *testing.T) {
	b := at(t, "builder")
	shellBase(t, b)
	dir := folder(t, map[string]string{
		"Dockerfile": "FROM base-sh:1\nADD base.tar /t/\nADD upper.tar /t/\n" +
			"RUN cd /t && busybox rm -r gone lib d/sub && busybox mkdir d/sub && >d/sub/new && busybox mv file moved && busybox ln moved again\n" +
			"RUN busybox rm -r /t/usr && busybox mkdir -p /t/usr/lib && >/t/usr/lib/z && busybox chmod 4711 /t/bin/sh && busybox rm /t/s && busybox mkdir /t/s\n" +
			"RUN busybox chown -R 17:26 /t/d && busybox mkfifo /t/pipe && busybox rm -r /t/s && >/t/s\nADD last.tar /t/\n",
		"base.tar": tarOf(t, "bin/", "bin/sh x", "usr/lib/a.so one", "usr/lib/b.so two", "lib -> usr/lib", "d/", "d/old x", "d/sub/",
			"d/sub/x 1", "hard => usr/lib/a.so", "file 1", "gone/x 1", "s -> file"),
		"upper.tar": tarOf(t, "lib/new.so 1", "usr/lib/b.so three", "d/new 1", "file 22", "s -> bin/sh", "opt/deep/er/f 1", "u\u00fc 1"),
		"last.tar":  tarOf(t, "usr/lib/c.so => usr/lib/z", "hard 4444", "d/sub/", "d/sub/y 1"),
	})
	b.do(t, "docker", "build", "--network=none", "--tag=seen:1", dir)
	container := b.do(t, "docker", "create", "seen:1", "/bin/sh")
	exported := filepath.Join(t.TempDir(), "export.tar")
	b.do(t, "docker", "export", "-o", exported, container)
	b.do(t, "docker", "rm", container)
	text, err := os.ReadFile(exported)
	require.NoError(t, err)
	want := listed(t, text)

	step := on[Inspect](t, b, `image = "seen:1"
		paths = ["/"]`)
	m := step.Module().(*Inspect)
	_, err = m.Check(t.Context(), step.Env())
	require.NoError(t, err)
	var got []string
	for e := range m.Tree().All() {
		got = append(got, entryText(e))
	}
	require.Subset(t, want, got)
	for _, line := range want {
		if !slices.Contains(got, line) {
			require.Regexp(t, `^/(\.dockerenv|dev|etc|proc|sys)(/| )`, line, "docker's own")
		}
	}
}

// tarOf makes a tar: "NAME CONTENT", "NAME/", "NAME -> TARGET" for a symbolic
// link and "NAME => TARGET" for a hard one.
func tarOf(t *testing.T, items ...string) string {
	t.Helper()
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	for n, s := range items {
		h := &tar.Header{Mode: 0o751, Uid: 26, Gid: n}
		name, content, _ := strings.Cut(s, " ")
		if link, ok := strings.CutPrefix(content, "-> "); ok {
			h.Typeflag, h.Linkname, content = tar.TypeSymlink, link, ""
		} else if link, ok := strings.CutPrefix(content, "=> "); ok {
			h.Typeflag, h.Linkname, content = tar.TypeLink, link, ""
		} else if strings.HasSuffix(name, "/") {
			h.Typeflag = tar.TypeDir
		}
		h.Name, h.Size = name, int64(len(content))
		require.NoError(t, tw.WriteHeader(h))
		_, err := io.WriteString(tw, content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return out.String()
}

// listed are the entries of a tar, hard links as the files that they are.
func listed(t *testing.T, text []byte) []string {
	t.Helper()
	var out []string
	files := map[string]rootfs.Entry{}
	tr := tar.NewReader(bytes.NewReader(text))
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			slices.Sort(out)
			return out
		}
		require.NoError(t, err)
		e := rootfs.Entry{Path: filepath.Clean("/" + h.Name), Mode: h.FileInfo().Mode(), UID: h.Uid, GID: h.Gid, Size: h.Size, Link: h.Linkname}
		if h.Typeflag == tar.TypeLink {
			name := e.Path
			e = files[filepath.Clean("/"+h.Linkname)]
			e.Path = name
		}
		files[e.Path] = e
		out = append(out, entryText(e))
	}
}

func entryText(e rootfs.Entry) string {
	return fmt.Sprintf("%s %s %d:%d %d %s", e.Path, e.Mode, e.UID, e.GID, e.Size, e.Link)
}
