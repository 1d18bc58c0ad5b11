package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
)

// world is a stand-in for everything outside: a map of keys for each host, and
// what is to go wrong. The engine's own behaviour needs no more.
type world struct {
	mu    sync.Mutex
	keys  map[string]string // "host/key" → value
	down  map[string]bool   // hosts that cannot be reached
	stuck map[string]bool   // "host/key" that stay as they are
	fail  map[string]int    // "host/key" → sets and deletes that fail before one works
	log   []string          // every set and delete
	onSet func(key string)
	onGet func(key string)
	ends  chan struct{}  // closed when the test is over
	late  map[string]int // "host/key" → gets that still show nothing after a set
}

func newWorld() *world {
	return &world{keys: map[string]string{}, down: map[string]bool{}, stuck: map[string]bool{}, fail: map[string]int{}, late: map[string]int{}, ends: make(chan struct{})}
}

func (w *world) open(_ context.Context, t conn.Target, _ conn.Settings, _ conn.Dialer) (conn.Host, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down[t.Name] {
		return nil, &conn.Unreachable{Target: t.Name, Err: errors.New("connection refused"), Hint: "start its sshd"}
	}
	return &place{world: w, name: t.Name}, nil
}

func (w *world) get(key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.keys[key]
}

// place is one host of the world. Its commands are "get KEY", "set KEY VALUE", "del KEY".
type place struct {
	*world
	name string
}

func (p *place) Run(_ context.Context, cmd conn.Cmd) (conn.Result, error) {
	key := p.name + "/" + cmd.Args[1]
	if cmd.Args[0] == "set" && p.onSet != nil {
		p.onSet(key)
	}
	if cmd.Args[0] == "get" && p.onGet != nil {
		p.onGet(key)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch cmd.Args[0] {
	case "set":
		p.log = append(p.log, key)
		if p.fail[key] > 0 {
			p.fail[key]--
			return conn.Result{}, &conn.ExitError{Cmd: cmd, Code: 5, Stderr: "first line\nset failed: token=hunter2hunter2"}
		}
		if !p.stuck[key] {
			p.keys[key] = cmd.Args[2]
		}
	case "del":
		p.log = append(p.log, "del "+key)
		if p.fail[key] > 0 {
			p.fail[key]--
			return conn.Result{}, &conn.ExitError{Cmd: cmd, Code: 5, Stderr: "del failed"}
		}
		delete(p.keys, key)
	}
	if p.keys[key] != "" && p.late[key] > 0 {
		p.late[key]--
		return conn.Result{}, nil
	}
	return conn.Result{Stdout: p.keys[key]}, nil
}

func (p *place) Files() (conn.Files, error) { return nil, conn.NotSupported(p.name, "files") }
func (p *place) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, conn.NotSupported(p.name, "connections")
}
func (p *place) Close() error { return nil }

// thing keeps a key at a value.
type thing struct {
	Key   string `hcl:"key" doc:"Key."`
	Value string `hcl:"value,optional" default:"on" doc:"Value."`

	Got string `out:"got" doc:"The value that is there."`
}

func (*thing) Info() module.Info {
	return module.Info{Name: "test.thing", Summary: "Keep a key.", On: kinds}
}

func (m *thing) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	res, err := env.Run(ctx, conn.Command("get", m.Key))
	switch {
	case err != nil:
		return module.NoChange, err
	case res.Stdout == "":
		return module.Change{Action: module.Create, Summary: "set " + m.Key}, nil
	case res.Stdout == "fixed":
		return module.NoChange, module.Refuse(module.At("value", errors.New("it cannot be set any more")))
	case res.Stdout != m.Value:
		return module.Change{Action: module.Update, Summary: "set " + m.Key, Diff: []module.Diff{{Path: m.Key, Before: res.Stdout, After: m.Value}}}, nil
	}
	m.Got = res.Stdout
	return module.NoChange, nil
}

