package lint

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/buildcontext"
)

// find applies the rules to a Dockerfile with files beside it.
func find(t *testing.T, text string, files map[string]string, in Input, ignore ...string) []Finding {
	t.Helper()
	dir := t.TempDir()
	files = withDockerfile(files, text)
	for name, content := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	folder, err := buildcontext.Open(dir, "Dockerfile")
	require.NoError(t, err)
	in.Name, in.Context = "Dockerfile", folder
	in.File, err = folder.Read()
	require.NoError(t, err)
	return Check(in, ignore)
}

func withDockerfile(files map[string]string, text string) map[string]string {
	all := map[string]string{"Dockerfile": text}
	for name, content := range files {
		all[name] = content
	}
	return all
}

// tarball is a tar archive of one file of n bytes that do not compress, packed
// with gzip when asked.
func tarball(t *testing.T, n int, zip bool) string {
	t.Helper()
	var plain, packed bytes.Buffer
	tw := tar.NewWriter(&plain)
	require.NoError(t, tw.WriteHeader(&tar.Header{Name: "bin/postgres", Mode: 0o755, Size: int64(n), Format: tar.FormatUSTAR}))
	body, seed := make([]byte, n), uint32(1)
	for i := range body {
		seed = seed*1664525 + 1013904223
		body[i] = byte(seed >> 24)
	}
	_, err := tw.Write(body)
	require.NoError(t, err)
	require.NoError(t, tw.Close())
	if !zip {
		return plain.String()
	}
	zw := gzip.NewWriter(&packed)
	_, err = zw.Write(plain.Bytes())
	require.NoError(t, err)
	require.NoError(t, zw.Close())
	return packed.String()
}

func lines(found []Finding) (list []string) {
	for _, f := range found {
		list = append(list, fmt.Sprintf("%d %s %s", f.Line, f.Level, f.Rule))
	}
	return list
}

var big = strings.Repeat("x", 2<<20)

