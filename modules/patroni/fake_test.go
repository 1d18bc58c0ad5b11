package patroni

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// fake is a cluster of Patroni that answers as the recorded one did: what it
// says by default are the recorded texts, what a test wants said is put in
// their place. It exists for states that a real cluster is hard to bring into.
type fake struct {
	mu      sync.Mutex
	members []*fakeMember
	pause   bool
	config  map[string]any
	calls   []string          // "PATCH b /config {…}"
	answers map[string]answer // by "POST /switchover": what is said in place of the usual
	lock    string

	conflicts int // so many times PATCH is told that somebody else was faster
}

type answer struct {
	status int
	text   string
}

type fakeMember struct {
	name, role, state string // role as /patroni says it: master, replica
	timeline          int
	lag               any
	silent            bool // nobody listens
	broken            bool // its SQL fails: only state and role are said
	pending           bool
	tags              map[string]any
	server            *httptest.Server
}

// newFake has a leader and replicas as recorded.
func newFake(t *testing.T, names ...string) *fake { return newFakeTLS(t, nil, names...) }

func newFakeTLS(t *testing.T, encryption *tls.Config, names ...string) *fake {
	f := &fake{config: map[string]any{}, answers: map[string]answer{}, lock: names[0]}
	require.NoError(t, json.Unmarshal([]byte(recorded(t)["GET /config"]), &f.config))
	for i, name := range names {
		m := &fakeMember{name: name, role: "replica", state: "running", timeline: 1, lag: 0}
		if i == 0 {
			m.role, m.lag = "master", nil
		}
		m.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, m) }))
		if m.server.TLS = encryption; encryption != nil {
			m.server.StartTLS()
		} else {
			m.server.Start()
		}
		t.Cleanup(m.server.Close)
		f.members = append(f.members, m)
	}
	return f
}

// recorded is the recorded traffic: what was answered, by request.
func recorded(t *testing.T) map[string]string {
	t.Helper()
	raw, err := os.ReadFile("testdata/patroni-rest.txt")
	require.NoError(t, err)
	all := map[string]string{}
	for _, part := range strings.Split(string(raw), "### ")[1:] {
		lines := strings.Split(strings.TrimSpace(part), "\n")
		all[lines[0]] = strings.Join(lines[1:len(lines)-1], "\n")
	}
	return all
}

// serve routes by what the path contains, as Patroni does.
func (f *fake) serve(w http.ResponseWriter, r *http.Request, m *fakeMember) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	request := r.Method + " " + r.URL.Path
	if r.Method != http.MethodGet {
		f.calls = append(f.calls, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, m.name, r.URL.Path, body)))
	}
	if a, ok := f.answers[request]; ok {
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, a.text)
		return
	}
	has := func(words ...string) bool {
		for _, word := range words {
			if strings.Contains(r.URL.Path, word) {
				return true
			}
		}
		return false
	}
	switch {
	case r.Method == http.MethodPatch && f.conflicts > 0:
		f.conflicts--
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, "<!DOCTYPE HTML><html>Error code: 409</html>")
	case r.Method == http.MethodPatch:
		var change map[string]any
		_ = json.Unmarshal(body, &change)
		f.config = merge(f.config, change)
		say(w, http.StatusOK, f.config)
	case r.Method == http.MethodPost && r.URL.Path == "/switchover":
		var wish struct{ Leader, Candidate string }
		_ = json.Unmarshal(body, &wish)
		f.promote(wish.Candidate)
		_, _ = fmt.Fprintf(w, "Successfully switched over to %q", f.lock)
	case has("master", "leader", "primary", "read-write"):
		status := http.StatusServiceUnavailable
		if m.name == f.lock && m.role == "master" {
			status = http.StatusOK
		}
		say(w, status, f.status(m))
	case r.URL.Path == "/patroni":
		say(w, http.StatusOK, f.status(m))
	case r.URL.Path == "/cluster":
		say(w, http.StatusOK, f.cluster())
	case r.URL.Path == "/config":
		say(w, http.StatusOK, f.config)
	default:
		http.Error(w, "<!DOCTYPE HTML>", http.StatusNotFound)
	}
}

// promote makes a member the leader on a new timeline; the first replica when
// none is named.
func (f *fake) promote(name string) {
	timeline := 0
	for _, m := range f.members {
		timeline = max(timeline, m.timeline)
		if name == "" && m.name != f.lock {
			name = m.name
		}
	}
	f.lock = name
	for _, m := range f.members {
		m.role, m.lag, m.timeline = "replica", 0, timeline+1
		if m.name == name {
			m.role, m.lag = "master", nil
		}
	}
}

func (f *fake) status(m *fakeMember) map[string]any {
	s := map[string]any{"state": m.state, "role": m.role, "patroni": map[string]any{"version": "3.0.2", "scope": "hippo"}}
	if !m.broken {
		s["timeline"], s["database_system_identifier"], s["server_version"] = m.timeline, "7711121326432919651", 110010
	}
	if m.pending {
		s["pending_restart"] = true
	}
	return s
}

func (f *fake) cluster() map[string]any {
	list := []map[string]any{}
	for _, m := range f.members {
		host, port, _ := net.SplitHostPort(m.server.Listener.Addr().String())
		line := map[string]any{"name": m.name, "role": "replica", "state": m.state, "host": host, "port": 5432, "timeline": m.timeline,
			"api_url": "http://" + net.JoinHostPort(host, port) + "/patroni"}
		if m.name == f.lock {
			line["role"] = "leader"
		} else if m.lag != nil {
			line["lag"] = m.lag
		}
		if m.tags != nil {
			line["tags"] = m.tags
		}
		list = append(list, line)
	}
	all := map[string]any{"members": list}
	if f.pause {
		all["pause"] = true
	}
	return all
}

func say(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

// host is this machine, from where silent members cannot be reached.
type host struct {
	conn.Host
	f *fake
}

func (h host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	for _, m := range h.f.members {
		if m.silent && m.server.Listener.Addr().String() == addr {
			return nil, fmt.Errorf("dial %s: connection refused", addr)
		}
	}
	return h.Host.Dial(ctx, network, addr)
}

func (f *fake) step(t *testing.T, entry module.Entry, args string) *moduletest.Step {
	t.Helper()
	var addresses []string
	for _, m := range f.members {
		addresses = append(addresses, fmt.Sprintf("%q", m.server.Listener.Addr()))
	}
	s := moduletest.New(t, entry, host{local.New(), f}, args+"\nmembers = ["+strings.Join(addresses, ", ")+"]\n", map[string]cty.Value{})
	s.Env().Target = conn.Target{Kind: conn.Local, Name: "here"}
	return s
}
