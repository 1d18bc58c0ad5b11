package ssh

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// A jump host is a target like any other, dialed through the same Dialer, so
// that all hosts behind it share one connection to it. Its Vars carry what
// makes it a hop; no runbook can write such names.
const (
	hopVia  = "ssh:via"  // the jump hosts before it
	hopPath = "ssh:path" // the hosts behind it, to find a circle
)

// hopSettings are those of a target in its role as a jump host: keys and known
// hosts are shared, but the password of the hosts behind it is not shown to it.
func hopSettings(t conn.Target, s conn.Settings) conn.Settings {
	if _, isHop := t.Vars[hopPath]; !isHop {
		return s
	}
	s.Password, s.SudoPassword, s.Sudo = secret.Value{}, secret.Value{}, false
	s.Jump = t.Vars[hopVia]
	return s
}

func hopName(address, via string) string {
	if via != "" {
		return fmt.Sprintf("jump host %s (behind %s)", address, via)
	}
	return "jump host " + address
}

// parseHop reads "user@host:port", "ssh://user@host:port".
func parseHop(text string) (conn.Target, error) {
	t := conn.Target{Kind: conn.SSH}
	rest := strings.TrimPrefix(text, "ssh://")
	if i := strings.LastIndexByte(rest, '@'); i >= 0 {
		t.User, rest = rest[:i], rest[i+1:]
	}
	t.Address = rest
	if host, port, err := net.SplitHostPort(rest); err == nil {
		t.Address = host
		if t.Port, err = strconv.Atoi(port); err != nil {
			return t, fmt.Errorf("jump host %q: %q is no port", text, port)
		}
	}
	t.Address = strings.Trim(t.Address, "[]")
	if t.Address == "" {
		return t, fmt.Errorf("jump host %q: no address", text)
	}
	return t, nil
}

// throughJumps connects to the host from the last of its jump hosts.
func (h *Host) throughJumps(ctx context.Context) (net.Conn, error) {
	last := len(h.route.jumps) - 1
	t, err := parseHop(h.route.jumps[last])
	if err != nil {
		return nil, err
	}
	path := h.target.Vars[hopPath]
	if slices.Contains(strings.Fields(path), h.route.address) {
		return nil, fmt.Errorf("ProxyJump leads in a circle: %s", strings.ReplaceAll(path+h.route.address, " ", " behind "))
	}
	via := strings.Join(h.route.jumps[:last], ",")
	t.Name, t.Config = hopName(t.Address, via), h.target.Config
	t.Vars = map[string]string{hopVia: via, hopPath: path + h.route.address + " "}
	jump, err := h.jumpHost(ctx, t)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeoutCause(ctx, h.route.timeout, noAnswer(h.route))
	defer stop()
	if own, ok := conn.As[*Host](jump); ok {
		return own.tunnel(ctx, "tcp", h.route.address)
	}
	return jump.Dial(ctx, "tcp", h.route.address)
}

// jumpHost opens t, through the dialer that all hosts share where there is one.
func (h *Host) jumpHost(ctx context.Context, t conn.Target) (conn.Host, error) {
	if h.dialer != nil {
		return h.dialer.Dial(ctx, t)
	}
	h.mu.Lock()
	if len(h.hops) > 0 {
		defer h.mu.Unlock()
		return h.hops[0], nil
	}
	h.mu.Unlock()
	jump, err := Open(ctx, t, h.settings, nil)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hops = append(h.hops, jump)
	return jump, nil
}
