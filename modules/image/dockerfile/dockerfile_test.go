package dockerfile

import (
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, text string) *File {
	t.Helper()
	file, err := Parse(strings.NewReader(text))
	require.NoError(t, err)
	return file
}

func TestDockerfileLines(t *testing.T) {
	file := parse(t, "# escape=`\n# a comment\nfrom scratch `\n  # within\n\n  AS one\r\nRUN <<EOF cat && <<-'X' tee /f\nFROM not\nEOF\n\tARG not\n\tX\nCOPY a b\nLABEL end=1 `")
	got := []string{}
	lines := []int{}
	for _, in := range file.Instructions {
		got, lines = append(got, in.Verb), append(lines, in.Line)
	}
	require.Equal(t, []string{"FROM", "RUN", "COPY", "LABEL"}, got)
	require.Equal(t, []int{3, 7, 12, 13}, lines)
	require.Equal(t, 6, file.CRLF)
	require.Equal(t, Stage{Image: "scratch", Name: "one"}, file.Instructions[0].From())
	require.Equal(t, []Heredoc{{Name: "EOF", Line: 8, Body: "FROM not\n"}, {Name: "X", Quoted: true, Line: 10, Body: "ARG not\n"}}, file.Instructions[1].Heredocs)
	require.Equal(t, "<<EOF cat && <<-'X' tee /f\nFROM not\n\nARG not\n", file.Instructions[1].Script())
}

func TestDirectives(t *testing.T) {
	require.Equal(t, "docker/dockerfile:1", parse(t, "# syntax=docker/dockerfile:1\nFROM scratch\n").Syntax)
	require.Empty(t, parse(t, "# an ordinary comment\n# syntax=docker/dockerfile:1\nFROM scratch\n").Syntax)
	require.Empty(t, parse(t, "#|1 A=1 /bin/sh -c true\n# syntax=docker/dockerfile:1\nFROM scratch\n").Syntax)
	require.Zero(t, parse(t, "FROM scratch\n").CRLF)
}

func TestCopies(t *testing.T) {
	for text, want := range map[string]Copy{
		"COPY --chown=1:1 a b/c /d/":                 {Sources: []string{"a", "b/c"}, Dest: "/d/"},
		`ADD ["with blank", "x", "/d/"]`:             {Sources: []string{"with blank", "x"}, Dest: "/d/"},
		"COPY --from=build --chmod=755 /a /b":        {From: "build", Sources: []string{"/a"}, Dest: "/b"},
		"COPY \"quoted\" /b":                         {Sources: []string{"quoted"}, Dest: "/b"},
		"COPY <<EOF /f\nx\nEOF":                      {Dest: "/f"},
		"ADD git@example.org:repo.git local.tgz /x/": {Sources: []string{"git@example.org:repo.git", "local.tgz"}, Dest: "/x/"},
	} {
		got, ok := parse(t, text).Instructions[0].Copy()
		require.True(t, ok)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"RUN cp a b", "COPY a", "COPY"} {
		_, ok := parse(t, text).Instructions[0].Copy()
		require.False(t, ok, text)
	}
	for source, plain := range map[string]bool{"a/b.tar": true, "*.so": false, "${X}": false, "https://example.org/x.tar.gz": false} {
		require.Equal(t, plain, IsPlain(source), source)
	}
}

func TestScriptsAndLists(t *testing.T) {
	in := parse(t, "RUN --mount=type=cache,target=/c --network=none make \\\n  all").Instructions[0]
	require.Equal(t, "make   all", in.Script())
	require.Equal(t, "RUN --mount=type=cache,target=/c --network=none make all", in.String())
	list := parse(t, `RUN --network=none ["a", "b c"]`).Instructions[0]
	require.Empty(t, list.Script())
	words, ok := list.List()
	require.True(t, ok)
	require.Equal(t, []string{"a", "b c"}, words)
	_, ok = parse(t, `CMD ["a" "b"]`).Instructions[0].List()
	require.False(t, ok)
}

func TestBaseImages(t *testing.T) {
	file := parse(t, `ARG BASE=corp/base:1
ARG TAG=7
FROM ${BASE} AS build
FROM --platform=linux/amd64 centos:${TAG}
FROM ${MISSING:-debian:12} AS Tools
FROM build
COPY --from=tools /a /a
COPY --from=0 /a /a
COPY --from=nginx:1 /a /a
FROM scratch
RUN --mount=type=bind,from=corp/tools:2,target=/t --mount=from=build,target=/b make
FROM ${UNKNOWN}
`)
	require.Equal(t, []string{"corp/base:1", "centos:8", "debian:12", "nginx:1", "corp/tools:2"}, file.Bases(map[string]string{"TAG": "8"}))
	require.Len(t, file.UpTo("build").Instructions, 3)
	require.Len(t, file.UpTo("1").Instructions, 4)
	require.Len(t, file.UpTo("nosuch").Instructions, len(file.Instructions))
	require.Same(t, file, file.UpTo(""))
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
		"in a here-document":          {"FROM x\nARG A\nRUN <<'EOF'\necho $A\nEOF\n", nil, []string{"A (declared in line 2, used in line 3)"}},
		"in a quoted file":            {"FROM x\nARG A\nCOPY <<'EOF' /f\necho $A\nEOF\n", nil, nil},
		"set by the base image":       {"FROM x\nARG FROM_BASE\nRUN echo $FROM_BASE\n", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, u := range parse(t, c.text).Unset(c.args, map[string]bool{"FROM_BASE": true}) {
				got = append(got, u.String())
			}
			require.Equal(t, c.want, got)
		})
	}
	require.Equal(t, []string{"PG_LBL", "PG_MAJR"},
		parse(t, "FROM x\nARG PG_MAJOR\n").Undeclared(map[string]string{"PG_MAJR": "", "PG_MAJOR": "", "PG_LBL": "", "http_proxy": ""}))
}

func TestKnownValues(t *testing.T) {
	file := parse(t, `ARG V=1
FROM a AS one
ARG V
ARG W=w$V
ENV A=/x/$W B="two words"
ENV C all of this
FROM one
ARG W
FROM b
ARG G
LABEL end=1
`)
	seen := map[int]map[string]string{}
	file.Each(map[string]string{"G": "given"}, func(in Instruction, vars map[string]string) { seen[in.Line] = maps.Clone(vars) })
	require.Equal(t, map[string]string{"V": "1"}, seen[2])
	require.Equal(t, map[string]string{"V": "1", "W": "w1", "A": "/x/w1", "B": "two words", "C": "all of this"}, seen[7])
	require.Equal(t, "/x/w1", seen[8]["A"], "a stage takes the ENV of the one below")
	require.NotContains(t, seen[8], "W", "but not its ARG")
	require.Equal(t, map[string]string{"G": "given"}, seen[11])
}

func TestNeeds(t *testing.T) {
	file := parse(t, "FROM x\nRUN --mount=type=cache,target=/c make\nCOPY --chmod=755 a /b\nCOPY --link a /b\nRUN <<EOF\nx\nEOF\nCOPY --chown=1 a /b\n")
	require.Equal(t, []Need{{2, "RUN --mount", false}, {3, "COPY --chmod", false}, {4, "COPY --link", true}, {5, "a here-document", true}}, file.Needs())
}
