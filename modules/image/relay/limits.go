package relay

import "time"

// limits tell a slow node from one that is gone.
type limits struct {
	pollEvery time.Duration
	// gather is how long the first stations wait for others to be started; who
	// comes later goes to the end of the chain.
	gather time.Duration
	// silent is after how long without an answer nothing more is expected of a
	// node for the time being.
	silent time.Duration
	// stalled is how long a node may receive nothing although there is something
	// to receive, before it gets it in another way.
	stalled time.Duration
	// lost is how long a node may be out of reach before its cargo is given up;
	// its station waits on, for a later run.
	lost time.Duration
	// busy is how long to wait for a station that belongs to another run; free is
	// how long after the last sign of that run it does not any more.
	busy, free time.Duration
	// patience is how long a station waits without a controller.
	patience time.Duration
	// tries is how often a node is linked to others before this machine feeds it
	// to the end.
	tries int
	// futile is how many feeds in a row may bring nothing to a node that can be
	// reached before it is given up.
	futile int
	// dawdles is how many chunks in a row must come in slowly to a node until
	// the chain goes without it.
	dawdles int
}

var usual = limits{
	pollEvery: 600 * time.Millisecond, // each is some 300 bytes to every node
	gather:    5 * time.Second,
	silent:    10 * time.Second,
	stalled:   20 * time.Second,
	lost:      time.Minute,
	busy:      20 * time.Second,
	free:      15 * time.Second,
	patience:  10 * time.Minute,
	tries:     3,
	futile:    8,
	dawdles:   8,
}
