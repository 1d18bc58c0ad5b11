package runbooks_test

import (
	"bytes"
	"encoding/pem"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

// lateImage is a name that no node has an image under, until it is shipped.
const lateImage = "crunchydata/antdb-ha:faults-late"

// One rollout that meets one fault of the site after the other, each mended by
// hand before the next apply, until it stands.
func TestARolloutThroughAllFaultsOfItsSite(t *testing.T) {
	s := newSite(t, "faults", 0)
	good := s.text()
	t.Cleanup(func() {
		s.write(good)
		gone := s.run("destroy", nil, "--auto-approve")
		require.Zero(t, gone.code, gone.text)
		require.Equal(t, event.Destroyed, gone.finished("cluster").Status, "it was made by a run that failed")
		s.dropImages()
	})

	s.vars = append(s.vars, "--var", "pgouser_file="+s.file("pgouser", "pgoadmin:no-such-password\n"))
	s.applyFails("cluster", fault{line: "  api {", says: "401 Unauthorized", remedy: "check the name and password of the PGO user \"pgoadmin\""})
	s.forget(1)

	url, certificate := newerOperator(t)
	s.vars = append(s.vars, "--var", "pgo_url="+url, "--var", "pgo_certs="+s.certificates(certificate))
	s.applyFails("cluster", fault{line: "  api {", says: "the PGO apiserver is 4.6.2, and pgo.cluster speaks 4.2 and 4.7 only", remedy: "operator of that version"})
	s.forget(2)

	s.edit(good, "  keep_data    = var.keep_data\n", "  namespace    = \"default\"\n  keep_data    = var.keep_data\n")
	s.applyFails("cluster", fault{line: `  namespace    = "default"`, says: "namespace [default] is not part of the Operator installation", remedy: "pgo create namespace"})

	s.edit(good, "  image    = var.image\n", "  image    = \""+lateImage+"\"\n")
	pull := s.applyFails("cluster", fault{line: "  image    = \"" + lateImage + "\"", says: "phase pull", evidence: lateImage, remedy: "(image.ship)"})
	require.Contains(t, pull.text, `is waiting to start`, "the playbook's look at the log says why there is none")

	// The image comes under the name that the pods wait for; the database serves,
	// and is asked for what it does not have.
	s.vars = append(s.vars, "--var", "image="+lateImage)
	wrong := s.edit(good, `order by datname"`, `order by datnam"`)
	s.edit(wrong, "  user     = \"testuser\"\n", "  user     = \"nosuch\"\n")
	both := s.applyFails("databases", fault{line: strings.Replace(line(good, `order by datname"`), "datname\"", "datnam\"", 1), says: `column "datnam" does not exist (SQLSTATE 42703)`, remedy: "datname"})
	s.failed(both, "testuser", fault{line: `  user     = "nosuch"`, says: "nosuch"})
	require.Equal(t, event.Changed, both.finished("cluster").Status)

	s.write(good)
	done := s.apply()
	require.Zero(t, done.code, done.text)
	require.Equal(t, event.Unchanged, done.finished("cluster").Status)
	again := s.apply()
	require.Zero(t, again.code, again.text)
	require.Zero(t, again.counts()[event.Changed], again.text)
	s.requireNoPassword()
}

// fault is what an operator must be told.
type fault struct{ line, says, evidence, remedy string }

// applyFails asserts that an apply ends with this fault of step, and keeps the
// state and all that is done.
func (s *site) applyFails(step string, want fault) result {
	s.t.Helper()
	r := s.apply()
	require.Equal(s.t, 1, r.code, r.text)
	require.NotContains(s.t, r.text, "goroutine ")
	s.failed(r, step, want)
	dir, err := engine.StateOf(s.book)
	require.NoError(s.t, err)
	kept, err := state.NewFile(dir).Load(s.t.Context())
	require.NoError(s.t, err)
	require.Equal(s.t, state.Failed, kept.Steps[step].Status)
	require.Equal(s.t, state.Done, kept.Steps[`nodes["node1"]`].Status)
	if step == "cluster" {
		require.Equal(s.t, event.Skipped, r.finished("server").Status)
	}
	return r
}

func (s *site) failed(r result, step string, want fault) {
	s.t.Helper()
	end := r.finished(step)
	require.NotNil(s.t, end, r.text)
	require.Equal(s.t, event.Failed, end.Status, r.text)
	var shown bytes.Buffer
	require.NoError(s.t, diag.Text(&shown, end.Diagnostics, diag.Options{}))
	s.t.Logf("the operator reads:\n%s", &shown)

	require.Len(s.t, end.Diagnostics, 1)
	d := end.Diagnostics[0]
	require.Equal(s.t, s.book, d.File)
	require.Equal(s.t, want.line, strings.Split(s.text(), "\n")[d.Line-1])
	require.Contains(s.t, d.Summary, want.says)
	require.Contains(s.t, strings.Join(d.Evidence, "\n"), want.evidence)
	require.Contains(s.t, d.Remedy+" "+d.Detail, want.remedy)
}

func (s *site) text() string {
	s.t.Helper()
	text, err := os.ReadFile(s.book)
	require.NoError(s.t, err)
	return string(text)
}

func (s *site) write(book string) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(s.book, []byte(book), 0o600))
}