func (m *thing) Apply(ctx context.Context, env *module.Env) error {
	_, err := env.Run(ctx, conn.Command("set", m.Key, m.Value))
	return module.At("value", err)
}

func (m *thing) Destroy(ctx context.Context, env *module.Env) error {
	_, err := env.Run(ctx, conn.Command("del", m.Key))
	return err
}

// Losses are those of a key with a value that is precious.
func (m *thing) Losses() []string {
	if m.Value == "precious" {
		return []string{"the value of " + m.Key, "its copy"}
	}
	return nil
}

// look reads a key.
type look struct {
	Key string `hcl:"key" doc:"Key."`
	Got string `out:"got" doc:"Its value."`
}

func (*look) Info() module.Info {
	return module.Info{Name: "test.look", Summary: "Read a key.", On: kinds, ReadOnly: true}
}

func (m *look) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	res, err := env.Run(ctx, conn.Command("get", m.Key))
	m.Got = res.Stdout
	return module.NoChange, err
}
func (*look) Apply(context.Context, *module.Env) error { return errors.New("never") }

var kinds = []string{conn.Local, conn.SSH}

// site is a runbook and a world to run it on.
type site struct {
	t     tester
	world *world
	dir   string
	cfg   Config
	seen  *recorder
}

// tester is a test, or one case of a property.
type tester interface {
	require.TestingT
	Helper()
}

// recorder is the sink that a test looks into.
type recorder struct {
	mu     sync.Mutex
	events []event.Event
}

func (r *recorder) Emit(e event.Envelope) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e.Event)
}

func of[T event.Event](r *recorder) []T {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []T
	for _, e := range r.events {
		if t, ok := e.(T); ok {
			out = append(out, t)
		}
	}
	return out
}

const hosts = `
target "ssh" "nodes" { hosts = ["node1", "node2", "node3"] }
`

func newSite(t *testing.T, runbook string) *site {
	t.Helper()
	s := &site{t: t, world: newWorld(), dir: t.TempDir()}
	t.Cleanup(func() { close(s.world.ends) })
	s.write(runbook)
	s.cfg = Config{Openers: map[string]conn.Opener{conn.Local: s.world.open, conn.SSH: s.world.open}, AutoApprove: true}
	return s
}

func (s *site) write(runbook string) {
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, "book.hcl"), []byte(runbook), 0o600))
}

func (s *site) stateDir() string { return filepath.Join(s.dir, StateDir, "book") }

func (s *site) load() *lang.Runbook {
	s.t.Helper()
	s.seen = &recorder{}
	s.cfg.Sinks = []event.Sink{s.seen}
	book, diags := lang.Load(filepath.Join(s.dir, "book.hcl"), lang.Options{Registry: s.registry()})
	require.False(s.t, diags.HasErrors(), diags.Error())
	return book
}

func (*site) registry() *module.Registry {
	return module.NewRegistry(module.Of[thing](), module.Of[look](), module.Of[disks](), module.Of[clusters]())
}

func (s *site) apply() Outcome {
	s.t.Helper()
	out, err := Apply(context.Background(), s.cfg, s.load(), nil)
	require.NoError(s.t, err)
	return out
}

func (s *site) plan() (*SavedPlan, Outcome) {
	s.t.Helper()
	plan, out, err := Plan(context.Background(), s.cfg, s.load())
	require.NoError(s.t, err)
	return plan, out
}

// planned is "address status summary" of every line, sorted.
func planned(p *SavedPlan) []string {
	var out []string
	for _, l := range p.Lines {
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s", l.Address, l.Status, l.Summary)))
	}
	return out
}

func (s *site) diagnostics() []diag.Diagnostic {
	var out []diag.Diagnostic
	for _, f := range of[event.StepFinished](s.seen) {
		out = append(out, f.Diagnostics...)
	}
	for _, d := range of[event.Diagnosed](s.seen) {
		out = append(out, d.Diagnostics...)
	}
	return out
}
