package host

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

var (
	//go:embed collect.hcl
	collectExample string
	//go:embed collect.sh
	collectScript string

	collectLook = shell.Lean(collectScript)
)

// Collect gathers what a machine shows of itself.
type Collect struct {
	Folders  []string      `hcl:"folders,optional" doc:"Folders of the machine that volumes are made of, such as the paths of hostPath volumes."`
	Node     string        `hcl:"node,optional" doc:"What Kubernetes calls the machine. By default what its kubelet was told, else its own name."`
	Since    time.Duration `hcl:"since,optional" default:"24h" doc:"Only log lines that are not older than this, as far as the machine can tell."`
	LogLines int           `hcl:"log_lines,optional" default:"20000" doc:"How many lines of each log, from its end."`
	LogBytes int           `hcl:"log_bytes,optional" default:"4194304" doc:"How much of each log, from its end."`

	Facts cty.Value `out:"facts" doc:"What was seen: an object with a list for each kind of fact (node_disk, node_memory, node_clock, node_runtime, node_image, node_folder, node_interface, node_port, node_route, certificate, …). Each fact has name, place and what its kind has."`
	Gaps  []string  `out:"gaps" doc:"What could not be looked at, a sentence each."`
}

// Info describes host.collect.
func (*Collect) Info() module.Info {
	return module.Info{
		Name:    "host.collect",
		Summary: "Gathers disks, memory, clock, runtime, images, network, certificates and logs of a machine for a diagnosis.",
		Doc: `One command tells all facts; nothing but a POSIX shell is needed for it, and what a missing program would have told is noted in
` + "`gaps`" + `, as is what the user may not see: many things are for root alone, so let the target say ` + "`sudo = true`" + `. A machine that
cannot be reached is a fact, too (` + "`node_reach`" + `).

In a diagnosis it also reads the ends of the kernel's log, the kubelet's and the container runtime's, from the journal or from files; the machine that antdbctl
runs on is left out there, unless it has a kubelet. As a step it gives facts alone.

The clock's offset is from that of the machine that asks, and true to half of the time that the question took (` + "`error`" + `). One machine
alone does not know whose clock is wrong, so ` + "`outlier`" + ` is false here.

Of the files with certificates only the certificates are read, never the keys beside them.`,
		On:       []string{conn.SSH, conn.Local},
		Example:  collectExample,
		ReadOnly: true,
	}
}

// Validate checks paths and bounds.
func (c *Collect) Validate() error {
	for _, folder := range c.Folders {
		if err := checkPath(folder); err != nil {
			return module.At("folders", err)
		}
	}
	switch {
	case c.LogLines < 0:
		return module.At("log_lines", errors.New("the number of lines is negative"))
	case c.LogBytes < 0:
		return module.At("log_bytes", errors.New("the number of bytes is negative"))
	}
	return nil
}

// Check gives the facts as outputs.
func (c *Collect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	c.Facts, c.Gaps, err = evidence.Look(time.Now(), func(rec evidence.Recorder) error {
		_, err := c.facts(ctx, env, rec, false)
		return err
	})
	return module.NoChange, err
}

// Apply is never called: Check does all the work.
func (*Collect) Apply(context.Context, *module.Env) error { return nil }

// Collect gathers facts, and then logs.
func (c *Collect) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	m, err := c.facts(ctx, env, rec, env.Target.Kind == conn.Local)
	if err != nil || m == nil {
		return err
	}
	var logs sync.WaitGroup
	for _, log := range nodeLogs(m.runtime.Name) {
		logs.Go(func() { c.log(ctx, env, rec, m.place, log) })
	}
	logs.Wait()
	return nil
}

// facts asks the machine for all that it can tell at once. It gives
// nil for one that cannot be reached, which is noted, and for one without a kubelet where
// only nodes are wanted.
func (c *Collect) facts(ctx context.Context, env *module.Env, rec evidence.Recorder, onlyNode bool) (*machine, error) {
	out := &timed{}
	cmd := conn.Script(collectLook, c.Folders...)
	cmd.Stdout = out
	begin := time.Now()
	timely, cancel := beforeTheEnd(ctx)
	_, err := env.Run(timely, cmd)
	cancel()
	text, first := out.answer()
	if gone := (*conn.Unreachable)(nil); errors.As(err, &gone) && text == "" {
		name := c.Node
		if name == "" {
			name = env.Target.String()
		}
		rec.Fact(name, evidence.Place{Node: name}, &evidence.Reach{Error: err.Error()})
		return nil, nil
	}
	m := readMachine(text, begin, first)
	if m.hostname == "" {
		if err == nil {
			err = fmt.Errorf("unexpected answer %.100q", text)
		}
		return nil, fmt.Errorf("look at %s: %w", env.Target, err)
	}
	if onlyNode && m.runtime.Kubelet == "missing" {
		return nil, nil
	}
	m.place = evidence.Place{Node: m.node(c.Node)}
	rec.Fact(m.place.Node, m.place, &evidence.Reach{Reachable: true})
	m.record(rec, m.place)
	switch {
	case err != nil:
		rec.Gap("the rest of its facts", m.place, err)
	case !m.whole:
		rec.Gap("the rest of its facts", m.place, errors.New("the answer is not whole"))
	}
	return m, nil
}

// beforeTheEnd ends a little before ctx does, so that there is time to keep what
// has come by then.
func beforeTheEnd(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(time.Second, time.Until(end)/5)))
}

// timed keeps what a command prints, and when that began. A command that is
// given up may still print.
type timed struct {
	mu    sync.Mutex
	text  bytes.Buffer
	first time.Time
}

func (t *timed) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first.IsZero() {
		t.first = time.Now()
	}
	return t.text.Write(p)
}

func (t *timed) answer() (text string, first time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(t.text.String(), "�"), t.first
}
