// Package patroni looks after clusters that Patroni runs: their state, their
// parameters, who leads, and whether a fail-over keeps its promises.
package patroni

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

// places are where the modules of the family work.
var places = []string{conn.Kubernetes, conn.Container, conn.Local, conn.SSH}

// where says which cluster is meant. Every module of the family has these
// arguments.
type where struct {
	cluster, namespace, selector string
	members                      []string
	api                          *API
	reach                        reach
}

// reach connects to a port of a pod: a port-forward when nil.
type reach func(ctx context.Context, pod *corev1.Pod, port int) (net.Conn, error)

// place is one cluster of Patroni as a step reaches it.
type place struct {
	env       *module.Env
	where     where
	name      string        // how people call the cluster
	kube      *kube.Cluster // nil where the cluster does not live in Kubernetes
	namespace string
	members   []*member // sorted by name
	api       *API
	patience  time.Duration // for one member's word on itself; 0 for the client's own
}

// member is one of the cluster's, with the ways to reach it.
type member struct {
	name string
	pod  *corev1.Pod // nil outside Kubernetes
	api  *rest.Client
	// dial connects to a port of the machine or pod that the member runs on.
	dial func(ctx context.Context, port int) (net.Conn, error)

	listed *rest.Member // the member's line in the cluster; nil when the store does not know it
	said   *rest.Status // what it says of itself; nil when it does not answer
	err    error        // why it does not
}

// validate checks what can be checked offline.
func (w where) validate() error {
	for _, address := range w.members {
		if _, _, err := split(address); err != nil {
			return module.At("members", err)
		}
	}
	return w.api.validate()
}

// open finds the members. It asks nobody but the API server of Kubernetes.
func (w where) open(ctx context.Context, env *module.Env) (*place, error) {
	p := &place{env: env, where: w, name: w.cluster, api: w.api}
	switch {
	case env.Target.Kind == conn.Kubernetes || env.Target.Pod != "":
		return p, p.findPods(ctx, w)
	case len(w.members) == 0:
		return nil, module.At("members", module.Explain(errors.New("say where the members are"),
			"give the address of the REST API of one member or more, as seen from "+env.Target.String()+": members = [\"10.0.0.11:8008\"]"))
	}
	for _, address := range w.members {
		host, port, err := split(address)
		if err != nil {
			return nil, module.At("members", err)
		}
		m, err := p.at(address, host, port)
		if err != nil {
			return nil, err
		}
		p.members = append(p.members, m)
	}
	return p, nil
}

// at is the member whose REST API listens at host and port, as seen from where
// the step works.
func (p *place) at(name, host string, port int) (*member, error) {
	m := &member{name: name, dial: func(ctx context.Context, port int) (net.Conn, error) {
		return p.env.Dial(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	}}
	config, err := p.api.config(p.env)
	if err != nil {
		return nil, err
	}
	m.api = rest.New(name, func(ctx context.Context) (net.Conn, error) { return m.dial(ctx, port) }, config)
	return m, nil
}

// split reads HOST or HOST:PORT.
func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err != nil {
		return address, defaultPort, checkHost(address)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil || n == 0 {
		return "", 0, fmt.Errorf("%q: %q is no port number", address, text)
	}
	return host, int(n), checkHost(host)
}

// defaultPort is Patroni's own; the images of PGO 4 have it listen on 8009.
const defaultPort = 8008

func checkHost(host string) error {
	if host == "" {
		return errors.New("an address without a host")
	}
	if _, err := url.Parse("http://" + host); err != nil && net.ParseIP(host) == nil {
		return fmt.Errorf("%q is no address HOST:PORT", host)
	}
	return nil
}

// apiOf is where a member says that its API listens.
func apiOf(m *rest.Member) (host string, port int, err error) {
	u, err := url.Parse(m.APIURL)
	if err != nil || u.Hostname() == "" {
		return "", 0, fmt.Errorf("member %s gives %q as the address of its API", m.Name, m.APIURL)
	}
	if u.Port() == "" {
		return u.Hostname(), defaultPort, nil
	}
	return split(u.Host)
}
