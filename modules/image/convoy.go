package image

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/modules/image/relay"
)

// Every host is a step instance of its own, which knows nothing of the others;
// a chain takes several. So instances that ship the same image at the same time
// meet here: who finds the image missing is expected, and when all who are
// expected have come, or nobody has for a while, they leave together.

// How long those who are there wait for others.
const (
	// lookTime is for a host that is being looked at.
	lookTime = 30 * time.Second
	// lastCall is for a host that lacked the image when it was looked at: it may
	// be in a later batch, or fail before it comes.
	lastCall = time.Second
)

// pier is where the ships of this process meet.
var pier = newMeetings(relay.Send)

// sender is what brings a cargo to nodes: relay.Send.
type sender func(context.Context, relay.Cargo, []*relay.Node, relay.Options, func(*relay.Node, relay.Result))

func newMeetings(send sender) *meetings {
	return &meetings{send: send, byImage: map[string]*meeting{}, underway: map[string]bool{}, told: map[string]bool{}}
}

type meetings struct {
	send     sender
	mu       sync.Mutex
	byImage  map[string]*meeting
	underway map[string]bool // places of passengers who have left
	told     map[string]bool // images of which once was true
}

// once is true for one host of all that ship the image: for what people need
// not read from every one of them.
func (m *meetings) once(image string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	first := !m.told[image]
	m.told[image] = true
	return first
}

// meeting is who ships one image and has not left.
type meeting struct {
	expected map[string]bool // hosts; true while one is being looked at
	here     []*passenger
	timer    *time.Timer
}

// passenger is one host's part in a convoy.
type passenger struct {
	ctx    context.Context
	host   string
	node   *relay.Node
	cargo  relay.Cargo
	opts   relay.Options
	result chan relay.Result
}

// convoy is what can go as one: the same bytes in the same way.
func (p *passenger) convoy() string {
	return fmt.Sprint(p.cargo.ID(), p.opts.Chain, p.opts.Compress)
}

// place is where the cargo goes, of which there is one station.
func (p *passenger) place() string {
	return strings.Join(append([]string{p.cargo.ID(), p.host}, p.node.Load.Args...), "\n")
}

// look announces that a host is being looked at. seen ends that: it tells
// whether the host lacks the image, and so will likely join.
func (m *meetings) look(image, host string) (seen func(lacks bool)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of(image).expected[host] = true
	return func(lacks bool) {
		m.mu.Lock()
		defer m.mu.Unlock()
		meet := m.of(image)
		meet.expected[host] = false
		if !lacks {
			delete(meet.expected, host)
		}
		m.schedule(image, meet)
	}
}

func (m *meetings) of(image string) *meeting {
	if m.byImage[image] == nil {
		m.byImage[image] = &meeting{expected: map[string]bool{}}
	}
	return m.byImage[image]
}

// schedule sets when those who are there leave.
func (m *meetings) schedule(image string, meet *meeting) {
	if len(meet.here) == 0 {
		return
	}
	wait := time.Duration(0)
	for _, looking := range meet.expected {
		wait = max(wait, lastCall)
		if looking {
			wait = lookTime
		}
	}
	if meet.timer == nil {
		meet.timer = time.AfterFunc(wait, func() { m.leave(image, meet) })
		return
	}
	meet.timer.Reset(wait)
}

// join brings p's cargo to its host, together with whoever takes the same. Who
// is cancelled leaves the others to themselves.
func (m *meetings) join(image string, p *passenger) (relay.Result, error) {
	p.result = make(chan relay.Result, 1)
	p.node.Gone = p.ctx
	m.mu.Lock()
	meet := m.of(image)
	delete(meet.expected, p.host)
	meet.here = append(meet.here, p)
	m.schedule(image, meet)
	m.mu.Unlock()
	select {
	case r := <-p.result:
		return r, r.Err
	case <-p.ctx.Done():
	}
	if m.stayBehind(image, p) {
		return relay.Result{}, context.Cause(p.ctx)
	}
	r := <-p.result // soon: the convoy does not wait for it either
	return r, r.Err
}

// stayBehind takes out who has not left yet.
func (m *meetings) stayBehind(image string, p *passenger) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	meet := m.byImage[image]
	if meet == nil {
		return false
	}
	n := len(meet.here)
	meet.here = slices.DeleteFunc(meet.here, func(other *passenger) bool { return other == p })
	m.forget(image, meet)
	return len(meet.here) < n
}

// forget drops a meeting that nobody is at.
func (m *meetings) forget(image string, meet *meeting) {
	if len(meet.expected) == 0 && len(meet.here) == 0 && m.byImage[image] == meet {
		delete(m.byImage, image)
	}
}

// leave sends off everybody who is there. Who takes the same to the same engine
// as another waits until that one is through.
func (m *meetings) leave(image string, meet *meeting) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := meet.here
	meet.here = nil
	slices.SortStableFunc(all, func(a, b *passenger) int { return strings.Compare(a.host, b.host) })
	convoys := map[string][]*passenger{}
	for _, p := range all {
		if m.underway[p.place()] {
			meet.here = append(meet.here, p)
			continue
		}
		m.underway[p.place()] = true
		convoys[p.convoy()] = append(convoys[p.convoy()], p)
	}
	m.forget(image, meet)
	for _, together := range convoys {
		go m.travel(together, func(p *passenger) {
			m.mu.Lock()
			defer m.mu.Unlock()
			delete(m.underway, p.place())
			if next := m.byImage[image]; next != nil {
				m.schedule(image, next)
			}
		})
	}
}

// travel is one convoy's way, on which every passenger's own ctx counts.
func (m *meetings) travel(all []*passenger, arrived func(*passenger)) {
	byNode := map[*relay.Node]*passenger{}
	nodes := make([]*relay.Node, len(all))
	for i, p := range all {
		byNode[p.node], nodes[i] = p, p.node
	}
	m.send(context.WithoutCancel(all[0].ctx), all[0].cargo, nodes, all[0].opts, func(n *relay.Node, r relay.Result) {
		arrived(byNode[n])
		byNode[n].result <- r
	})
}
