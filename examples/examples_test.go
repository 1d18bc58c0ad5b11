// Package examples_test runs every example as a user would: apply, apply
// again, destroy.
package examples_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/modules"
)

// example is a copy of one folder, so that states do not end up in this one.
type example struct {
	t      *testing.T
	dir    string
	vars   []string
	events []event.Event // of the last run
}

func copyOf(t *testing.T, name string, vars ...string) *example {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.CopyFS(dir, os.DirFS(name)))
	return &example{t: t, dir: dir, vars: vars}
}

// Emit makes an example a sink of its runs.
func (e *example) Emit(env event.Envelope) { e.events = append(e.events, env.Event) }

func (e *example) load() *lang.Runbook {
	e.t.Helper()
	book, diags := lang.Load(e.dir, lang.Options{Registry: modules.Catalogue(), Vars: e.vars})
	require.Empty(e.t, diags, "%s", diags)
	return book
}

func (e *example) config() engine.Config {
	e.events = nil
	return engine.Config{
		Openers:     map[string]conn.Opener{conn.Local: local.Open, conn.SSH: ssh.Open},
		Sinks:       []event.Sink{e},
		AutoApprove: true,
	}
}

func (e *example) apply() engine.Outcome {
	e.t.Helper()
	out, err := engine.Apply(context.Background(), e.config(), e.load(), nil)
	require.NoError(e.t, err)
	require.False(e.t, out.Failed, "%+v", e.events)
	return out
}

func (e *example) destroy() {
	e.t.Helper()
	out, err := engine.Destroy(context.Background(), e.config(), e.load(), false)
	require.NoError(e.t, err)
	require.False(e.t, out.Failed, "%+v", e.events)
}

// outputs of the last apply.
func (e *example) outputs() map[string]any {
	all := map[string]any{}
	for _, ev := range e.events {
		if done, ok := ev.(event.RunFinished); ok {
			for _, o := range done.Outputs {
				all[o.Name] = o.Value
			}
		}
	}
	return all
}

func TestHello(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "hello")
	e := copyOf(t, "hello", "dir="+dir)
	require.Equal(t, map[event.Status]int{event.Changed: 3}, e.apply().Counts)
	require.Equal(t, map[string]any{"config": dir + "/app.conf"}, e.outputs())
	require.Equal(t, "welcome to AntDB on port 5432\n", read(t, dir+"/motd"))
	require.Equal(t, map[event.Status]int{event.Unchanged: 3}, e.apply().Counts)

	e.vars = append(e.vars, "port=6432")
	require.Equal(t, map[event.Status]int{event.Changed: 2, event.Unchanged: 1}, e.apply().Counts)
	require.Equal(t, "welcome to AntDB on port 6432\n", read(t, dir+"/motd"))
	require.Contains(t, read(t, dir+"/app.conf"), "port             = 6432\n")

	e.destroy()
	require.NoDirExists(t, dir)
}

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "files")
	e := copyOf(t, "files", "dir="+dir)
	require.Equal(t, map[event.Status]int{event.Changed: 10}, e.apply().Counts)
	require.Equal(t, "local all all peer\nhost  all all 10.1.0.0/16 scram-sha-256\nhost  all all 10.2.0.0/16 scram-sha-256\n",
		read(t, dir+"/east/pg_hba.conf"))
	require.Equal(t, "port = 5433\n", read(t, dir+"/west/site.conf"))
	password := read(t, dir+"/east/replication.password")
	require.Len(t, password, 24)
	require.NotContains(t, fmt.Sprintf("%+v", e.events), password)
	require.Equal(t, map[event.Status]int{event.Unchanged: 10}, e.apply().Counts)

	// Somebody edits a file: that one is put right, and what depends on it.
	require.NoError(t, os.WriteFile(dir+"/west/site.conf", []byte("# mine\nport = 1\n"), 0o644))
	require.Equal(t, map[event.Status]int{event.Changed: 2, event.Unchanged: 8}, e.apply().Counts)
	require.Equal(t, "# mine\nport = 5433\n", read(t, dir+"/west/site.conf"))

	require.NoError(t, os.WriteFile(dir+"/west/site.conf", []byte("port = 5433\n"), 0o644))
	e.destroy()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, left, 1)
	require.Equal(t, "SHA256SUMS", left[0].Name())
}

func TestHosts(t *testing.T) {
	server := conntest.StartSSH(t, conntest.SSHOptions{Hosts: 3})
	hosts := "["
	for _, target := range server.Targets {
		hosts += fmt.Sprintf("%q, ", fmt.Sprintf("%s@%s:%d", target.User, target.Address, target.Port))
	}
	config := filepath.Join(t.TempDir(), "ssh_config")
	require.NoError(t, os.WriteFile(config, []byte("Host *\n  IdentityAgent none\n  IdentityFile "+server.Key+"\n"), 0o600))
	e := copyOf(t, "hosts", "hosts="+hosts+"]", "ssh_config="+config, "known_hosts="+server.Settings.KnownHosts[0],
		"min_cpus=1", "min_memory_gib=0.5")
	require.Equal(t, map[event.Status]int{event.Unchanged: 3}, e.apply().Counts)
	require.Len(t, e.outputs()["kernels"], 3)

	e.vars = append(e.vars, "min_cpus=100000")
	out, err := engine.Apply(context.Background(), e.config(), e.load(), nil)
	require.NoError(t, err)
	require.Equal(t, map[event.Status]int{event.Failed: 3}, out.Counts)
	require.Contains(t, fmt.Sprintf("%+v", e.events), "it has the processors and the memory")
}

// An example without a test would rot.
func TestEveryExampleHasATest(t *testing.T) {
	folders, err := filepath.Glob("*/*.hcl")
	require.NoError(t, err)
	require.Equal(t, []string{"files/files.hcl", "hello/hello.hcl", "hosts/hosts.hcl"}, folders)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}
