package image

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, text string) []instruction {
	t.Helper()
	list, err := parseDockerfile(strings.NewReader(text))
	require.NoError(t, err)
	return list
}

func TestDockerfileLines(t *testing.T) {
	list := parse(t, "# escape=`\n# a comment\nfrom scratch `\n  # within\n\n  AS one\r\nRUN <<EOF cat && <<-'X' tee /f\nFROM not\nEOF\n\tARG not\n\tX\nCOPY a b\nLABEL end=1 `")
	got := []string{}
	for _, in := range list {
		got = append(got, in.verb)
	}
	require.Equal(t, []string{"FROM", "RUN", "COPY", "LABEL"}, got)
	require.Equal(t, []int{3, 7, 12, 13}, []int{list[0].line, list[1].line, list[2].line, list[3].line})
	require.Equal(t, stage{image: "scratch", name: "one"}, list[0].from())
	require.Contains(t, list[1].text, "FROM not")
}

func TestSourcesOfCopies(t *testing.T) {
	for text, want := range map[string][]string{
		"COPY --chown=1:1 a b/c /d/":                 {"a", "b/c"},
		`ADD ["with blank", "x", "/d/"]`:             {"with blank", "x"},
		"COPY --from=build /a /b":                    nil,
		"ADD https://example.org/x.tar.gz /":         nil,
		"COPY *.so ${X} plain /lib/":                 {"plain"},
		"COPY <<EOF /f\nx\nEOF":                      nil,
		"RUN cp a b":                                 nil,
		"ADD git@example.org:repo.git local.tgz /x/": {"local.tgz"},
	} {
		require.Equal(t, want, parse(t, text)[0].sources(), text)
	}
}

func TestBaseImages(t *testing.T) {
	list := parse(t, `ARG BASE=corp/base:1
ARG TAG=7
FROM ${BASE} AS build
FROM --platform=linux/amd64 centos:${TAG}
FROM ${MISSING:-debian:12} AS Tools
FROM build
COPY --from=tools /a /a
COPY --from=0 /a /a
COPY --from=nginx:1 /a /a
FROM scratch
FROM ${UNKNOWN}
`)
	require.Equal(t, []string{"corp/base:1", "centos:8", "debian:12", "nginx:1"}, bases(list, map[string]string{"TAG": "8"}))
	require.Len(t, upTo(list, "build"), 3)
	require.Len(t, upTo(list, "1"), 4)
	require.Len(t, upTo(list, "nosuch"), len(list))
}

func TestUnsetArgs(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		args map[string]string
		want []string
	}{
		"the story": {
			"FROM centos:7\nARG PG_MAJOR\nENV PGROOT=\"/usr/pgsql-${PG_MAJOR}\" PGVERSION=\"${PG_MAJOR}\"\nARG BACKREST_VER\n" +
				"RUN yum -y install --enablerepo=\"pgdg${PG_MAJOR//.}\" \\\n  pgbackrest-${BACKREST_VER}\n",
			nil, []string{"PG_MAJOR (declared in line 2, used in line 3)", "BACKREST_VER (declared in line 4, used in line 5)"},
		},
		"given":                       {"FROM x\nARG A\nRUN echo $A\n", map[string]string{"A": "1"}, nil},
		"given as empty":              {"FROM x\nARG A\nRUN echo $A\n", map[string]string{"A": ""}, nil},
		"default":                     {"FROM x\nARG A=1 B=\nRUN echo $A$B\n", nil, nil},
		"not used":                    {"FROM x\nARG A\nRUN echo $B\n", nil, nil},
		"fallback":                    {"FROM x\nARG A\nRUN echo ${A:-1} ${A+x} \\$A\n", nil, nil},
		"tested by the shell":         {"FROM x\nARG A\nRUN if [ -n \"$A\" ]; then tar xf $A; fi\n", nil, nil},
		"set by the shell":            {"FROM x\nARG A\nRUN A=$(date); echo $A\n", nil, nil},
		"set by ENV":                  {"FROM x\nENV A 1\nARG A\nRUN echo $A\n", nil, nil},
		"ENV of the stage below":      {"FROM x AS one\nENV A=1\nFROM one\nARG A\nRUN echo $A\n", nil, nil},
		"before FROM":                 {"ARG V\nFROM x:$V\n", nil, []string{"V (declared in line 1, used in line 2)"}},
		"before FROM, with default":   {"ARG V=1\nFROM x:$V\nARG V\nRUN echo $V\n", nil, nil},
		"not declared in the stage":   {"ARG V=1\nFROM x\nRUN echo $V\n", nil, nil},
		"an ARG does not outlive its": {"FROM x\nARG A\nFROM y\nRUN echo $A\n", nil, nil},
		"in the default of another":   {"FROM x\nARG A\nARG B=v$A\nRUN echo $B\n", nil, []string{"A (declared in line 2, used in line 3)"}},
		"builder's own":               {"FROM x\nARG TARGETARCH HTTP_PROXY\nRUN echo $TARGETARCH $HTTP_PROXY\n", nil, nil},
		"not expanded":                {"FROM x\nARG A\nCMD echo $A\n", nil, nil},
		"set by the base image":       {"FROM x\nARG FROM_BASE\nRUN echo $FROM_BASE\n", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, u := range unset(parse(t, c.text), c.args, map[string]bool{"FROM_BASE": true}) {
				got = append(got, u.String())
			}
			require.Equal(t, c.want, got)
		})
	}
	require.Equal(t, []string{"PG_LBL", "PG_MAJR"},
		undeclared(parse(t, "FROM x\nARG PG_MAJOR\n"), map[string]string{"PG_MAJR": "", "PG_MAJOR": "", "PG_LBL": "", "http_proxy": ""}))
}

func TestIgnoreRules(t *testing.T) {
	rules, err := parseIgnore(strings.NewReader("\ufeff# comment\n*.tar\n**/*.log\ndocs\n!docs/keep.md\n/bin/**\n\nfile?\n[ab]c\n.\n"))
	require.NoError(t, err)
	for name, out := range map[string]bool{
		"a.tar": true, "pkg/a.tar": false, "x.log": true, "a/b/x.log": true, "docs/a.md": true, "docs/keep.md": false, "docs": true,
		"bin/x/y": true, "bin": false, "file1": true, "file": false, "ac": true, "cc": false, "README.md": false,
	} {
		require.Equal(t, out, rules.rule(name) != nil, name)
	}
	_, err = parseIgnore(strings.NewReader("ok\n[z-a]\n"))
	require.ErrorContains(t, err, "line 2")
}

func TestFullNames(t *testing.T) {
	for name, full := range map[string]string{
		"antdb-ha":                    "docker.io/library/antdb-ha:latest",
		"crunchydata/antdb-ha:1":      "docker.io/crunchydata/antdb-ha:1",
		"registry.site:5000/antdb-ha": "registry.site:5000/antdb-ha:latest",
		"localhost/a":                 "localhost/a:latest",
		"docker.io/antdb":             "docker.io/library/antdb:latest",
		"a@sha256:00":                 "docker.io/library/a@sha256:00",
	} {
		require.Equal(t, full, fullName(name))
		require.Equal(t, full, fullName(familiar(full)))
	}
	id := "sha256:" + strings.Repeat("0f", 32)
	require.Equal(t, id, fullName(id))
	require.Equal(t, []string{"0 B", "1023 B", "1.0 KiB", "31.5 MiB"}, []string{size(0), size(1023), size(1024), size(33 << 20 * 61 / 64)})
}
