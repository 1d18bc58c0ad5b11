package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/event"
)

const (
	cutsWanted = 50
	// How much of a cut connection's own cost, its new handshake, is not counted as bytes sent again.
	handshake = 16 << 10
	// Headers, SSH's own, acknowledgements of a stream that is not cut: part of its bytes.
	overhead = 0.02
	// A connection that has carried more than this is one of those that carry the image.
	carrying = 256 << 10
	// Most cuts hit connections that carry the image, since a cut of an idle one costs nothing.
	carryingShare = 0.8
)

// cuts aborts connections between machines at random moments of one transfer: both ends see a reset at once.
func cuts(ctx context.Context, b *bench) error {
	made, err := b.buildCold(ctx, "cuts")
	if err != nil {
		return err
	}
	cutter, err := b.newCutter(ctx)
	if err != nil {
		return err
	}
	// spread over the time that the transfer takes when nothing is cut; every cut makes it longer
	pause := time.Duration(float64(made.bytes) / b.fleet.bytesPerSecond() / cutsWanted * float64(time.Second))
	cutting, stop := context.WithCancel(ctx)
	defer stop()
	var once sync.Once
	var work sync.WaitGroup
	watch := func(e event.Envelope) {
		if p, ok := e.Event.(event.StepPhase); ok && (p.Phase == "send" || p.Phase == "load") {
			once.Do(func() { work.Go(func() { cutter.run(cutting, pause) }) })
		}
	}
	out, links, err := b.shipCounted(ctx, shipment{image: made, nodes: b.fleet.Nodes, via: "chain", runtime: b.runtime, watch: watch})
	stop()
	work.Wait()
	fmt.Printf("  %d cuts, %d of them of connections that carried the image\n", cutter.made, cutter.hit)
	if err != nil {
		return err
	}
	held, _ := out.span()
	var again float64
	for _, n := range b.fleet.Nodes {
		again += max(0, float64(links[n.Name].Received)-float64(made.bytes)*(1+overhead))
	}
	each := 0.0
	if cutter.made > 0 {
		each = max(0, again/float64(cutter.made)-handshake)
	}
	b.table.add("cuts", "cuts survived, all nodes verified", strconv.Itoa(cutsWanted), fmt.Sprintf("%d in %.1f s", cutter.made, seconds(held)), cutter.made >= cutsWanted)
	b.table.atMost("cuts", "MiB sent again for each", each/(1<<20), wantResent/float64(1<<20), "%.2f")
	return b.forget(ctx, made, b.fleet.Nodes)
}

// cutter aborts connections to the nodes' sshd.
type cutter struct {
	b    *bench
	pids map[string]string // of the nodes, to enter their networks by
	made int
	hit  int // of these, how many carried the image
}

func (b *bench) newCutter(ctx context.Context) (*cutter, error) {
	c := &cutter{b: b, pids: map[string]string{}}
	for _, n := range b.fleet.Nodes {
		pid, err := b.fleet.docker(ctx, "container", "inspect", "--format", "{{.State.Pid}}", n.Name)
		if err != nil {
			return nil, err
		}
		c.pids[n.Name] = pid
	}
	return c, nil
}

// run cuts until there are enough. A moment with nothing to cut is passed over.
func (c *cutter) run(ctx context.Context, pause time.Duration) {
	for c.made < cutsWanted {
		wait := time.Duration(float64(pause) * 2 * c.b.random.Float64())
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if victim, ok := c.choose(c.connections(ctx)); ok && c.cut(ctx, victim) {
			c.made++
			if victim.bytes >= carrying {
				c.hit++
			}
		}
	}
}

// connection is one to a node's sshd, as that node sees it.
type connection struct {
	node, local, peer string
	bytes             int64 // carried so far, either way
}

func (c *cutter) connections(ctx context.Context) []connection {
	var all []connection
	for _, n := range c.b.fleet.Nodes {
		out, err := c.ss(ctx, n.Name, "-tinHO", "state", "established", "( sport = :22 )").Output()
		if err != nil {
			continue // it may be over
		}
		all = append(all, parseConnections(n.Name, string(out))...)
	}
	return all
}

// parseConnections reads one a line: what waits in each queue, both addresses, then facts as key:value.
func parseConnections(node, text string) []connection {
	var all []connection
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		found := connection{node: node, local: fields[2], peer: fields[3]}
		for _, fact := range fields[4:] {
			for _, key := range []string{"bytes_received:", "bytes_acked:"} {
				if number, ok := strings.CutPrefix(fact, key); ok {
					carried, _ := strconv.ParseInt(number, 10, 64) // ss writes numbers only
					found.bytes += carried
				}
			}
		}
		all = append(all, found)
	}
	return all
}

func (c *cutter) ss(ctx context.Context, node string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "nsenter", append([]string{"--net", "--target", c.pids[node], "--", "ss"}, args...)...)
}

// choose takes a random one, mostly of those that carry the image.
func (c *cutter) choose(all []connection) (connection, bool) {
	var busy []connection
	for _, one := range all {
		if one.bytes >= carrying {
			busy = append(busy, one)
		}
	}
	if len(busy) > 0 && c.b.random.Float64() < carryingShare {
		all = busy
	}
	if len(all) == 0 {
		return connection{}, false
	}
	return all[c.b.random.IntN(len(all))], true
}

func (c *cutter) cut(ctx context.Context, victim connection) bool {
	out, err := c.ss(ctx, victim.node, "-K", "-tnH", "src", victim.local, "dst", victim.peer).Output()
	return err == nil && len(out) > 0 // it prints what it cut
}
