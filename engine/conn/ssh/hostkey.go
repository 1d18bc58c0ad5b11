package ssh

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// UnknownHostKey reports a host that no known_hosts file names.
type UnknownHostKey struct {
	Host string // as known_hosts has it
	Key  ssh.PublicKey
	File string // where the key would go
}

func (e *UnknownHostKey) Error() string {
	return fmt.Sprintf("host key of %s is not known: it shows an %s", e.Host, fingerprint(e.Key))
}

func (e *UnknownHostKey) hint() string {
	host, port, err := net.SplitHostPort(e.Host)
	if err != nil {
		host, port = e.Host, "22"
	}
	scan := "ssh-keyscan " + host
	if port != "22" {
		scan = fmt.Sprintf("ssh-keyscan -p %s %s", port, host)
	}
	return fmt.Sprintf("compare the fingerprint with the host's own (ssh-keygen -lf /etc/ssh/ssh_host_%s_key.pub there), then run `%s >> %s`, "+
		`or set host_key_check = "accept-new" in the target`, algorithm(e.Key), scan, e.File)
}

// ChangedHostKey reports a host that shows another key than the known one.
type ChangedHostKey struct {
	Host    string
	Key     ssh.PublicKey
	File    string // where the known key is
	Line    int
	Known   ssh.PublicKey
	Revoked bool
}

func (e *ChangedHostKey) Error() string {
	if e.Revoked {
		return fmt.Sprintf("HOST KEY REVOKED: %s shows an %s, which %s:%d revokes", e.Host, fingerprint(e.Key), e.File, e.Line)
	}
	return fmt.Sprintf("HOST KEY CHANGED: %s shows an %s, but %s:%d has an %s; either the host was installed anew or somebody sits in between",
		e.Host, fingerprint(e.Key), e.File, e.Line, fingerprint(e.Known))
}

func (e *ChangedHostKey) hint() string {
	if e.Revoked {
		return "do not connect until the host has a new key"
	}
	return fmt.Sprintf("find out why the key changed; only then remove line %d of %s (ssh-keygen -f %s -R '%s')",
		e.Line, e.File, e.File, knownhosts.Normalize(e.Host))
}

func fingerprint(k ssh.PublicKey) string {
	return strings.ToUpper(algorithm(k)) + " key " + ssh.FingerprintSHA256(k)
}

// algorithm names the kind of a key as ssh-keygen does.
func algorithm(k ssh.PublicKey) string {
	switch t := k.Type(); {
	case strings.Contains(t, "ed25519"):
		return "ed25519"
	case strings.Contains(t, "ecdsa"):
		return "ecdsa"
	case strings.Contains(t, "rsa"):
		return "rsa"
	default:
		return t
	}
}

// hostKeys checks the key of one host.
type hostKeys struct {
	route *route
	db    *knownDB
	shown ssh.PublicKey // what the host has shown; nil when it did not let us in that far
}

func newHostKeys(r *route) (*hostKeys, error) {
	db, err := readKnownHosts(r.knownHosts)
	if err != nil {
		return nil, fmt.Errorf("known hosts: %w", err)
	}
	return &hostKeys{route: r, db: db}, nil
}

// algorithms prefers those of the keys that are known, so that a host with
// several keys shows one that can be compared; then the cheapest.
func (h *hostKeys) algorithms() []string {
	all := h.db.HostKeyAlgorithms(h.route.hostKey)
	supported := append([]string{ssh.KeyAlgoED25519}, ssh.SupportedAlgorithms().HostKeys...)
	for _, a := range supported {
		if !slices.Contains(all, a) && !strings.Contains(a, "cert") {
			all = append(all, a)
		}
	}
	return all
}

// check is the ssh.HostKeyCallback.
func (h *hostKeys) check(_ string, remote net.Addr, key ssh.PublicKey) error {
	h.shown = key
	if h.route.hostKeyCheck == checkOff {
		return nil
	}
	err := h.db.HostKeyCallback()(h.route.hostKey, remote, key)
	var unknown *xknownhosts.KeyError
	var revoked *xknownhosts.RevokedError
	switch {
	case errors.As(err, &revoked):
		return &ChangedHostKey{Host: h.route.hostKey, Key: key, File: h.db.file(revoked.Revoked), Line: revoked.Revoked.Line, Revoked: true}
	case !errors.As(err, &unknown):
		return err
	case len(unknown.Want) > 0:
		known := sameKind(unknown.Want, key)
		return &ChangedHostKey{Host: h.route.hostKey, Key: key, File: h.db.file(known), Line: known.Line, Known: known.Key}
	case h.route.hostKeyCheck == checkAcceptNew:
		return remember(h.route.knownHosts[0], h.route.hostKey, key)
	}
	return &UnknownHostKey{Host: h.route.hostKey, Key: key, File: h.route.knownHosts[0]}
}

// sameKind is the known key to name in a message: one of the same algorithm,
// where there is one.
func sameKind(known []xknownhosts.KnownKey, key ssh.PublicKey) xknownhosts.KnownKey {
	for _, k := range known {
		if k.Key.Type() == key.Type() {
			return k
		}
	}
	return known[0]
}
