package main

import (
	"encoding/base64"
	"encoding/json"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

// The canaries have what shells, JSON and URLs write in ways of their own.
const (
	canaryEnv   = `canary-env-5f1b "q'uote" $HOME é&=`
	canaryFile  = `canary-file-9c2e\back\slash`
	canaryToken = `canary-token-77ad <tag> 100%s`
)

func TestSecretsStayOutOfEverythingThatIsKeptOrShown(t *testing.T) {
	r := newRemoteOf(t, "secrets.hcl")
	r.write("canary", canaryFile+"\n")
	r.env = append(r.env, "CANARY_ENV="+canaryEnv, "ANTDBCTL_VAR_token="+canaryToken)

	planned := r.run("plan", "--out", "saved.plan")
	require.Zero(t, planned.code, planned.text)
	failed := r.apply()
	require.Equal(t, exitError, failed.code, failed.text)
	require.ElementsMatch(t, []string{"here", `there["db1"]`, "nobody"}, failed.steps(event.Failed))
	require.Contains(t, failed.text, "base64", "the commands did print")
	for _, d := range failed.diagnostics() {
		if d.Step == "nobody" {
			require.Contains(t, d.Summary, "connection refused")
			require.NotContains(t, d.Summary, "\n")
			require.Contains(t, d.Remedy, "check that a server listens")
		}
	}
	require.Equal(t, canaryFile, r.read("password"), "and the file does have it")

	made := strings.TrimSpace(r.read("made"))
	require.Len(t, made, 24)
	canaries := []string{canaryEnv, canaryFile, canaryToken, made}
	requireNone(t, canaries, "the events of a plan", planned.text)
	requireNone(t, canaries, "the events of an apply", failed.text)
	for _, args := range [][]string{
		{"apply", "book.hcl", "--auto-approve", "--verbose"}, {"plan", "book.hcl"}, {"show"}, {"show", "saved.plan"},
		{"state", "show", `loud["db1"]`}, {"runs"}, {"destroy", "book.hcl", "--auto-approve"},
	} {
		requireNone(t, canaries, strings.Join(args, " "), r.text(args...))
	}
	r.requireNoneKept(canaries)
}

// text is what the program shows a person.
func (r *remote) text(args ...string) string {
	r.t.Helper()
	switch args[0] {
	case "apply", "plan", "destroy":
		args = append(args, r.vars...)
	}
	cmd := exec.Command(r.program, args...)
	cmd.Dir, cmd.Env = r.dir, append(os.Environ(), r.env...)
	out, _ := cmd.CombinedOutput() // the failing steps fail each time
	require.NotEmpty(r.t, out, args)
	return string(out)
}

// requireNoneKept looks into every file of the run, among them the arguments of
// all processes as the commands saw them.
func (r *remote) requireNoneKept(canaries []string) {
	r.t.Helper()
	// Where the runbook itself puts secrets; told.txt is what a command printed,
	// which is data of the runbook once it refers to it.
	theirs := []string{"canary", "made", "password", "told.txt"}
	seen := map[string]bool{}
	require.NoError(r.t, filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(r.dir, path)
		if err != nil || d.IsDir() || slices.Contains(theirs, name) {
			return err
		}
		kind, _, _ := strings.Cut(filepath.Base(name), ".")
		seen[kind] = true
		requireNone(r.t, canaries, name, r.read(name))
		return nil
	}))
	for _, kind := range []string{"argv", "state", "saved"} {
		require.True(r.t, seen[kind], "there was a file %s", kind)
	}
	logs, err := filepath.Glob(r.path(".antdbctl/runs/*.jsonl"))
	require.NoError(r.t, err)
	require.NotEmpty(r.t, logs)
}

// requireNone looks for secrets as they are and as programs write them.
func requireNone(t *testing.T, secrets []string, where, text string) {
	t.Helper()
	for _, s := range secrets {
		quoted, err := json.Marshal(s)
		require.NoError(t, err)
		for _, form := range []string{
			s, strings.Trim(string(quoted), `"`), base64.StdEncoding.EncodeToString([]byte(s)),
			url.QueryEscape(s), url.PathEscape(s), strings.ReplaceAll(s, "'", `'\''`), strings.Fields(s)[0],
		} {
			require.NotContains(t, text, form, where)
		}
	}
}
