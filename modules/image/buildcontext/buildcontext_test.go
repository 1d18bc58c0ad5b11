package buildcontext

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// folder makes a folder of files; content beginning "-> " is a symbolic link.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		if link, ok := strings.CutPrefix(content, "-> "); ok {
			require.NoError(t, os.Symlink(link, p))
			continue
		}
		require.NoError(t, os.WriteFile(p, []byte(content), 0o644))
	}
	return dir
}

func names(t *testing.T, dir, file string) (list []string) {
	t.Helper()
	c, err := Open(dir, file)
	require.NoError(t, err)
	require.NoError(t, c.Walk(func(e Entry) error { list = append(list, e.Name); return nil }))
	return list
}

func TestIgnoreRules(t *testing.T) {
	rules, err := parseIgnore(strings.NewReader("\ufeff# comment\n*.tar\n**/*.log\ndocs\n!docs/keep.md\n/bin/**\n\nfile?\n[ab]c\n.\n"))
	require.NoError(t, err)
	for name, out := range map[string]bool{
		"a.tar": true, "pkg/a.tar": false, "x.log": true, "a/b/x.log": true, "docs/a.md": true, "docs/keep.md": false, "docs": true,
		"bin/x/y": true, "bin": false, "file1": true, "file": false, "ac": true, "cc": false, "README.md": false,
	} {
		require.Equal(t, out, rules.out(name), name)
	}
	require.Equal(t, 4, rules.line("docs/a.md"))
	for _, bad := range []string{"ok\n[z-a]\n", "ok\na[\n"} {
		_, err = parseIgnore(strings.NewReader(bad))
		require.ErrorContains(t, err, "line 2")
	}
}

func TestWalkSendsWhatIsNotLeftOut(t *testing.T) {
	dir := folder(t, map[string]string{
		"Dockerfile": "FROM scratch\n", ".dockerignore": "*\n!app\napp/**/tmp\n!docs/keep.md\n", "a": "", "app/b": "", "app/x/tmp/c": "", "app/x/d": "",
		"docs/a.md": "", "docs/keep.md": "", "docs/sub/e": "", "own/df": "FROM scratch\n", "own/df.dockerignore": "a*\n", "own/q": "",
	})
	require.Equal(t, []string{".dockerignore", "Dockerfile", "app", "app/b", "app/x", "app/x/d", "docs", "docs/keep.md"}, names(t, dir, "Dockerfile"))
	own := names(t, dir, "own/df")
	require.Contains(t, own, "docs/a.md", "the Dockerfile has an ignore file of its own")
	require.NotContains(t, own, "app")
}

func TestIgnoredFolderOfTheDockerfile(t *testing.T) {
	dir := folder(t, map[string]string{"build/Dockerfile": "FROM scratch\n", "build/x": "", "a": "", ".dockerignore": "build\n"})
	require.Equal(t, []string{".dockerignore", "a", "build", "build/Dockerfile"}, names(t, dir, "build/Dockerfile"))
}

func TestIgnoreFileThatIsIgnored(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\n", ".dockerignore": ".*\n", ".git": "", "a": ""})
	require.Equal(t, []string{"Dockerfile", "a"}, names(t, dir, "Dockerfile"))
}

func TestDockerfileFromOutsideHidesItself(t *testing.T) {
	for rules, want := range map[string]string{"": "\n.antdbctl.Dockerfile\n.dockerignore\n", "b\n": "b\n\n.antdbctl.Dockerfile\n", ".*\n": ".*\n\n.antdbctl.Dockerfile\n.dockerignore\n"} {
		files := map[string]string{"df": "FROM scratch\n", "ctx/a": ""}
		if rules != "" {
			files["ctx/.dockerignore"] = rules
		}
		c, err := Open(filepath.Join(folder(t, files), "ctx"), "../df")
		require.NoError(t, err)
		var buf bytes.Buffer
		require.NoError(t, c.Stream(&buf, time.Time{}))
		got, text := []string{}, ""
		for tr := tar.NewReader(unpacked(t, &buf)); ; {
			h, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			got = append(got, h.Name)
			if h.Name == ".dockerignore" {
				body, err := io.ReadAll(tr)
				require.NoError(t, err)
				text = string(body)
			}
		}
		require.Equal(t, []string{"a", ".antdbctl.Dockerfile", ".dockerignore"}, got)
		require.Equal(t, want, text)
	}
}

func TestDockerfileThatIsLeftOutAndCopied(t *testing.T) {
	for text, want := range map[string]bool{"COPY . /": true, "ADD ./ /": true, "COPY Docker* /": true, "COPY a /": false, "COPY --from=x . /": false} {
		for ignored, rules := range map[bool]string{true: "*\n!a\n", false: "b\n"} {
			dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\n" + text + "\n", ".dockerignore": rules, "a": ""})
			c, err := Open(dir, "Dockerfile")
			require.NoError(t, err)
			file, err := c.Read()
			require.NoError(t, err)
			require.Equal(t, want && ignored, c.Spills(file), text)
		}
	}
}

func TestRecordsOfRunsAreNoContext(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\n", ".antdbctl/state.json": "{}", "runbooks/.antdbctl/state.json": "{}", "runbooks/a.hcl": ""})
	require.Equal(t, []string{"Dockerfile", "runbooks", "runbooks/a.hcl"}, names(t, dir, "Dockerfile"))
}

