package docs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/modules"
)

// The pages that people wrote, from this folder.
const (
	readme        = "../README.md"
	readmeChinese = "../README.zh-CN.md"
	language      = "language.md"
	story         = "story.md"
	writing       = "writing-modules.md"
	diagnosis     = "diagnosis.md"
)

var guides = []string{readme, readmeChinese, language, story, writing, diagnosis}

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// blocks are the fenced blocks of one language in a page; at least one.
func blocks(t *testing.T, path, language string) []string {
	t.Helper()
	var found []string
	for _, m := range regexp.MustCompile("(?ms)^```"+language+"\n(.*?)^```$").FindAllStringSubmatch(page(t, path), -1) {
		found = append(found, m[1])
	}
	require.NotEmpty(t, found, "%s has no %s", path, language)
	return found
}

// Readers copy what they see: every block of HCL in these pages is a whole
// runbook.
func TestRunbooksInTheGuidesAreValid(t *testing.T) {
	for _, path := range []string{readme, readmeChinese, language} {
		for n, text := range blocks(t, path, "hcl") {
			book := filepath.Join(t.TempDir(), fmt.Sprintf("block-%d.hcl", n+1))
			require.NoError(t, os.WriteFile(book, []byte(text), 0o600))
			_, diags := lang.Load(book, lang.Options{Registry: modules.Catalogue()})
			require.Empty(t, diags, "%s:\n%s", path, text)
		}
	}
}

// The site of the story fits the runbook that it is for.
func TestTheStorysSiteFitsTheRollout(t *testing.T) {
	site := filepath.Join(t.TempDir(), "site.hcl")
	require.NoError(t, os.WriteFile(site, []byte(blocks(t, story, "")[0]), 0o600))
	book, diags := lang.Load("../runbooks/antdb-rollout.hcl", lang.Options{Registry: modules.Catalogue(), VarFiles: []string{site}})
	require.Empty(t, diags)
	for _, m := range regexp.MustCompile("`step \"([a-z0-9.]+)\" \"([a-z]+)\"`").FindAllStringSubmatch(page(t, story), -1) {
		step := book.Step(m[2])
		require.NotNil(t, step, m[0])
		require.Equal(t, m[1], step.Entry.Name)
	}
	for _, step := range book.Steps {
		require.Contains(t, page(t, story), fmt.Sprintf("`step %q %q`", step.Entry.Name, step.Name), "a step without a place in the story")
	}
}

var (
	commandUse  = regexp.MustCompile(`Use:\s+"([a-z]+)`)
	commandCall = regexp.MustCompile("(?m)(?:^\\$ |`)(?:bin/)?antdbctl ([a-z]+)")
	makeTarget  = regexp.MustCompile("(?m)(?:^\\$ |`)make ([a-z-]+)")
	link        = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading     = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

func TestCommandsInTheGuidesExist(t *testing.T) {
	known := map[string]bool{"completion": true} // cobra brings it
	sources, err := filepath.Glob("../cmd/antdbctl/*.go")
	require.NoError(t, err)
	for _, source := range sources {
		for _, m := range commandUse.FindAllStringSubmatch(page(t, source), -1) {
			known[m[1]] = true
		}
	}
	makefile := page(t, "../Makefile")
	for _, path := range guides {
		for _, m := range commandCall.FindAllStringSubmatch(page(t, path), -1) {
			require.True(t, known[m[1]], "%s: there is no %q", path, strings.TrimSpace(m[0]))
		}
		for _, m := range makeTarget.FindAllStringSubmatch(page(t, path), -1) {
			require.Regexp(t, "(?m)^"+regexp.QuoteMeta(m[1])+":", makefile, path)
		}
	}
}

func TestLinksInTheGuidesLeadSomewhere(t *testing.T) {
	for _, path := range guides {
		for _, m := range link.FindAllStringSubmatch(page(t, path), -1) {
			file, anchor, _ := strings.Cut(m[1], "#")
			if strings.Contains(m[1], "://") {
				continue
			}
			target := path
			if file != "" {
				target = filepath.Join(filepath.Dir(path), file)
				_, err := os.Stat(target)
				require.NoError(t, err, "%s links to %s", path, m[1])
			}
			if anchor != "" {
				require.Contains(t, anchors(page(t, target)), anchor, "%s links to %s", path, m[1])
			}
		}
	}
}

// anchors are the names that a page's headings get where it is shown.
func anchors(text string) []string {
	var names []string
	for _, m := range heading.FindAllStringSubmatch(text, -1) {
		name := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(m[1]), "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}

// The module that the guide writes compiles and passes its test, and so does
// the shorter one of the README compile.
func TestTheModuleOfTheGuidesWorks(t *testing.T) {
	if testing.Short() {
		t.Skip("runs the compiler")
	}
	code, example := blocks(t, writing, "go"), blocks(t, writing, "hcl")[0]
	withGo(t, map[string]string{"link.go": code[0], "link.hcl": example, "link_test.go": code[1]}, "test", "-short", "-run=^TestLink", "-v")
	withGo(t, map[string]string{"link.go": blocks(t, readme, "go")[0], "link.hcl": example}, "build")
}

// withGo runs the go command on modules/host as if it had these files too.
func withGo(t *testing.T, files map[string]string, command ...string) {
	t.Helper()
	dir, replace := t.TempDir(), map[string]string{}
	family, err := filepath.Abs("../modules/host")
	require.NoError(t, err)
	for name, text := range files {
		require.NoFileExists(t, filepath.Join(family, name), "the guide's module is there: choose another one")
		replace[filepath.Join(family, name)] = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay.json"), overlay, 0o600))
	args := append(command, "-overlay", filepath.Join(dir, "overlay.json"), "../modules/host")
	out, err := exec.Command("go", args...).CombinedOutput()
	require.NoError(t, err, string(out))
	if command[0] == "test" {
		require.Contains(t, string(out), "--- PASS: TestLink")
	}
}