// edit writes the runbook with its one place old made new.
func (s *site) edit(book, old, new string) string {
	s.t.Helper()
	require.Equal(s.t, 1, strings.Count(book, old), old)
	book = strings.Replace(book, old, new, 1)
	s.write(book)
	return book
}

// file makes one beside the runbook's folder.
func (s *site) file(name, content string) string {
	s.t.Helper()
	path := filepath.Join(filepath.Dir(filepath.Dir(s.book)), name)
	require.NoError(s.t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// line is the line of a text with that part.
func line(text, part string) string {
	for _, l := range strings.Split(text, "\n") {
		if strings.Contains(l, part) {
			return l
		}
	}
	return ""
}

// forget takes back the last n variables that were given.
func (s *site) forget(n int) { s.vars = s.vars[:len(s.vars)-2*n] }

// newerOperator is a fake, since the lab's operator has one version only: it
// answers every call but the question for its version as PGO answers clients
// of another one.
func newerOperator(t *testing.T) (url string, certificate []byte) {
	t.Helper()
	operator := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer := `{"Results":[],"Code":"error","Msg":"pgo client and server version mismatch"}`
		if r.URL.Path == "/version" {
			answer = `{"Version":"4.6.2","Code":"ok","Msg":"apiserver version"}`
		}
		_, _ = io.WriteString(w, answer+"\n")
	}))
	operator.StartTLS()
	t.Cleanup(operator.Close)
	return operator.URL, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: operator.Certificate().Raw})
}

// certificates is a folder that trusts certificate and has the lab's own for
// the client.
func (s *site) certificates(certificate []byte) string {
	s.t.Helper()
	dir := s.t.TempDir()
	require.NoError(s.t, os.WriteFile(filepath.Join(dir, "ca.crt"), certificate, 0o600))
	for _, name := range []string{"client.crt", "client.key"} {
		require.NoError(s.t, os.Symlink(filepath.Join(s.lab, "pgo", name), filepath.Join(dir, name)))
	}
	return dir
}

// dropImages takes the test's own names of the image away. A test that failed
// early made none of them.
func (s *site) dropImages() {
	s.t.Helper()
	for _, name := range []string{lateImage, "crunchydata/antdb-ha:faults"} {
		_ = exec.Command("docker", "-H", "unix://"+s.lab+"/docker.sock", "image", "rm", name).Run()
		for _, node := range []string{"node1", "node2", "node3"} {
			s.node(node, "sh", "-c", "ctr -n k8s.io images rm docker.io/"+name+" || true")
		}
	}
}

// requireNoPassword looks into all that the runs have kept.
func (s *site) requireNoPassword() {
	s.t.Helper()
	files := 0
	require.NoError(s.t, filepath.WalkDir(filepath.Dir(s.book), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		require.NotContains(s.t, string(text), s.password, path)
		files++
		return err
	}))
	require.Greater(s.t, files, 6, "the state and the logs of the runs")
}
