package main

import (
	"context"
	"fmt"
	"time"
)

// cold ships an image that nobody has: to one node and to all, by chain; to all by star; and the way of the story.
// Each time it is another image, so nothing of an earlier one helps.
//
// Every node loads while it receives, and all of them with this machine's processors. Docker only puts what comes aside
// then; containerd hashes and stores it, which for eight nodes is more than two processors can do in the time that the
// links need. So the links are judged with docker, and containerd is told beside.
func cold(ctx context.Context, b *bench) error {
	one, err := b.coldRun(ctx, b.runtime, "one", "chain", b.fleet.Nodes[:1])
	if err != nil {
		return err
	}
	chain, err := b.coldRun(ctx, b.runtime, "chain", "chain", b.fleet.Nodes)
	if err != nil {
		return err
	}
	b.table.atMost("cold", "time of all nodes by chain / time of one", seconds(chain.held)/seconds(one.held), wantNodesPerOne, "%.2f")
	b.table.note("cold", "the same until all have loaded it (this machine's processors load for all)", fmt.Sprintf("%.2f", seconds(chain.finished)/seconds(one.finished)))
	other := "containerd"
	if b.runtime == other {
		other = "docker"
	}
	beside, err := b.coldRun(ctx, other, "beside", "chain", b.fleet.Nodes)
	if err != nil {
		return err
	}
	b.table.note("cold", "time of all nodes with "+other+" / of one with "+b.runtime, fmt.Sprintf("%.2f", seconds(beside.held)/seconds(one.held)))
	star, err := b.coldRun(ctx, b.runtime, "star", "star", b.fleet.Nodes)
	if err != nil {
		return err
	}
	b.table.note("cold", "time by star / by chain", fmt.Sprintf("%.1f", seconds(star.held)/seconds(chain.held)))
	story, err := b.story(ctx, b.fleet.Nodes)
	if err != nil {
		return err
	}
	b.table.note("cold", "time of the story's way / of chain, both with loading", fmt.Sprintf("%.1f", seconds(story)/seconds(chain.finished)))
	return nil
}

// span is how long a cold run took: until the last node held every byte, and until its engine had loaded it.
type span struct{ held, finished time.Duration }

func (b *bench) coldRun(ctx context.Context, runtime, name, via string, nodes []host) (span, error) {
	made, err := b.buildCold(ctx, name)
	if err != nil {
		return span{}, err
	}
	before := b.fleet.processors()
	out, err := b.ship(ctx, shipment{image: made, nodes: nodes, via: via, runtime: runtime})
	if err != nil {
		return span{}, err
	}
	if out.failed != nil {
		return span{}, out.failed
	}
	load := b.fleet.processors().since(before)
	for _, n := range nodes {
		if err := b.verify(ctx, n.Name, runtime, made); err != nil {
			return span{}, err
		}
	}
	var s span
	s.held, s.finished = out.span()
	fmt.Printf("  %s, %s, %d nodes: last node holds all after %.1f s, %.1f MB/s each; has loaded it after %.1f s (the slowest took %.1f s); whole run %.1f s; processors %s\n",
		via, runtime, len(nodes), seconds(s.held), float64(made.bytes)/1e6/seconds(s.held), seconds(s.finished), seconds(out.loads()), seconds(out.wall), load)
	return s, b.forget(ctx, made, nodes)
}

func seconds(d time.Duration) float64 { return d.Seconds() }
