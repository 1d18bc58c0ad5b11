package ssh

import (
	"context"

	"golang.org/x/crypto/ssh"
)

// Login is how somebody else may log in to a host: where, as whom, and which
// key the host will show.
type Login struct {
	Address string // host:port, as this machine or the last jump host reaches it
	User    string
	HostKey ssh.PublicKey
}

// Login tells how this host is logged in to.
func (h *Host) Login(ctx context.Context) (Login, error) {
	l, err := h.link(ctx)
	if err != nil {
		return Login{}, err
	}
	return Login{Address: h.route.address, User: h.route.user, HostKey: l.hostKey}, nil
}
