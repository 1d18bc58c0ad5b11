package ssh

import (
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Values of Settings.HostKeyCheck.
const (
	checkStrict    = "strict"
	checkAcceptNew = "accept-new"
	checkOff       = "off"
)

// route is everything it takes to reach one host and log in: what the target
// says, else what ssh_config says, else the defaults.
type route struct {
	name    string // for people
	address string // host:port to connect to
	user    string

	hostKey      string // host:port under which known_hosts has the key
	knownHosts   []string
	hostKeyCheck string

	identities     []identity
	identitiesOnly bool
	agent          string // socket
	password       secret.Value
	passphrase     secret.Value

	jumps       []string // in order of the way
	proxy       string   // a command that connects, where there are no jumps
	timeout     time.Duration
	aliveEvery  time.Duration
	aliveMisses int
}

// identity is a file with a private key.
type identity struct {
	path  string
	given bool // somebody named it; the defaults may well be missing
}

const (
	defaultTimeout = 15 * time.Second
	defaultAlive   = 15 * time.Second
	defaultMisses  = 3
)

// planRoute works out the route to t.
func planRoute(t conn.Target, s conn.Settings) (*route, error) {
	me, err := user.Current()
	if err != nil {
		return nil, fmt.Errorf("who am I: %w", err)
	}
	a := asked{alias: t.Address, user: t.User, localUser: me.Username, home: me.HomeDir}
	if home := os.Getenv("HOME"); home != "" {
		a.home = home
	}
	if a.alias == "" {
		a.alias = t.Name
	}
	if a.alias == "" {
		return nil, fmt.Errorf("target %q has no address", t.String())
	}
	files := []configFile{
		{path: filepath.Join(a.home, ".ssh/config"), includes: filepath.Join(a.home, ".ssh")},
		{path: "/etc/ssh/ssh_config", includes: "/etc/ssh"},
	}
	if s.ConfigFile != "" {
		path := expandHome(s.ConfigFile, a.home)
		files = []configFile{{path: path, includes: filepath.Dir(path), required: true}}
	}
	o, err := readConfig(files, a)
	if err != nil {
		return nil, err
	}
	return newRoute(t, s, o, a)
}

func newRoute(t conn.Target, s conn.Settings, o options, a asked) (*route, error) {
	host := strings.ReplaceAll(first(o.get("HostName"), a.alias), "%h", a.alias)
	port, err := portOf(t, o)
	if err != nil {
		return nil, err
	}
	r := &route{
		name:       t.String(),
		address:    net.JoinHostPort(host, strconv.Itoa(port)),
		user:       first(t.User, o.get("User"), a.localUser),
		password:   s.Password,
		passphrase: s.Passphrase,
	}
	expand := strings.NewReplacer("%%", "%", "%h", host, "%n", a.alias, "%p", strconv.Itoa(port),
		"%r", r.user, "%u", a.localUser, "%d", a.home)
	path := func(p string) string { return expandHome(os.ExpandEnv(expand.Replace(p)), a.home) }

	r.hostKey = r.address
	if alias := o.get("HostKeyAlias"); alias != "" {
		r.hostKey = net.JoinHostPort(alias, "22")
	}
	if err := r.setHostKeys(s, o, path); err != nil {
		return nil, err
	}
	r.setIdentities(s, o, path, a.home)
	for hop := range strings.SplitSeq(first(s.Jump, expand.Replace(o.get("ProxyJump"))), ",") {
		if hop = strings.TrimSpace(hop); hop != "" && !strings.EqualFold(hop, "none") {
			r.jumps = append(r.jumps, hop)
		}
	}
	if len(r.jumps) == 1 {
		// `Host *` with a ProxyJump matches the jump host as well.
		if hop, err := parseHop(r.jumps[0]); err == nil && hop.Address == a.alias {
			r.jumps = nil
		}
	}
	if c := o.get("ProxyCommand"); len(r.jumps) == 0 && !strings.EqualFold(c, "none") {
		r.proxy = expand.Replace(c)
	}
	r.timeout = seconds(o, "ConnectTimeout", defaultTimeout)
	r.aliveEvery = seconds(o, "ServerAliveInterval", defaultAlive)
	r.aliveMisses = defaultMisses
	if n, err := strconv.Atoi(o.get("ServerAliveCountMax")); err == nil && n > 0 {
		r.aliveMisses = n
	}
	return r, nil
}

func portOf(t conn.Target, o options) (int, error) {
	if t.Port != 0 {
		return t.Port, nil
	}
	text := first(o.get("Port"), "22")
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("%s: ssh_config: %q is no port", t, text)
	}
	return port, nil
}

// setHostKeys: a "no" in ssh_config still refuses a key that has changed; only
// the runbook itself can turn the check off.
func (r *route) setHostKeys(s conn.Settings, o options, path func(string) string) error {
	r.knownHosts = slices.Clone(s.KnownHosts) // the settings are shared by all hosts of a target
	if len(r.knownHosts) == 0 {
		r.knownHosts = append(r.knownHosts, orDefault(o["userknownhostsfile"], "~/.ssh/known_hosts", "~/.ssh/known_hosts2")...)
		r.knownHosts = append(r.knownHosts, orDefault(o["globalknownhostsfile"], "/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")...)
	}
	for i, p := range r.knownHosts {
		r.knownHosts[i] = path(p)
	}
	switch s.HostKeyCheck {
	case checkStrict, checkAcceptNew, checkOff:
		r.hostKeyCheck = s.HostKeyCheck
	case "":
		r.hostKeyCheck = checkStrict
		switch strings.ToLower(o.get("StrictHostKeyChecking")) {
		case "accept-new", "no", "off":
			r.hostKeyCheck = checkAcceptNew
		}
	default:
		return fmt.Errorf("%s: host_key_check is %q; it can be %s, %s or %s", r.name, s.HostKeyCheck, checkStrict, checkAcceptNew, checkOff)
	}
	return nil
}

func (r *route) setIdentities(s conn.Settings, o options, path func(string) string, home string) {
	for _, p := range append(append([]string{}, s.IdentityFiles...), o["identityfile"]...) {
		if p != "none" {
			r.identities = append(r.identities, identity{path: path(p), given: true})
		}
	}
	if len(r.identities) == 0 {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			r.identities = append(r.identities, identity{path: filepath.Join(home, ".ssh", name)})
		}
	}
	r.identitiesOnly = strings.EqualFold(o.get("IdentitiesOnly"), "yes")
	switch socket := o.get("IdentityAgent"); {
	case strings.EqualFold(socket, "none"):
	case socket != "" && socket != "SSH_AUTH_SOCK":
		r.agent = path(socket)
	default:
		r.agent = os.Getenv("SSH_AUTH_SOCK")
	}
}

func seconds(o options, keyword string, otherwise time.Duration) time.Duration {
	if n, err := strconv.Atoi(o.get(keyword)); err == nil && n > 0 {
		return time.Duration(n) * time.Second
	}
	return otherwise
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func orDefault(values []string, otherwise ...string) []string {
	if len(values) > 0 {
		return append([]string{}, values...)
	}
	return otherwise
}
