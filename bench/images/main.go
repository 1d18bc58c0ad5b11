// Command images measures how images travel to many nodes, in one run on this machine: plain nodes and a controller,
// each behind a link of 100 Mbit/s each way (`antdbctl-lab fleet`), the real program, real engines. Every number that
// is compared is measured here beside its peer. The exit status is 1 when one is not as wanted. Run it as root in the
// repository's root, after `make build bin/antdbctl-lab`.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// What is wanted.
const (
	wantNodesPerOne = 1.3      // time of all nodes by chain over time of one
	wantThin        = 1.02     // bytes on a link over bytes of the layer
	wantUnchanged   = 1.0      // seconds for all nodes when there is nothing to send
	wantResent      = 4 << 20  // bytes that a cut may cost: one chunk
	wantResident    = 64 << 20 // bytes of memory of any process of ours
)

// bench is one run of all parts.
type bench struct {
	fleet   *fleet
	program string // antdbctl
	dir     string // images' contexts, runbooks, the program's cache
	runtime string // of the nodes, where a part does not try both
	mega    int    // size of a cold image in units of 1e6 bytes
	layers  int
	talk    bool // print what the program logs
	random  *rand.Rand
	table   table
	memory  memory
}

type part struct {
	name, what string
	run        func(context.Context, *bench) error
}

var parts = []part{
	{"cold", "a new image to all nodes", cold},
	{"thin", "one changed layer, and none", thin},
	{"deaths", "two nodes die in mid-stream", deaths},
	{"cuts", "fifty cut connections", cuts},
}

func main() {
	if len(os.Args) > 3 && os.Args[1] == measureVerb {
		os.Exit(measured(os.Args[2], os.Args[3:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	missed, err := run(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/images:", err)
		os.Exit(2)
	}
	if missed {
		os.Exit(1)
	}
}

func run(ctx context.Context) (missed bool, err error) {
	b := &bench{}
	lab := flag.String("lab", "bin/antdbctl-lab", "the lab's program")
	rate := flag.String("rate", "100mbit", "of every link, each way")
	only := flag.String("only", "", "parts to run, by comma; all by default")
	seed := flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is random, but for the layers")
	flag.StringVar(&b.program, "antdbctl", "bin/antdbctl", "the program to measure")
	flag.StringVar(&b.runtime, "runtime", "docker", "container engine of the nodes: docker or containerd; where thin does not try both")
	flag.IntVar(&b.mega, "mb", 210, "size of a cold image")
	flag.IntVar(&b.layers, "layers", 5, "layers of a cold image")
	flag.BoolVar(&b.talk, "v", false, "print what the program logs about each node")
	flag.Parse()
	chosen, err := choose(*only)
	if err != nil {
		return false, err
	}
	b.random = rand.New(rand.NewPCG(*seed, 0))
	if b.dir, err = os.MkdirTemp("", "bench-images-"); err != nil {
		return false, err
	}
	defer os.RemoveAll(b.dir)
	if b.fleet, err = openFleet(ctx, *lab, *rate); err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, b.fleet.close()) }()
	fmt.Printf("%d nodes, %s each way, image of %d MB in %d layers, seed %d\n", len(b.fleet.Nodes), *rate, b.mega, b.layers, *seed)
	for _, p := range chosen {
		fmt.Printf("\n%s: %s\n", p.name, p.what)
		err := p.run(ctx, b)
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		if err != nil { // the other parts have something to say all the same
			b.table.add(p.name, "comes to its end", "yes", "no", false)
			fmt.Printf("  %v\n", err)
		}
		if err := b.fleet.repair(ctx); err != nil {
			return false, err
		}
	}
	b.memory.judge(&b.table)
	return b.table.print(os.Stdout), nil
}

// choose gives the parts with these names, or all.
func choose(names string) ([]part, error) {
	if names == "" {
		return parts, nil
	}
	var chosen []part
	for _, name := range strings.Split(names, ",") {
		i := slices.IndexFunc(parts, func(p part) bool { return p.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-only %s: there is no part %q", names, name)
		}
		chosen = append(chosen, parts[i])
	}
	return chosen, nil
}
