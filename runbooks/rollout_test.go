// Package runbooks_test runs the shipped runbooks as a user would: with the
// program itself, on the lab's real site.
package runbooks_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/adbsql/antdbctl/engine/event"
)

// site is the lab that `make lab` brings up, and copies of the runbooks whose
// states are the test's own.
type site struct {
	t        *testing.T
	program  string
	lab      string // the lab's folder
	book     string // the one that run takes: the rollout, until told otherwise
	password string
	cluster  string
	vars     []string
}

func newSite(t *testing.T, cluster string, replicas int) *site {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the lab")
	}
	s := &site{t: t, lab: os.Getenv("ANTDBCTL_LAB_DIR"), password: rand.Text(), cluster: cluster, vars: []string{
		"--var", "cluster=" + cluster, "--var", "image=crunchydata/antdb-ha:" + cluster, "--var", "keep_data=false", "--var", fmt.Sprint("replicas=", replicas),
	}}
	if s.lab == "" {
		s.lab = "/run/antdbctl-lab"
	}
	require.FileExists(t, filepath.Join(s.lab, "site.hcl"), "the lab is not up: make lab")
	dir := t.TempDir()
	s.program, s.book = filepath.Join(dir, "antdbctl"), filepath.Join(dir, "runbooks", "antdb-rollout.hcl")
	out, err := exec.Command("go", "build", "-o", s.program, "../cmd/antdbctl").CombinedOutput()
	require.NoError(t, err, string(out))
	images, err := filepath.Abs("../images")
	require.NoError(t, err)
	require.NoError(t, os.Mkdir(filepath.Dir(s.book), 0o755))
	require.NoError(t, os.Symlink(images, filepath.Join(dir, "images")))
	books, err := filepath.Glob("*.hcl")
	require.NoError(t, err)
	for _, name := range books {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(s.book), name), text, 0o644))
	}
	return s
}

// result is one run of the program.
type result struct {
	code   int
	events []event.Envelope
	text   string
	peak   int64 // most memory it had, in bytes
}

// run runs the program; on, when given, sees every event as it comes.
func (s *site) run(command string, on func(event.Envelope), args ...string) result {
	s.t.Helper()
	all := append([]string{command, s.book, "--json", "--var-file", filepath.Join(s.lab, "site.hcl")}, s.vars...)
	cmd := exec.Command(s.program, append(all, args...)...)
	cmd.Env = append(os.Environ(), "ANTDB_TESTUSER_PASSWORD="+s.password)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	require.NoError(s.t, err)
	require.NoError(s.t, cmd.Start())
	var r result
	for lines := bufio.NewReader(out); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		r.text += line
		var e event.Envelope
		require.NoError(s.t, json.Unmarshal([]byte(line), &e), line)
		r.events = append(r.events, e)
		if on != nil {
			on(e)
		}
	}
	_ = cmd.Wait() // the exit code says it
	r.code, r.peak = cmd.ProcessState.ExitCode(), cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss*1024
	r.text += complaints.String()
	require.NotContains(s.t, r.text, s.password)
	return r
}

func (s *site) apply() result { s.t.Helper(); return s.run("apply", nil, "--auto-approve") }

func (s *site) destroy() {
	s.t.Helper()
	out := s.run("destroy", nil, "--auto-approve", "--all")
	require.Zero(s.t, out.code, out.text)
}

// counts is what the run came to, by status.
func (r result) counts() map[event.Status]int {
	for _, e := range r.events {
		if end, ok := e.Event.(event.RunFinished); ok {
			return end.Counts
		}
	}
	return nil
}

func (r result) finished(address string) *event.StepFinished {
	for _, e := range r.events {
		if f, ok := e.Event.(event.StepFinished); ok && f.Address == address {
			return &f
		}
	}
	return nil
}

// node runs a command on a node from outside, past the program under test.
func (s *site) node(name string, args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	lab := exec.CommandContext(ctx, "docker", append([]string{"-H", "unix://" + s.lab + "/docker.sock", "exec", name}, args...)...)
	out, err := lab.CombinedOutput()
	require.NoError(s.t, err, string(out))
	return string(out)
}

