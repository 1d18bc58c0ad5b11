package preflight

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/dockerfile"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

func TestAWholeImagePassesEveryCheck(t *testing.T) {
	got := judge(t, image(t, nil), Want{})
	require.Len(t, got, 20)
	for _, id := range IDs() {
		require.Equal(t, string(Pass), got[id].Verdict, "%s: %q", id, got[id].Evidence)
		require.NotEmpty(t, got[id].Evidence, id)
	}
}

func TestChecksThatAreIgnoredAreLeftOut(t *testing.T) {
	got := judge(t, image(t, nil), Want{Ignore: []string{"B6.6", "B6.17"}})
	require.Len(t, got, 18)
	require.NotContains(t, got, "B6.6")
}

func TestLinesOfTheDockerfileThatMadeTheLayers(t *testing.T) {
	text := "ARG BASE=b\nFROM $BASE AS server\nRUN make\n\nFROM $BASE\nARG PG_MAJOR\nENV A=b\nCOPY --from=server /out/ /\n" +
		"RUN ldconfig && \\\n    rm -r /build\nUSER 26\n"
	f, err := dockerfile.Parse(strings.NewReader(text))
	require.NoError(t, err)
	history := func(last string) *v1.ConfigFile {
		c := &v1.ConfigFile{RootFS: v1.RootFS{DiffIDs: make([]v1.Hash, 3)}}
		for _, line := range []string{"/bin/sh -c #(nop) ADD file:1 in / ", "/bin/sh -c #(nop)  ENV A=b", "COPY /out/ / # buildkit", last, "USER 26"} {
			c.History = append(c.History, v1.History{CreatedBy: line, EmptyLayer: strings.Contains(line, "ENV") || strings.Contains(line, "USER")})
		}
		return c
	}
	require.Equal(t, []int{5, 8, 9}, Lines(f, history("RUN |1 PG_MAJOR=11 /bin/sh -c ldconfig &&     rm -r /build # buildkit")))
	require.Equal(t, []int{5, 8, 9}, Lines(f, history("|1 PG_MAJOR=11 /bin/sh -c ldconfig &&     rm -r /build")))
	require.Equal(t, []int{0, 0, 0}, Lines(f, history("RUN /bin/sh -c something else")), "another Dockerfile")
	squashed := history("RUN x")
	squashed.RootFS.DiffIDs = squashed.RootFS.DiffIDs[:1]
	require.Nil(t, Lines(f, squashed))
}

func TestLocaleArchivesAreRead(t *testing.T) {
	names := []string{"en_US.utf8", "zh_CN.utf8"}
	archive := localeArchive(names)
	got, err := parseLocaleArchive(bytes.NewReader(archive))
	require.NoError(t, err)
	require.Equal(t, names, got)
	for _, n := range []int{0, 20, 60} {
		_, err := parseLocaleArchive(bytes.NewReader(archive[:n]))
		require.Error(t, err, n)
	}
	for name, want := range map[string]string{"en_US.utf-8": "en_US.utf8", "en_US.UTF-8": "en_US.utf8", "de_DE@euro": "de_DE@euro", "zh_CN.GB-18030": "zh_CN.gb18030", "C": "C"} {
		require.Equal(t, want, normal(name))
	}
	img := image(t, nil, addition{"RUN rm", layer{"/usr/lib/locale/.wh.en_US.utf8": text(""), "/usr/lib/locale/locale-archive": {content: archive, mode: 0o644}}})
	got2 := judge(t, img, Want{})["B6.5"]
	require.Equal(t, string(Pass), got2.Verdict, got2.Evidence)
	require.Equal(t, string(Fail), judge(t, img, Want{Locale: "de_DE.UTF-8"})["B6.5"].Verdict)
}

// localeArchive is one as localedef writes it, of names alone.
func localeArchive(names []string) []byte {
	const table = 56
	texts := uint32(table + 12*(len(names)+1))
	var entries, text []byte
	for _, name := range names {
		entries = append(entries, words(1, texts+uint32(len(text)), 1)...)
		text = append(append(text, name...), 0)
	}
	entries = append(entries, words(0, 0, 0)...) // a free place
	head := words(localeMagic, 1, table, uint32(len(names)), uint32(len(names)+1))
	head = append(head, make([]byte, table-len(head))...)
	return append(append(head, entries...), text...)
}

func TestATableTellsEverythingAboutFaultsAndLittleElse(t *testing.T) {
	list := []Finding{
		{ID: "B6.1", Title: "server's folders", Verdict: "pass", Evidence: []string{"programs in /usr/pgsql-11/bin", "more"}},
		{ID: "B6.6", Title: "pgaudit", Verdict: "fail", Evidence: []string{"/usr/pgsql-11/lib/pgaudit.so is missing"}, Remedy: "Build it.", Layer: 4, Line: 12, History: "RUN rm -Rf /usr/pgsql-11/*"},
	}
	var out strings.Builder
	require.NoError(t, Table(&out, list, Style{Width: 110}))
	require.Equal(t, `  ✔ B6.1   server's folders  programs in /usr/pgsql-11/bin
  ✘ B6.6   pgaudit           /usr/pgsql-11/lib/pgaudit.so is missing
                             at fault: layer 4, line 12 of the Dockerfile: RUN rm -Rf /usr/pgsql-11/*
                             → Build it.

  1 failed, 1 passed
`, out.String())
	out.Reset()
	require.NoError(t, Table(&out, list, Style{Width: 50, Verbose: true, Color: true}))
	require.Contains(t, out.String(), "\x1b[31;1m✘\x1b[0m")
	require.Contains(t, out.String(), "more")
	for line := range strings.Lines(out.String()) {
		require.LessOrEqual(t, utf8.RuneCountInString(regexp.MustCompile(`\x1b\[[0-9;]*m`).ReplaceAllString(line, "")), 52)
	}
}

func TestAServerThatMovedLooksBesideItself(t *testing.T) {
	for _, c := range []struct{ target, bin, at, want string }{
		{"/opt/antdb/share/postgresql", "/opt/antdb/bin", "/usr/pgsql-11/bin", "/usr/pgsql-11/share/postgresql"},
		{"/usr/pgsql-11/lib", "/usr/pgsql-11/bin", "/usr/pgsql-11/bin", "/usr/pgsql-11/lib"},
		{"/usr/share/postgresql/15", "/usr/lib/postgresql/15/bin", "/usr/pgsql-15/bin", "/usr/share/postgresql/15"},
		{"/usr/share/postgresql/15", "/usr/lib/postgresql/15/bin", "/opt/lib/postgresql/15/bin", "/opt/share/postgresql/15"},
	} {
		require.Equal(t, c.want, relocated(c.target, c.bin, c.at))
	}
	img := image(t, nil)
	tree, err := rootfs.Read(t.Context(), img)
	require.NoError(t, err)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	s, err := newSubject(t.Context(), tree, config, Want{})
	require.NoError(t, err)
	require.Equal(t, root+"/lib", s.server.lib)
	require.Equal(t, share, s.server.share)
}
