package main

import (
	"context"
	"fmt"

	"github.com/adbsql/antdbctl/engine/event"
)

// The image of which one layer changes. What stays is larger than what changes, so that sending it would show.
const (
	thinStays   = 30_000_000
	thinChanges = 10_000_000
)

// thin ships an image, then one whose last layer differs, then the same again; with each kind of engine.
func thin(ctx context.Context, b *bench) error {
	for _, runtime := range []string{"docker", "containerd"} {
		if err := b.thinOn(ctx, runtime); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) thinOn(ctx context.Context, runtime string) error {
	first, err := b.build(ctx, "thin-"+runtime, "thin-"+runtime+":1", thinStays, thinChanges)
	if err != nil {
		return err
	}
	s := shipment{image: first, nodes: b.fleet.Nodes, via: "chain", runtime: runtime}
	if _, _, err := b.shipCounted(ctx, s); err != nil {
		return err
	}
	if s.image, err = b.build(ctx, "thin-"+runtime, "thin-"+runtime+":2", thinStays, thinChanges); err != nil {
		return err
	}
	_, links, err := b.shipCounted(ctx, s)
	if err != nil {
		return err
	}
	most, where := busiest(links)
	b.table.atMost("thin", fmt.Sprintf("%s: bytes on the busiest link (%s) / bytes of the changed layer", runtime, where), float64(most)/thinChanges, wantThin, "%.4f")
	fmt.Printf("  controller: %d sent, %d received\n", links[b.fleet.Controller.Name].Sent, links[b.fleet.Controller.Name].Received)

	again, links, err := b.shipCounted(ctx, s)
	if err != nil {
		return err
	}
	var layers int64
	for _, e := range again.events {
		if p, ok := e.Event.(event.StepProgress); ok && p.Unit == "B" {
			layers = max(layers, p.Done)
		}
	}
	most, where = busiest(links)
	b.table.atMost("thin", runtime+": unchanged, bytes of layers sent", float64(layers), 0, "%.0f")
	b.table.atMost("thin", fmt.Sprintf("%s: unchanged, s for %d nodes (%d kB on the busiest link, %s)", runtime, len(s.nodes), most/1000, where),
		seconds(again.wall), wantUnchanged, "%.2f")
	if err := b.forget(ctx, first, s.nodes); err != nil {
		return err
	}
	return b.forget(ctx, s.image, s.nodes)
}

// shipCounted ships, verifies every node, and counts what passed the links meanwhile.
func (b *bench) shipCounted(ctx context.Context, s shipment) (shipped, map[string]traffic, error) {
	before, err := b.fleet.traffic(ctx)
	if err != nil {
		return shipped{}, nil, err
	}
	out, err := b.ship(ctx, s)
	if err != nil {
		return out, nil, err
	}
	after, err := b.fleet.traffic(ctx)
	if err != nil {
		return out, nil, err
	}
	if out.failed != nil {
		return out, nil, out.failed
	}
	links := map[string]traffic{}
	for name := range after {
		links[name] = after[name].since(before[name])
	}
	for _, n := range s.nodes {
		if err := b.verify(ctx, n.Name, s.runtime, s.image); err != nil {
			return out, nil, err
		}
	}
	return out, links, nil
}

// busiest is the largest number of bytes one way on any link.
func busiest(links map[string]traffic) (most int64, where string) {
	for name, t := range links {
		if n := max(t.Sent, t.Received); n > most {
			most, where = n, name
		}
	}
	return most, where
}
