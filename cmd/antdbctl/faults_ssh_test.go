package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

// remote is a runbook with a step on the host of a real sshd.
type remote struct {
	*book
	server *conntest.SSHServer
}

func newRemote(t *testing.T) *remote {
	t.Helper()
	r := newRemoteOf(t, "ssh.hcl")
	r.set("dir", r.dir)
	return r
}

func newRemoteOf(t *testing.T, name string) *remote {
	t.Helper()
	return newRemoteOn(conntest.StartSSH(t, conntest.SSHOptions{}), fixture(t, name))
}

func newRemoteOn(server *conntest.SSHServer, b *book) *remote {
	b.t.Helper()
	r := &remote{server: server, book: b}
	at := r.server.Targets[0]
	known, err := os.ReadFile(r.server.Settings.KnownHosts[0])
	require.NoError(b.t, err)
	r.write("known_hosts", string(known))
	r.set("host", fmt.Sprintf("{ address = %q, port = %d }", at.Address, at.Port))
	r.set("identity", r.server.Key)
	r.set("known_hosts", r.path("known_hosts"))
	r.set("ssh_config", r.server.Settings.ConfigFile)
	return r
}

// on runs a command on the host, past the program under test.
func (r *remote) on(script string) {
	r.t.Helper()
	at, s := r.server.Targets[0], r.server.Settings
	out, err := exec.Command("ssh", "-F", s.ConfigFile, "-i", r.server.Key, "-o", "UserKnownHostsFile="+s.KnownHosts[0],
		"-p", fmt.Sprint(at.Port), at.User+"@"+at.Address, script).CombinedOutput()
	require.NoError(r.t, err, string(out))
}

// failsAlone asserts that the remote step failed as told, and that nothing else
// suffered but what needs it.
func (r *remote) failsAlone(want fault) {
	r.t.Helper()
	first := r.apply()
	d := first.failed(want)
	require.Equal(r.t, `remote["db1"]`, d.Step)
	require.Equal(r.t, "db1", d.Host)
	require.ElementsMatch(r.t, []string{"before", "apart"}, first.steps(event.Changed))
	require.Equal(r.t, []string{"needs"}, first.steps(event.Skipped))
	require.Equal(r.t, state.Failed, r.state().Steps[`remote["db1"]`].Status)
	require.Equal(r.t, state.Done, r.state().Steps["before"].Status)
}

// goesOn asserts that the next run does the rest, and that alone.
func (r *remote) goesOn() {
	r.t.Helper()
	second := r.apply()
	second.done(`remote["db1"]`, "needs")
	require.ElementsMatch(r.t, []string{"before", "apart"}, second.steps(event.Unchanged))
	require.Equal(r.t, state.Done, r.state().Steps[`remote["db1"]`].Status)
}

func TestFaultUnreachableHost(t *testing.T) {
	r := newRemote(t)
	r.server.Stop()
	r.failsAlone(fault{line: r.line(""), says: "connection refused", remedy: "sshd"})
	r.server.Start()
	r.goesOn()
}

func TestFaultChangedHostKey(t *testing.T) {
	r := newRemote(t)
	good := r.read("known_hosts")
	other := filepath.Join(r.dir, "other")
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other).CombinedOutput()
	require.NoError(t, err, string(out))
	at := r.server.Targets[0]
	r.write("known_hosts", fmt.Sprintf("[%s]:%d %s", at.Address, at.Port, r.read("other.pub")))
	r.failsAlone(fault{line: r.line(""), says: "HOST KEY CHANGED", remedy: "find out why the key changed"})
	r.write("known_hosts", good)
	r.goesOn()
}

func TestFaultUnknownHostKey(t *testing.T) {
	r := newRemote(t)
	good := r.read("known_hosts")
	r.write("known_hosts", "")
	r.failsAlone(fault{line: r.line(""), says: "is not known", remedy: "ssh-keyscan -p"})
	r.write("known_hosts", good)
	r.goesOn()
}

func TestFaultRefusedKey(t *testing.T) {
	r := newRemote(t)
	out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", r.path("stranger")).CombinedOutput()
	require.NoError(t, err, string(out))
	good := r.vars
	r.set("identity", r.path("stranger")) // the last one counts
	r.failsAlone(fault{line: r.line(""), says: "user root is refused: offered ed25519 key SHA256:", remedy: "authorized_keys"})
	r.vars = good
	r.goesOn()
}

func TestFaultFullDiskOnTheHost(t *testing.T) {
	r := newRemote(t)
	small := r.server.FullDisk()
	r.set("dir", small)
	r.on("head -c 230000 /dev/zero >" + small + "/filler")
	r.failsAlone(fault{line: r.line("path"), says: "no space left on " + small, evidence: "remote.txt: no space left", remedy: "free some space there"})
	r.on("set -- " + small + "/* && [ \"$*\" = " + small + "/filler ]") // no half of a file stays
	r.on("rm " + small + "/filler")
	r.goesOn()
	r.on("tail -n 1 " + small + "/remote.txt | grep -q ': 999$'")
}