func TestTheWholeStory(t *testing.T) {
	s := newSite(t, "story", 1)
	s.destroy() // what a run that was cut off has left
	t.Cleanup(s.destroy)

	first := s.apply()
	require.Zero(t, first.code, first.text)
	require.Equal(t, event.Changed, first.finished("cluster").Status)
	require.Equal(t, event.Unchanged, first.finished("logins").Status, "logins from everywhere")
	require.Equal(t, event.Unchanged, first.finished("members").Status, "a replica follows")
	require.Less(t, first.peak, int64(150<<20), "memory of the controller")

	second := s.apply()
	require.Zero(t, second.code, second.text)
	require.Zero(t, second.counts()[event.Changed], second.text)

	require.NoError(t, os.RemoveAll(filepath.Join(filepath.Dir(s.book), ".antdbctl")))
	before := s.versions()
	third := s.apply()
	require.Zero(t, third.code, third.text)
	require.Zero(t, third.counts()[event.Changed], third.text)
	require.Equal(t, before, s.versions(), "nothing in the namespace was written")

	health := s.other("health-check.hcl")
	require.Zero(t, health.code, health.text)
	require.Contains(t, health.text, "✓ API server")
	require.NotContains(t, health.text, "✗ "+s.cluster)

	s.password = rand.Text()[:8] + `'\/& "密码` // what shells, SQL and sed scripts stumble over
	rotated := s.twice("antdb-rotate-password.hcl", "password")
	require.Equal(t, event.Unchanged, rotated.finished("logins").Status, "logins from everywhere, by the new password")

	tuned := s.twice("antdb-tune.hcl", "parameters")
	require.Contains(t, tuned.text, `"max_connections":"150"`)

	drilled := s.twice("antdb-failover-drill.hcl", "failover")
	require.Contains(t, drilled.text, "passed: ")
}

// other applies another runbook of the folder.
func (s *site) other(runbook string, vars ...string) result {
	s.t.Helper()
	rollout, before := s.book, s.vars
	defer func() { s.book, s.vars = rollout, before }()
	s.book, s.vars = filepath.Join(filepath.Dir(rollout), runbook), vars
	return s.apply()
}

// twice applies another runbook until nothing is left to do, which is once:
// step makes a change, and then none.
func (s *site) twice(runbook, step string) result {
	s.t.Helper()
	first := s.other(runbook, "--var", "cluster="+s.cluster)
	require.Zero(s.t, first.code, first.text)
	require.Equal(s.t, event.Changed, first.finished(step).Status, first.text)
	second := s.other(runbook, "--var", "cluster="+s.cluster)
	require.Zero(s.t, second.code, second.text)
	require.Zero(s.t, second.counts()[event.Changed], second.text)
	return first
}

// versions are the resource versions of what the rollout made, which any write
// would raise.
func (s *site) versions() string {
	s.t.Helper()
	cfg, err := clientcmd.BuildConfigFromFlags("", filepath.Join(s.lab, "kubeconfig"))
	require.NoError(s.t, err)
	client, err := dynamic.NewForConfig(cfg)
	require.NoError(s.t, err)
	var out strings.Builder
	for _, kind := range []schema.GroupVersionResource{
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "batch", Version: "v1", Resource: "jobs"},
		{Version: "v1", Resource: "services"}, {Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "persistentvolumeclaims"},
		{Group: "crunchydata.com", Version: "v1", Resource: "pgclusters"},
	} {
		list, err := client.Resource(kind).Namespace("pgouser1").List(s.t.Context(), metav1.ListOptions{LabelSelector: "pg-cluster=story"})
		require.NoError(s.t, err)
		for _, item := range list.Items {
			fmt.Fprintf(&out, "%s/%s=%s\n", item.GetKind(), item.GetName(), item.GetResourceVersion())
		}
	}
	require.Contains(s.t, out.String(), "Deployment/story=")
	return out.String()
}

func TestANodeWithoutSSHFailsAloneAndTheNextApplyFinishes(t *testing.T) {
	s := newSite(t, "lost", 0)
	t.Cleanup(s.destroy)
	stopSSH := "kill $(cat /run/sshd.pid); pkill -f '^sshd: root@'"
	start := func() { s.node("node2", "sh", "-c", "pgrep -F /run/sshd.pid >/dev/null 2>&1 || /usr/sbin/sshd") }
	t.Cleanup(start)

	lost := s.run("apply", func(e event.Envelope) {
		if f, ok := e.Event.(event.StepFinished); ok && f.Address == `preflight["node2"]` {
			s.node("node2", "sh", "-c", stopSSH)
		}
	}, "--auto-approve")
	require.Equal(t, 1, lost.code, lost.text)
	require.Equal(t, event.Failed, lost.finished(`nodes["node2"]`).Status)
	require.Equal(t, event.Changed, lost.finished(`nodes["node1"]`).Status)
	require.Equal(t, event.Changed, lost.finished(`nodes["node3"]`).Status)
	require.Equal(t, event.Skipped, lost.finished("cluster").Status)
	fault := lost.finished(`nodes["node2"]`).Diagnostics[0]
	require.Equal(t, "node2", fault.Host)
	require.NotZero(t, fault.Line)

	start()
	done := s.apply()
	require.Zero(t, done.code, done.text)
	require.Equal(t, event.Changed, done.finished(`nodes["node2"]`).Status)
	require.Equal(t, event.Unchanged, done.finished(`nodes["node1"]`).Status)
	require.Equal(t, event.Changed, done.finished("cluster").Status)
}
