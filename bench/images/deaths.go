package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/adbsql/antdbctl/engine/event"
)

// dying are the nodes that die, by their number in the list, and when: at which part of the image anybody has. One is
// early in a chain and one late.
var dying = []struct {
	node int
	at   float64
}{{2, 0.3}, {5, 0.6}}

// deaths kills two nodes as a power cut does, in mid-stream: no connection of theirs is closed, they fall silent.
func deaths(ctx context.Context, b *bench) error {
	made, err := b.buildCold(ctx, "deaths")
	if err != nil {
		return err
	}
	var killing sync.WaitGroup
	var errs [2]error
	next, phases := 0, map[string]string{}
	watch := func(e event.Envelope) {
		switch e := e.Event.(type) {
		case event.StepPhase:
			phases[e.Address] = e.Phase
		case event.StepProgress:
			sending := phases[e.Address] == "send" || phases[e.Address] == "load"
			if next == len(dying) || !sending || e.Unit != "B" || float64(e.Done) < dying[next].at*float64(made.bytes) {
				return
			}
			i, name := next, b.fleet.Nodes[dying[next].node].Name
			next++
			killing.Go(func() { _, errs[i] = b.fleet.do(ctx, "kill", name) })
		}
	}
	out, err := b.ship(ctx, shipment{image: made, nodes: b.fleet.Nodes, via: "chain", runtime: b.runtime, watch: watch})
	killing.Wait()
	for _, e := range append(errs[:], err) {
		if e != nil {
			return e
		}
	}
	if next < len(dying) {
		return fmt.Errorf("only %d nodes were killed before the end: %w", next, out.failed)
	}
	whole, alive := 0, []host{}
	for i, n := range b.fleet.Nodes {
		if i == dying[0].node || i == dying[1].node {
			continue
		}
		alive = append(alive, n)
		if err := b.verify(ctx, n.Name, b.runtime, made); err != nil {
			fmt.Printf("  %v\n", err)
			continue
		}
		whole++
	}
	held, _ := out.span()
	fmt.Printf("  the program gave the dead up and ended after %.1f s\n", seconds(out.wall))
	b.table.add("deaths", "nodes complete and verified of those that live", fmt.Sprint(len(alive)), fmt.Sprintf("%d, in %.1f s", whole, seconds(held)), whole == len(alive))
	b.table.add("deaths", "nodes that the program says succeeded, and fails for the others", fmt.Sprint(len(alive)), fmt.Sprint(out.changed()), out.changed() == len(alive) && out.failed != nil)
	if err := b.fleet.repair(ctx); err != nil {
		return err
	}
	return b.forget(ctx, made, b.fleet.Nodes)
}
