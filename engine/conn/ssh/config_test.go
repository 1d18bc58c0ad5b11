package ssh

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

const sample = `
# what people write
Include more.d/*.conf
Host node1 "node one"
	HostName 10.0.0.1   
	Port=2201
	User = admin
	IdentityFile ~/.ssh/one
	IdentityFile "/keys/two words"
Host node? !node3
	User ops
	Port 2222
	IdentityFile /keys/%h-%n-%r
	ProxyJump jump@bastion:2200,second
Match host 10.0.0.*,node7 user admin
	IdentitiesOnly yes
Match originalhost node2,node4
	HostName %h.example.net
Match exec "exit 1"
	Port 9
Match host *.example.net
	ServerAliveInterval 7
	UserKnownHostsFile /known/one /known/two
Match !host *.example.net user ops
	Port 4444
Host *.alias
	HostName 192.0.2.7
	HostKeyAlias the-key
	StrictHostKeyChecking accept-new
	ConnectTimeout 4
Match all
	IdentityFile /keys/last
	User fallback
`

// The client of OpenSSH is asked how it understands the same file.
func TestConfigIsUnderstoodAsOpenSSHDoes(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	require.NoError(t, err, "install openssh-client")
	file := writeConfig(t, sample, "Host included\n\tPort 99\n")
	me, err := user.Current()
	require.NoError(t, err)
	t.Setenv("HOME", me.HomeDir) // OpenSSH asks the user database, never HOME
	for _, host := range []string{"node1", "node2", "node3", "node4", "node7", "x.alias", "included", "other", "10.0.0.9"} {
		for _, as := range []string{"", "admin"} {
			args := []string{"-F", file, "-G"}
			if as != "" {
				args = append(args, "-l", as)
			}
			out, err := exec.Command(ssh, append(args, host)...).CombinedOutput()
			require.NoError(t, err, "%s", out)
			want := map[string][]string{}
			for line := range strings.Lines(string(out)) {
				keyword, value, _ := strings.Cut(strings.TrimSpace(line), " ")
				want[keyword] = append(want[keyword], value)
			}
			r, err := planRoute(conn.Target{Address: host, User: as}, conn.Settings{ConfigFile: file})
			require.NoError(t, err)
			who := fmt.Sprintf("%s as %q", host, as)
			require.Equal(t, net.JoinHostPort(want["hostname"][0], want["port"][0]), r.address, who)
			require.Equal(t, want["user"][0], r.user, who)
			require.Equal(t, want["identitiesonly"][0] == "yes", r.identitiesOnly, who)
			require.Equal(t, strings.Join(want["proxyjump"], ""), strings.Join(r.jumps, ","), who)
			expand := strings.NewReplacer("~", me.HomeDir, "%h", want["hostname"][0], "%n", host, "%r", r.user)
			for i, id := range r.identities {
				require.Equal(t, expand.Replace(want["identityfile"][i]), id.path, who)
			}
			require.Len(t, r.identities, len(want["identityfile"]), who)
			if k := want["hostkeyalias"]; k != nil {
				require.Equal(t, k[0]+":22", r.hostKey)
			}
			if n := want["serveraliveinterval"][0]; n != "0" {
				require.Equal(t, n+"s", r.aliveEvery.String())
			}
			if strings.HasPrefix(want["userknownhostsfile"][0], "/known") {
				require.Equal(t, strings.Fields(want["userknownhostsfile"][0]), r.knownHosts[:2])
			}
		}
	}
}