// Each rule with what it finds and with what it must leave alone.
func TestRules(t *testing.T) {
	tgz := tarball(t, 1000, true)
	pkg := map[string]string{"pkg/antdb.tar.gz": tgz, "big": big, "conf/a": big, "small": "x"}
	for name, c := range map[string]struct {
		text  string
		files map[string]string
		want  []string
	}{
		"tar from another place":            {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN tar -xf antdb.tar.gz -C /usr/pgsql-11\n", pkg, []string{"3 error tar-elsewhere"}},
		"tar from another place, old style": {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN cd / && tar xzf ./antdb.tar.gz\n", pkg, []string{"3 error tar-elsewhere"}},
		"tar of what a folder brought":      {"FROM x:1\nCOPY pkg/ /pkg/\nRUN tar -xf /tmp/antdb.tar.gz\n", pkg, []string{"3 error tar-elsewhere"}},
		"tar by an ARG":                     {"FROM x:1\nARG T=antdb.tar.gz\nCOPY pkg/$T /tmp/\nRUN tar -x --file ${T}\n", pkg, []string{"4 error tar-elsewhere"}},
		"tar from the place":                {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN tar -xf /tmp/antdb.tar.gz && cd /tmp && tar xf antdb.tar.gz\n", pkg, nil},
		"tar in the working directory":      {"FROM x:1\nWORKDIR /tmp\nCOPY pkg/antdb.tar.gz .\nRUN tar -xf antdb.tar.gz\n", pkg, nil},
		"tar of what was moved":             {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN mv /tmp/antdb.tar.gz / && tar -xf antdb.tar.gz\n", pkg, nil},
		"tar of what was fetched":           {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN wget http://site/antdb.tar.gz\nRUN tar -xf antdb.tar.gz\n", pkg, nil},
		"tar that writes":                   {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN tar -cf antdb.tar.gz /etc\n", pkg, nil},
		"tar of a stage's file":             {"FROM x:1 AS a\nFROM y:1\nCOPY --from=a /out/antdb.tar.gz /tmp/\nRUN tar -xf antdb.tar.gz\n", pkg, []string{"4 error tar-elsewhere"}},

		"ADD then tar":     {"FROM x:1\nADD pkg/antdb.tar.gz /tmp/\nRUN tar -xf /tmp/antdb.tar.gz\n", pkg, []string{"3 error add-extracts"}},
		"ADD of a zip":     {"FROM x:1\nADD a.zip /tmp/\n", map[string]string{"a.zip": "PK\x03\x04rest"}, []string{"2 warning add-keeps"}},
		"ADD of a tarball": {"FROM x:1\nADD pkg/antdb.tar.gz /usr/pgsql-11/\n", pkg, nil},

		"plain tar as gzip":     {"FROM x:1\nCOPY a.tar.gz /tmp/\nRUN tar -xf /tmp/a.tar.gz\n", map[string]string{"a.tar.gz": tarball(t, 10, false)}, []string{"2 warning archive-type"}},
		"plain tar, but tar -z": {"FROM x:1\nCOPY a.tar.gz /tmp/\nRUN tar -zxf /tmp/a.tar.gz\n", map[string]string{"a.tar.gz": tarball(t, 10, false)}, []string{"3 error archive-type"}},
		"xz as tar":             {"FROM x:1\nCOPY dir /d/\n", map[string]string{"dir/a.tar": "\xfd7zXZ\x00..."}, []string{"2 warning archive-type"}},
		"web page":              {"FROM x:1\nCOPY a.tgz /tmp/\n", map[string]string{"a.tgz": "\n<!DOCTYPE html><title>404</title>"}, []string{"2 error archive-broken"}},
		"git lfs":               {"FROM x:1\nADD a.tgz /tmp/\n", map[string]string{"a.tgz": "version https://git-lfs.github.com/spec/v1\noid sha256:0"}, []string{"2 error archive-broken"}},
		"empty":                 {"FROM x:1\nCOPY p /p\n", map[string]string{"p/a.tar.gz": ""}, []string{"2 error archive-broken"}},
		"cut off":               {"FROM x:1\nCOPY a.tar.gz /\n", map[string]string{"a.tar.gz": tgz[:len(tgz)-300]}, []string{"2 error archive-broken"}},
		"damaged":               {"FROM x:1\nCOPY a.tar.gz /\n", map[string]string{"a.tar.gz": tgz[:500] + "\x00\x00" + tgz[502:]}, []string{"2 error archive-broken"}},
		"whole, by wildcard":    {"FROM x:1\nCOPY pkg/*.tar.gz /\n", pkg, nil},
		"not in the image":      {"FROM x:1\nCOPY small /\n", map[string]string{"small": "", "a.tgz": "<html>"}, nil},

		"rm of a copy":          {"FROM x:1\nCOPY big /tmp/\nRUN install /tmp/big && rm -f /tmp/big\n", pkg, []string{"3 warning removed-later"}},
		"rm of a folder":        {"FROM x:1\nCOPY conf /opt/conf\nRUN rm -rf /opt\n", pkg, []string{"3 warning removed-later"}},
		"rm of a folder's file": {"FROM x:1\nCOPY conf/ /conf/\nRUN rm /conf/a\n", pkg, []string{"3 warning removed-later"}},
		"rm of no such file":    {"FROM x:1\nCOPY conf/ /conf/\nRUN rm -f /conf/b\n", pkg, nil},
		"rm by wildcard":        {"FROM x:1\nCOPY big /tmp/\nRUN rm -rf /tmp/*\n", pkg, []string{"3 warning removed-later"}},
		"rm of little":          {"FROM x:1\nCOPY small /tmp/\nRUN rm /tmp/small\n", pkg, nil},
		"rm of something":       {"FROM x:1\nCOPY big /tmp/\nRUN rm -rf /var/cache/* /tmp/bigger\n", pkg, nil},
		"rm in another stage":   {"FROM x:1\nCOPY big /tmp/\nFROM x:1\nRUN rm /tmp/big\n", pkg, nil},
		"mv of a copy":          {"FROM x:1\nCOPY big /tmp/\nRUN mv /tmp/big /usr/bin/\n", pkg, []string{"3 warning moved-later"}},
		"chmod of a copy":       {"FROM x:1\nADD big /opt/bin/\nRUN chmod +x /opt/bin/big\n", pkg, []string{"3 warning mode-later"}},
		"chown of a folder":     {"FROM x:1\nCOPY conf/ /opt/conf\nRUN mkdir /x && chown -R 26:26 /opt /x\n", pkg, []string{"3 warning mode-later"}},
		"chown of an unpacked":  {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN tar -xf /tmp/antdb.tar.gz -C /usr/pgsql-11\nRUN chown -R 26 /usr/pgsql-11\n", pkg, []string{"4 warning mode-later"}},
		"chmod with tar":        {"FROM x:1\nCOPY pkg/antdb.tar.gz /tmp/\nRUN tar -xf /tmp/antdb.tar.gz -C /usr/pgsql-11 && chmod -R 755 /usr/pgsql-11\n", pkg, nil},
		"chown not downward":    {"FROM x:1\nCOPY conf/ /opt/conf\nRUN chown 26:26 /opt\n", pkg, nil},
		"cp and rm":             {"FROM x:1\nRUN cp -fr /usr/pgsql-11 /usr/pgsql-11-bak && rm -Rf /usr/pgsql-11/*\n", pkg, []string{"2 warning copied-away"}},
		"cp of its own":         {"FROM x:1\nRUN mkdir /w && cp -r /w /v && rm -rf /w\n", pkg, nil},

		"latest base":     {"FROM centos:latest AS a\nFROM corp:5000/base\nFROM a\nFROM scratch\nFROM x@sha256:00\nFROM $UNKNOWN\n", nil, []string{"1 warning base-latest", "2 warning base-latest"}},
		"base by an ARG":  {"ARG V=latest\nFROM x:$V\n", nil, []string{"2 warning base-latest"}},
		"closed mirrors":  {"FROM docker.io/centos:7.7.1908\nRUN yum -y update && yum -y install gcc\nRUN yum install x\n", nil, []string{"2 warning base-eol"}},
		"own packages":    {"FROM centos:7\nRUN rpm -i /x.rpm\nFROM rockylinux:9\nRUN dnf -y install gcc\n", nil, nil},
		"secrets":         {"FROM x:1\nARG DB_PASSWORD\nENV API_TOKEN=x A=1\nARG PASSWORD_FILE\n", nil, []string{"2 warning secret-arg", "3 warning secret-arg"}},
		"URL":             {"FROM x:1\nADD https://example.org/a.txt /\nADD --checksum=sha256:00 https://example.org/a.txt /\n", nil, []string{"2 warning add-url"}},
		"frontend":        {"# syntax=docker/dockerfile:1\nFROM x:1\n", nil, []string{"1 warning syntax-pull"}},
		"lost export":     {"FROM x:1\nRUN export A=1 && true\nRUN echo $A\nRUN echo ${A}\nRUN A=2; echo $A\n", nil, []string{"3 warning lost-export", "4 warning lost-export"}},
		"export at end":   {"FROM x:1\nRUN true; export A=1\n", nil, []string{"2 warning lost-export"}},
		"export and ENV":  {"FROM x:1\nRUN export A=1 && true\nENV A=1\nRUN echo $A\n", nil, nil},
		"export over ARG": {"FROM x:1\nARG V=2\nRUN export V=1 W=1 && make\n", nil, []string{"3 warning export-over-arg"}},
		"lost cd":         {"FROM x:1\nRUN mkdir /w && cd /w\nRUN cd /w && make\n", nil, []string{"2 warning lost-cd"}},

		"history":           {"FROM x:1\n|7 A=1 /bin/sh -c true\n/bin/sh -c true\nRUN /bin/sh -c #(nop) CMD [\"a\"]\nEXPOSE map[5432/tcp:{}]\nRUN make # buildkit\n#|7 a comment\n", nil, []string{"2 error history-text", "3 error history-text", "4 error history-text", "5 error history-text", "6 warning history-text"}},
		"no JSON":           {"FROM x:1\nCMD [\"a\" \"b\"]\nENTRYPOINT ['a']\nVOLUME [/a /b]\n", nil, []string{"2 error exec-form", "3 error exec-form", "4 error exec-form"}},
		"JSON":              {"FROM x:1\nCMD [ \"a\", \"b\" ]\nVOLUME /a /b\nRUN [ -f /x ] && true\nRUN [ \"$A\" = 1 ] && true\nENTRYPOINT a [b]\n", nil, nil},
		"bash":              {"FROM debian:12\nRUN echo ${V//.}\nRUN [[ -f /x ]]\nSHELL [\"/bin/bash\", \"-c\"]\nRUN set -o pipefail\n", nil, []string{"2 warning bash-only", "3 warning bash-only"}},
		"bash where it is":  {"FROM centos:9\nRUN echo ${V//.}\n", nil, nil},
		"CR LF":             {"FROM x:1\r\nCOPY run.sh /\r\n", map[string]string{"run.sh": "#!/bin/sh\ntrue\n"}, []string{"1 warning crlf"}},
		"CR LF in a script": {"FROM x:1\nCOPY bin /bin/\n", map[string]string{"bin/run": "#!/bin/sh\r\ntrue\r\n", "bin/text": "hello\r\n"}, []string{"2 warning crlf-script"}},
	} {
		t.Run(name, func(t *testing.T) {
			found := find(t, c.text, c.files, Input{})
			require.Equal(t, c.want, lines(found), "%v", found)
			for _, f := range found {
				require.NotEmpty(t, f.What)
				require.NotEmpty(t, f.Why)
				require.NotEmpty(t, f.Remedy)
			}
		})
	}
}

func TestEveryRuleIsTested(t *testing.T) {
	source, err := os.ReadFile("lint_test.go")
	require.NoError(t, err)
	for _, rule := range Rules {
		require.Contains(t, string(source), rule.ID+`"`, "no test finds it")
		require.NotEmpty(t, rule.About)
		require.True(t, Known(rule.ID))
	}
	require.False(t, Known("nosuch"))
}

func TestNamesAndArguments(t *testing.T) {
	in := Input{Tags: []string{"antdb-ha", "antdb-ha:latest", "corp:5000/antdb", "corp:5000/antdb:4.1"}, Args: map[string]string{"PG_MAJR": "11", "V": "1"}}
	found := find(t, "FROM x:1\nARG V\n", nil, in)
	require.Equal(t, []string{"0 warning tag-latest", "0 warning tag-latest", "0 warning tag-latest", "0 warning unknown-arg"}, lines(found))
	require.Equal(t, "Dockerfile: args sets PG_MAJR; no ARG line asks for it, so it has no effect [unknown-arg]", found[3].String())
	require.Empty(t, find(t, "FROM x:1\nARG V\n", nil, in, "tag-latest", "unknown-arg"))
}

// The Dockerfile of the story, as it was written.
func TestTheStory(t *testing.T) {
	text, err := os.ReadFile("testdata/story.Dockerfile")
	require.NoError(t, err)
	found := find(t, string(text), map[string]string{
		"pkg/antdb41.tar.gz": tarball(t, 3<<20, false), "yq": big, "licenses/x": "", "bin/postgres-ha/bootstrap-postgres-ha.sh": "#!/bin/bash\n",
		"bin/common/common_lib.sh": "", "conf/postgres-ha/x": "", "tools/pgmonitor/exporter/postgres/x": "",
	}, Input{Args: map[string]string{"PG_MAJOR": "11"}, Tags: []string{"crunchydata/antdb-ha:latest"}})
	got := lines(found)
	require.Equal(t, "48 error tar-elsewhere", got[0])
	require.Contains(t, found[0].String(), "Dockerfile:48: tar reads antdb41.tar.gz, which is /antdb41.tar.gz here; line 47 puts it at /tmp/antdb41.tar.gz, so there is no such file")
	require.Equal(t, "write /tmp/antdb41.tar.gz in this line", found[0].Remedy)
	for _, want := range []string{
		"0 warning tag-latest", "9 warning base-eol", "9 warning export-over-arg", "42 warning mode-later", "47 warning archive-type", "48 warning copied-away",
	} {
		require.Contains(t, got, want)
	}
	require.NotContains(t, got, "34 warning mode-later", "that chown comes before anything is copied")
	for _, f := range found[1:] {
		require.Equal(t, Warning, f.Level, f.String())
	}
}

func TestCommandsOfAScript(t *testing.T) {
	script := `set -ex; cd "/opt/x y" && A=1 B='two words' make -j2 # a comment; rm /
if [ -n "$V" ]; then tar -xf ${V:-a b} -C /d 2>/dev/null | cat; fi
( cd sub && rm -rf $(find . -name '*.o') \
   b\ c ) && export X=1 Y="2" > /log`
	var got []string
	for _, c := range commands(script, "/") {
		got = append(got, fmt.Sprintf("%s %q", c.dir, c.words))
	}
	require.Equal(t, []string{
		`/ ["set" "-ex"]`, `/ ["cd" "/opt/x y"]`, `/opt/x y ["make" "-j2"]`, `/opt/x y ["[" "-n" "$V" "]"]`, `/opt/x y ["tar" "-xf" "${V:-a b}" "-C" "/d"]`,
		`/opt/x y ["cat"]`, `/opt/x y ["cd" "sub"]`, `/opt/x y/sub ["rm" "-rf" "$(find . -name '*.o')" "b c"]`, `/opt/x y/sub ["export" "X=1" "Y=2"]`,
	}, got)
	require.NotPanics(t, func() {
		for _, odd := range []string{"'", `"a`, "\\", "$", "${", "$(a", "a >", "<", "`x", "#"} {
			commands(odd, "/")
		}
	})
}