func TestContextThatIsALink(t *testing.T) {
	dir := folder(t, map[string]string{"real/Dockerfile": "FROM scratch\n", "real/a": "", "link": "-> real"})
	require.Equal(t, []string{"Dockerfile", "a"}, names(t, filepath.Join(dir, "link"), "Dockerfile"))
}

// stream is the digest of the tar stream, hash that of the inputs.
func stream(t *testing.T, dir string, at time.Time) (stream, hash string) {
	t.Helper()
	c, err := Open(dir, "Dockerfile")
	require.NoError(t, err)
	h := sha256.New()
	require.NoError(t, c.Stream(h, at))
	in := sha256.New()
	_, err = c.Hash(in)
	require.NoError(t, err)
	return fmt.Sprintf("%x", h.Sum(nil)), fmt.Sprintf("%x", in.Sum(nil))
}

func TestSameTreeGivesTheSameStream(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM scratch\n", "z": "1", "a/b": "2", "a/l": "-> b", "a/" + strings.Repeat("long", 40): "3"}
	one, two := folder(t, files), folder(t, files)
	past := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	require.NoError(t, os.Chtimes(filepath.Join(two, "a/b"), past, past))
	require.NoError(t, os.Chtimes(filepath.Join(two, "a"), past, past))
	stream1, hash1 := stream(t, one, time.Time{})
	stream2, hash2 := stream(t, two, time.Time{})
	require.Equal(t, stream1, stream2)
	require.Equal(t, hash1, hash2)
	dated, hash3 := stream(t, one, past)
	require.NotEqual(t, stream1, dated)
	require.Equal(t, hash1, hash3)

	require.NoError(t, os.Chmod(filepath.Join(two, "z"), 0o755))
	stream2, hash2 = stream(t, two, time.Time{})
	require.NotEqual(t, stream1, stream2, "a mode is part of the tree")
	require.NotEqual(t, hash1, hash2)
}

func unpacked(t *testing.T, r io.Reader) io.Reader {
	t.Helper()
	z, err := gzip.NewReader(r)
	require.NoError(t, err)
	return z
}

func TestStreamIsReadableByTar(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\n", "a/b": "two", "a/l": "-> b"})
	c, err := Open(dir, "Dockerfile")
	require.NoError(t, err)
	var buf bytes.Buffer
	require.NoError(t, c.Stream(&buf, time.Time{}))
	var got []string
	for tr := tar.NewReader(unpacked(t, &buf)); ; {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		require.Equal(t, 0, h.Uid+h.Gid)
		require.True(t, h.ModTime.Equal(Time))
		got = append(got, h.Name+" "+h.Linkname)
	}
	require.Equal(t, []string{"Dockerfile ", "a/ ", "a/b ", "a/l b"}, got)
}

// growing makes a file longer as soon as its beginning has been written.
type growing struct {
	name string
	done bool
}

func (g *growing) Write(p []byte) (int, error) {
	if !g.done && bytes.Contains(p, []byte("grows")) {
		g.done = true
		f, err := os.OpenFile(g.name, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return 0, err
		}
		_, err = f.WriteString("longer than before")
		return len(p), errors.Join(err, f.Close())
	}
	return len(p), nil
}

func TestFileThatChangesWhileItIsRead(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "FROM scratch\n", "grows": strings.Repeat("grows", 1<<18)})
	c, err := Open(dir, "Dockerfile")
	require.NoError(t, err)
	require.ErrorContains(t, c.Stream(&growing{name: filepath.Join(dir, "grows")}, time.Time{}), "grows changed while it was read")
}

func TestMissingSources(t *testing.T) {
	dir := folder(t, map[string]string{"Dockerfile": "", "a": "", "pkg/antdb-41.tar": "", "docs/keep": "", "docs/x": "", "out.tmp": "", ".dockerignore": "docs\n!docs/keep\n*.tmp\n"})
	c, err := Open(dir, "Dockerfile")
	require.NoError(t, err)
	for text, want := range map[string]string{
		"COPY a /a":                                                  "",
		"COPY /a ./a docs/keep docs /x/":                             "",
		"ARG V\nCOPY pkg/antdb-$V.tar /x/":                           "",
		"ARG V=42\nCOPY pkg/antdb-${V}.tar /x/":                      "",
		"ENV V=42\nCOPY pkg/antdb-${V}.tar /x/":                      "Dockerfile:3 copies pkg/antdb-42.tar, which is not in",
		"COPY nosuch* $UNKNOWN /x/":                                  "",
		"COPY --from=other nosuch /x/":                               "",
		"ADD https://example.org/a.tgz /x/":                          "",
		"COPY <<EOF /f\nx\nEOF":                                      "",
		"COPY ../secret /x/":                                         "lies outside of the context",
		"COPY docs/x /x":                                             "line 1 of .dockerignore leaves out",
		"COPY a out.tmp /x/":                                         "line 3 of .dockerignore leaves out",
		"RUN true\nCOPY [\"with blank\", \"/x/\"]\nCOPY nosuch2 /x/": "Dockerfile:3 copies with blank, which is not in",
	} {
		file, err := dockerfile.Parse(strings.NewReader("FROM x\n" + text + "\n"))
		require.NoError(t, err)
		err = c.Missing(file, map[string]string{"V": "41"})
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
}
