// Package relay brings one cargo to many nodes at the cost of about one: every
// node passes on what it receives to the next.
//
// On each node a station takes part, a POSIX sh script that needs nothing
// installed: mkfifo, dd, sha256sum, and ssh where it passes something on. It
// keeps two chunks in memory, gives the cargo to what loads it there as it
// comes, and outlives the connection that started it, so that a cut costs no
// more than the chunk that was under way.
//
// This machine conducts: it feeds the head of the chain, asks every station how
// far it is, and when a link breaks, feeds the orphan or links it to another
// node. No port is opened on the nodes. A node logs in to the next by SSH with a
// key that was made for this cargo and lets its bearer do nothing but bring
// chunks; its line in authorized_keys goes when the station goes.
package relay

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
)

// Cargo is what travels: bytes that can be read from anywhere in them. Reading
// is safe for concurrent use.
type Cargo interface {
	io.ReaderAt
	Size() int64
	ID() string // the same for the same bytes, and only for those; letters and digits
}

// Node is a place that the cargo goes to.
type Node struct {
	Name  string
	Host  conn.Runner
	Login *ssh.Login // how other nodes log in there; nil where they cannot
	Load  conn.Cmd   // takes the cargo on its standard input
	// At is told how many bytes the node holds, each of them verified, often.
	At func(bytes int64)
	// Note is told what happens on the way that people may want to know.
	Note func(format string, args ...any)
}

// Options say how a cargo travels. The zero value is a star of plain bytes.
type Options struct {
	Chain    bool
	Compress string // "none" or "", "gzip", "zstd", or "auto": what all nodes have, while it saves time
}

// Result is what became of a node's cargo.
type Result struct {
	Err  error
	Code int    // exit status of what loaded it; with Err nil
	Log  string // what it said
	// Received is when the node had every byte, Loaded when the loader ended.
	Received, Loaded time.Duration
	By               string // the node that passed the cargo on at the end; empty for this machine
}

// Limits that tell a slow node from one that is gone.
const (
	pollEvery = 250 * time.Millisecond
	// stalled is how long a node may receive nothing although there is something
	// to receive, before it gets it in another way.
	stalled = 20 * time.Second
	// lost is how long a node may be out of reach before its cargo is given up;
	// its station waits on, for a later run.
	lost = time.Minute
	// busy is how long to wait for a station that belongs to another run; after
	// 15 seconds without a sign of that run it is free (see start.sh).
	busy = 20 * time.Second
	// patience is how long a station waits without a controller.
	patience = 10 * time.Minute
	// tries is how often a node is linked to others before this machine feeds it
	// to the end.
	tries = 3
	// dawdles is how many chunks in a row must come in slowly to a node until
	// the chain goes without it.
	dawdles = 5
)

// ErrBusy reports that another run brings the same cargo to the node.
var ErrBusy = errors.New("another run is bringing the same to this node")

// Send brings the cargo to all nodes and tells of each when it is through; it
// returns when all are. Stations that a cancelled Send leaves behind wait for
// another Send of the same cargo.
func Send(ctx context.Context, cargo Cargo, nodes []*Node, opts Options, done func(*Node, Result)) {
	c := &conductor{
		cargo: cargo, opts: opts, result: done, began: time.Now(),
		chunks: chunksOf(cargo), owner: owner(), news: make(chan func(), len(nodes)),
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for _, n := range nodes {
		c.members = append(c.members, &member{Node: n})
	}
	c.run(ctx)
}

// owner names this run to whoever finds its stations.
func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return fmt.Sprintf("%s process %d on %s, since %s", rand.Text(), os.Getpid(), host, time.Now().Format(time.DateTime))
}
