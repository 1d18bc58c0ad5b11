package sql

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// The places that a way in starts at; others are names of SSH hosts.
const (
	inside = "inside"
	here   = "here"
)

// asker is who can ask a server: psql, or antdbctl's own connection.
type asker interface {
	query(ctx context.Context, statement string) (*table, error)
}

// way is one way in, on its way to becoming a row of the table.
type way struct {
	Way
	to   string // socket, loopback, pod_ip, service, dns, node_port, forward
	open func(ctx context.Context) (asker, error)
	err  error
}

// arg is the argument of the runbook that the failure is about.
func (w *way) arg() string {
	switch classOf(w.err) {
	case badPasswordClass:
		return "password"
	case noDatabaseClass:
		return "database"
	case noRoleClass:
		return "user"
	}
	return "require"
}

// ways lists what is to be tried, in the order of the table: from the server
// outwards.
func (v *Vantage) ways(env *module.Env, site *vantageSite, hosts []conn.Target) []*way {
	b := &wayBuilder{v: v, env: env, site: site}
	b.inside("socket", "socket", "")
	b.inside("loopback", "loopback", "127.0.0.1")
	b.inside("pod_ip", "pod_ip", site.pod.Status.PodIP)
	service := site.address()
	if site.service == nil {
		b.impossible("service", "service", inside, site.noService, "name the service that clients use: service = \"…\"")
	} else {
		if service != "" {
			b.inside("service", "service", service)
		}
		b.inside("dns", "dns", fmt.Sprintf("%s.%s.svc", site.service.Name, site.pod.Namespace))
	}
	for _, host := range hosts {
		b.through(host, "pod_ip", site.pod.Status.PodIP)
		if service != "" {
			b.through(host, "service", service)
		}
	}
	b.nodePorts()
	local := conn.Target{Kind: conn.Local, Name: here}
	b.through(local, "pod_ip", site.pod.Status.PodIP)
	if service != "" {
		b.through(local, "service", service)
	}
	b.add("forward", "forward", here, "pod/"+site.pod.Name, v.Port, func(l login) func(context.Context) (asker, error) {
		l.host = "127.0.0.1"
		return func(context.Context) (asker, error) { return &wire{login: l, dial: env.Dial}, nil }
	})
	return b.ways
}

type wayBuilder struct {
	v    *Vantage
	env  *module.Env
	site *vantageSite
	ways []*way
}

func (b *wayBuilder) add(name, to, from, host string, port int, open func(l login) func(context.Context) (asker, error)) {
	address := host
	if port != 0 {
		address = net.JoinHostPort(host, strconv.Itoa(port))
	}
	l := login{host: host, port: cmp.Or(port, b.v.Port), user: b.v.User, database: b.v.Database,
		sslmode: b.v.SSLMode, password: b.v.Password, passwordArg: "password"}
	b.ways = append(b.ways, &way{to: to, open: open(l), Way: Way{Vantage: name, From: from, Address: address, User: b.v.User, Database: b.v.Database}})
}

// inside is psql in the database container.
func (b *wayBuilder) inside(name, to, host string) {
	port := b.v.Port
	if host == "" {
		host, port = "(socket)", 0
	}
	b.add(name, to, inside, host, port, func(l login) func(context.Context) (asker, error) {
		if port == 0 {
			l.host = ""
		}
		run := hasty{b.env.Host, b.v.Patience}
		return func(context.Context) (asker, error) {
			return &psql{login: l, run: run, osUser: l.osUser(b.env.Target)}, nil
		}
	})
}

// through is antdbctl's own connection out of another machine, or of this one.
func (b *wayBuilder) through(t conn.Target, to, host string) {
	b.dial(to+" from "+t.String(), t, to, host, b.v.Port)
}

func (b *wayBuilder) dial(name string, t conn.Target, to, host string, port int) {
	b.add(name, to, t.String(), host, port, func(l login) func(context.Context) (asker, error) {
		return func(ctx context.Context) (asker, error) {
			from, err := b.env.Dialer.Dial(ctx, t)
			if err != nil {
				return nil, err
			}
			return &wire{login: l, dial: from.Dial}, nil
		}
	})
}

// nodePorts are tried from here: that is where clients outside the cluster are.
func (b *wayBuilder) nodePorts() {
	if b.site.service == nil {
		return
	}
	port := b.site.nodePort()
	if port == 0 {
		b.impossible("node_port", "node_port", here, fmt.Sprintf("service %s is a %s: it has no node port", b.site.service.Name, b.site.service.Spec.Type),
			"make the service a NodePort, if clients outside the cluster shall come in that way")
		return
	}
	for _, n := range b.site.nodes {
		b.dial("node_port "+n.name, conn.Target{Kind: conn.Local, Name: here}, "node_port", n.address, port)
	}
	if len(b.site.nodes) == 0 {
		b.impossible("node_port", "node_port", here, "the addresses of the nodes are not known: "+b.site.noNodes, "this user needs the verb list on nodes")
	}
}

// impossible is a way that need not be tried.
func (b *wayBuilder) impossible(name, to, from, reason, remedy string) {
	b.ways = append(b.ways, &way{to: to, Way: Way{Vantage: name, From: from, User: b.v.User, Database: b.v.Database, Reason: reason, Remedy: remedy}})
}

// hostsOf reads targets out of what a runbook may write for several: a whole
// ssh target, one host, a list, or a map by name.
func hostsOf(v cty.Value) ([]conn.Target, error) {
	if v == cty.NilVal || v.IsNull() {
		return nil, nil
	}
	t := v.Type()
	var items []cty.Value
	switch {
	case t.Equals(conn.TargetType):
		one, err := conn.TargetFrom(v)
		return []conn.Target{one}, err
	case t.IsObjectType() && t.HasAttribute("hosts") && t.HasAttribute("config"):
		return hostsOf(v.GetAttr("hosts"))
	case t.IsObjectType(), t.IsMapType():
		fields := v.AsValueMap()
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			items = append(items, fields[name])
		}
	case t.IsTupleType(), t.IsListType(), t.IsSetType():
		items = v.AsValueSlice()
	default:
		return nil, fmt.Errorf("it takes an ssh target, such as target.nodes, or a list or map of its hosts, not %s", t.FriendlyName())
	}
	var all []conn.Target
	for _, item := range items {
		more, err := hostsOf(item)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
