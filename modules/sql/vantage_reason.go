package sql

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
)

// explain gives each way that does not work its reason and remedy.
func (s *vantageSite) explain(ctx context.Context, ways []*way) {
	for _, w := range ways {
		if w.OK || w.err == nil {
			continue
		}
		w.Reason, w.Remedy = s.reason(ctx, w)
	}
}

func (s *vantageSite) reason(ctx context.Context, w *way) (reason, remedy string) {
	said := saying(w.err)
	switch classOf(w.err) {
	case noEntryClass, rejectClass, peerClass, badPasswordClass:
		return s.refusedLogin(ctx, w, said)
	case noRoleClass:
		return said, "make the role first, by a sql.role step"
	case noDatabaseClass:
		return said, "make the database first, by a sql.database step"
	case refusedClass:
		return s.nobodyListens(w)
	case timeoutClass:
		return s.silence(ctx, w)
	case noRouteClass:
		return "there is no route to " + w.Address + " from " + w.start(), s.detour(w, "look at the routes there: ip route get "+w.Address)
	case noNameClass:
		return s.noName(w)
	case noForwardClass:
		return "sshd of " + w.From + " forwards no connections", "set AllowTcpForwarding yes (or local) in its sshd_config, for this user"
	case noSlotClass:
		return said, "close sessions, or raise max_connections (patroni.config)"
	case notYetClass:
		return said, "wait until the server is up; retry = { … } of the step does"
	case unreachableClass:
		u := (*conn.Unreachable)(nil)
		errors.As(w.err, &u)
		return u.Error(), u.Hint
	}
	return said, ""
}

// saying is what was said last, without the address: the table has it.
func saying(err error) string {
	if f := faultOf(err); f != nil {
		return f.Message
	}
	text := err.Error()
	for deeper := errors.Unwrap(err); deeper != nil; deeper = errors.Unwrap(deeper) {
		text = deeper.Error()
	}
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		text = exit.Stderr
	}
	for line := range strings.Lines(text) { // psql tells of each try in a line, and adds advice after a tab
		if !strings.HasPrefix(line, "\t") {
			text = strings.TrimSpace(line)
		}
	}
	if _, after, ok := strings.Cut(text, " failed: "); ok {
		text = after
	}
	for _, severity := range []string{"FATAL:", "致命错误:", "错误:", "ERROR:"} {
		text = strings.TrimSpace(strings.TrimPrefix(text, severity))
	}
	return text
}

// refusedLogin is about a server that answered and said no.
func (s *vantageSite) refusedLogin(ctx context.Context, w *way, said string) (reason, remedy string) {
	who := clientOf(w, said)
	line, found := decides(s.rules(ctx), who)
	reason = said
	if found {
		reason += fmt.Sprintf("; line %d of pg_hba.conf decides: %s", line.number, line)
	}
	switch classOf(w.err) {
	case badPasswordClass:
		return reason, "give the password that the server has; of a user that the operator made it is in the Secret, and must be changed by the operator's own way (pgo.user), so that the two agree"
	case peerClass:
		return reason, "over the socket only the operating system's user of that name gets in: let this user come by 127.0.0.1"
	case rejectClass:
		return reason, "that line is there to keep this user out; use another user, or change the line through Patroni's configuration (postgresql.pg_hba)"
	}
	if w.to == "socket" {
		return reason, "over the socket only those users get in that pg_hba.conf has a local line for: let this user come by 127.0.0.1"
	}
	return reason, fmt.Sprintf("add to pg_hba.conf, through Patroni's configuration (postgresql.pg_hba): %s", who.wish())
}

// nobodyListens is about a refused connection: by the server's machine, or by
// the rules of kube-proxy for a service that has nothing behind it.
func (s *vantageSite) nobodyListens(w *way) (reason, remedy string) {
	if s.byService(w) {
		if reason, remedy := s.emptyService(); reason != "" {
			return reason, remedy
		}
	}
	reason = "connection refused: nothing listens at " + w.Address
	if w.to == "socket" {
		reason = "no server listens on the local socket"
	}
	return reason,
		fmt.Sprintf("look whether the server runs, and at its listen_addresses and port (here %d)", s.v.Port)
}

func (s *vantageSite) byService(w *way) bool {
	return s.service != nil && (w.to == "service" || w.to == "dns" || w.to == "node_port")
}

// emptyService says why no pod is behind the service; nothing when one is.
func (s *vantageSite) emptyService() (reason, remedy string) {
	if len(s.backends) > 0 {
		return "", ""
	}
	reason = fmt.Sprintf("service %s has no ready pod behind it", s.service.Name)
	for _, key := range sortedKeys(s.service.Spec.Selector) {
		if want, have := s.service.Spec.Selector[key], s.pod.Labels[key]; have != want {
			if have == "" {
				have = "none"
			}
			return fmt.Sprintf("%s: it selects %s=%s, and pod %s has %s", reason, key, want, s.pod.Name, have),
				"Patroni sets that label: look at the pod's log, and whether the cluster has a leader (patroni.status)"
		}
	}
	return reason, "the pod is not ready: look at its readiness probe and log"
}

// silence is about packets that get no answer.
func (s *vantageSite) silence(ctx context.Context, w *way) (reason, remedy string) {
	reason = fmt.Sprintf("no answer from %s within %s", w.Address, s.v.Patience)
	if w.from(here) && (w.to == "pod_ip" || w.to == "service") {
		return reason, s.detour(w, "")
	}
	if s.byService(w) {
		if why, remedy := s.emptyService(); why != "" {
			return reason + ": " + why, remedy
		}
	}
	policies, err := s.policies(ctx)
	switch {
	case err != nil:
		reason += "; network policies cannot be read: " + err.Error()
	case len(policies) > 0:
		return reason + "; network policies that select the pod: " + strings.Join(policies, ", "),
			"let " + w.start() + " in to port " + fmt.Sprint(s.v.Port) + " by one of these policies"
	default:
		reason += "; no network policy selects the pod"
	}
	if s.byService(w) && w.from(inside) && len(s.backends) == 1 && s.pods[s.backends[0]] == s.pod.Name {
		return reason + "; the packets come back to the pod that sent them", "let the pod network do that (hairpinMode of the bridge plugin); other pods are not concerned"
	}
	return reason, "look at the firewalls in between, the routes there and back, and kube-proxy of that node"
}

// detour is for what starts here and cannot go there straight.
func (s *vantageSite) detour(w *way, otherwise string) string {
	if w.from(here) && (w.to == "pod_ip" || w.to == "service") {
		return "addresses of pods and services belong to the cluster: from here use a node port, or a port-forward"
	}
	return otherwise
}

func (s *vantageSite) noName(w *way) (reason, remedy string) {
	host, _, _ := net.SplitHostPort(w.Address)
	reason = fmt.Sprintf("the name %s does not resolve there", host)
	if policy := s.pod.Spec.DNSPolicy; policy == "Default" || policy == "None" {
		return reason + fmt.Sprintf(": the pod's dnsPolicy is %s, so it does not ask the cluster's DNS", policy), "use the address, or give the pods dnsPolicy ClusterFirst"
	}
	return reason, "look at the cluster's DNS: pods and endpoints of the service kube-dns in kube-system"
}

func (w *way) from(place string) bool { return w.From == place }

// start names the place in a sentence.
func (w *way) start() string {
	switch w.From {
	case inside:
		return "the pod itself"
	case here:
		return "this machine"
	}
	return w.From
}