func writeConfig(t *testing.T, text, included string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("SSH_AUTH_SOCK", "")
	require.NoError(t, os.Mkdir(dir+"/more.d", 0o755))
	require.NoError(t, os.WriteFile(dir+"/more.d/a.conf", []byte(included), 0o600))
	// ssh looks for relative Includes in ~/.ssh whatever -F says; we look
	// beside the file. An absolute one is the same to both.
	text = strings.ReplaceAll(text, "Include more.d", "Include "+dir+"/more.d")
	file := filepath.Join(dir, "config")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestTargetFieldsWinOverConfig(t *testing.T) {
	file := writeConfig(t, sample, "")
	s := conn.Settings{ConfigFile: file, IdentityFiles: []string{"/mine"}, Jump: "via", HostKeyCheck: "off", KnownHosts: []string{"/k"}}
	r, err := planRoute(conn.Target{Address: "node1", User: "me", Port: 7}, s)
	require.NoError(t, err)
	require.Equal(t, "10.0.0.1:7", r.address)
	require.Equal(t, "me", r.user)
	require.Equal(t, []string{"via"}, r.jumps)
	require.Equal(t, "/mine", r.identities[0].path)
	require.Equal(t, []string{"/k"}, r.knownHosts)
	require.Equal(t, checkOff, r.hostKeyCheck)
}

func TestProxyCommandIsTheRestOfItsLine(t *testing.T) {
	file := writeConfig(t, "Host a\n proxycommand = ssh -o 'X=\"y' -W %h:%p bastion # really\nHost b\n ProxyJump c\n ProxyCommand x\nHost *\n ProxyCommand none\n", "")
	for host, want := range map[string]string{"a": "ssh -o 'X=\"y' -W a:22 bastion # really", "b": "", "c": ""} {
		r, err := planRoute(conn.Target{Address: host}, conn.Settings{ConfigFile: file})
		require.NoError(t, err)
		require.Equal(t, want, r.proxy)
	}
}

func TestConfigCannotTurnTheHostKeyCheckOff(t *testing.T) {
	file := writeConfig(t, "StrictHostKeyChecking no\n", "")
	r, err := planRoute(conn.Target{Address: "a"}, conn.Settings{ConfigFile: file})
	require.NoError(t, err)
	require.Equal(t, checkAcceptNew, r.hostKeyCheck)
}

func TestConfigFaultsNameTheirPlace(t *testing.T) {
	for text, want := range map[string]string{
		"Host a\nPort\n":                 "config:2: Port: no value",
		"HostName \"a\n":                 "config:1: a quotation mark is missing",
		"Port x\n":                       `"x" is no port`,
		"Match host\n":                   "config:1: Match host: no value",
		"Include /more.d/missing-*\n":    "",
		"ProxyCommand none\nPort = 1 \n": "",
	} {
		_, err := planRoute(conn.Target{Address: "a"}, conn.Settings{ConfigFile: writeConfig(t, text, "")})
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want, text)
	}
	_, err := planRoute(conn.Target{Address: "a"}, conn.Settings{ConfigFile: "/no/such/config"})
	require.ErrorIs(t, err, os.ErrNotExist, "a file that the runbook names must be there")
	_, err = planRoute(conn.Target{Address: "a"}, conn.Settings{ConfigFile: "/dev/null", HostKeyCheck: "maybe"})
	require.ErrorContains(t, err, "maybe")
}

func TestWildcards(t *testing.T) {
	for _, c := range []struct {
		pattern, s string
		want       bool
	}{
		{"*", "", true}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "ac", true}, {"a?c", "abc", true},
		{"a?c", "ac", false}, {"", "a", false}, {"a.c", "abc", false}, {"*.*.x", "a.b.x", true}, {"node?", "node12", false},
	} {
		require.Equal(t, c.want, wildcard(c.pattern, c.s), "%s %s", c.pattern, c.s)
	}
}

func TestPassesSignals(t *testing.T) {
	require.True(t, passesSignals("SSH-2.0-OpenSSH_9.2p1 Debian-2"))
	require.True(t, passesSignals("SSH-2.0-OpenSSH_7.9"))
	require.False(t, passesSignals("SSH-2.0-OpenSSH_7.4"))
	require.False(t, passesSignals("SSH-2.0-Go"))
}
