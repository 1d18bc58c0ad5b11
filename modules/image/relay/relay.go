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
	// Gone, when set, ends this node's part alone: its station waits on, as after
	// a Send that was cancelled.
	Gone context.Context
}

// Options say how a cargo travels. The zero value is a star of plain bytes.
type Options struct {
	Chain    bool
	Compress string // "none" or "", "gzip", "zstd", or "auto": what all nodes have, while it saves time

	limits *limits // nil for usual
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

// ErrBusy reports that another run brings the same cargo to the node.
var ErrBusy = errors.New("another run is bringing the same to this node")

// Send brings the cargo to all nodes and tells of each when it is through; it
// returns when all are. done is called for several nodes at once. Stations that a
// cancelled Send leaves behind wait for another Send of the same cargo.
func Send(ctx context.Context, cargo Cargo, nodes []*Node, opts Options, done func(*Node, Result)) {
	if opts.limits == nil {
		opts.limits = &usual
	}
	c := &conductor{
		limits: *opts.limits, cargo: cargo, opts: opts, result: done, began: time.Now(),
		chunks: chunksOf(cargo), owner: owner(), news: make(chan func(), len(nodes)),
	}
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
