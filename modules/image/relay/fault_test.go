package relay

import (
	"context"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn/ssh"
)

// when lets f run when the place first holds n bytes.
func (p *place) when(n int64, f func()) {
	once, at := sync.Once{}, p.At
	p.At = func(has int64) {
		at(has)
		if has >= n {
			once.Do(f)
		}
	}
}

func TestFiftyCutsOfAChain(t *testing.T) {
	nodes := line(t, 3)
	cargo := random(200 << 20)
	dice := rand.New(rand.NewPCG(3, 50))
	reports, cuts := 0, 0
	for _, p := range nodes {
		at := p.At
		p.At = func(n int64) {
			at(n)
			if reports++; reports%2 == 0 && cuts < 50 {
				cuts++
				nodes[dice.IntN(len(nodes))].server.Cut()
			}
		}
	}
	l := quick()
	l.lost = time.Minute // the machine may be slow; none of them is dead
	all := send(t.Context(), cargo, Options{Chain: true, limits: l}, nodes...)
	for _, p := range nodes {
		p.holds(cargo, all[p.Name])
		p.clean(cargo)
	}
	require.Equal(t, 50, cuts)
}

func TestCutsCostAChunkAtMost(t *testing.T) {
	p := newPlace(t, "n1", settled{})
	cargo := random(100 << 20)
	cuts := int64(0)
	at := p.At
	p.At = func(n int64) {
		at(n)
		if cuts < 25 && n < cargo.Size() {
			cuts++
			p.server.Cut()
		}
	}
	p.holds(cargo, send(t.Context(), cargo, Options{}, p)["n1"])
	p.clean(cargo)
	again := p.runner.sent.Load() - cargo.Size()
	t.Logf("%d cuts, %d bytes again", cuts, again)
	require.GreaterOrEqual(t, cuts, int64(10))
	require.Less(t, again, cuts*(4<<20))
}

func TestANodeThatDiesIsBypassed(t *testing.T) {
	for name, die := range map[string]func(*place){
		"dead":   func(p *place) { p.server.Stop() },
		"frozen": func(p *place) { p.server.Freeze(); p.t.Cleanup(p.server.Thaw) },
	} {
		t.Run(name, func(t *testing.T) {
			nodes := line(t, 4)
			cargo := random(60 << 20)
			nodes[1].when(10<<20, func() { die(nodes[1]) })
			all := send(t.Context(), cargo, Options{Chain: true, limits: quick()}, nodes...)
			require.Error(t, all["n2"].Err)
			require.True(t, unreachable(all["n2"].Err), "%v", all["n2"].Err)
			for _, p := range []*place{nodes[0], nodes[2], nodes[3]} {
				p.holds(cargo, all[p.Name])
				p.clean(cargo)
			}
			require.Equal(t, "n3", all["n4"].By)
			require.Contains(t, nodes[2].said(), "n2")
		})
	}
}

func TestANodeThatIsDownFromTheStart(t *testing.T) {
	nodes := line(t, 3)
	nodes[0].server.Stop()
	cargo := random(9 << 20)
	all := send(t.Context(), cargo, Options{Chain: true, limits: quick()}, nodes...)
	require.True(t, unreachable(all["n1"].Err), "%v", all["n1"].Err)
	nodes[1].holds(cargo, all["n2"])
	nodes[2].holds(cargo, all["n3"])
	require.Equal(t, "n2", all["n3"].By)
}

func TestASlowLinkLeavesTheChain(t *testing.T) {
	nodes := line(t, 4)
	slow := nodes[2]
	slow.Login = &ssh.Login{Address: throttled(t, slow.Login.Address, 3<<20), User: slow.Login.User, HostKey: slow.Login.HostKey}
	cargo := random(60 << 20)
	l := quick()
	l.dawdles = 3
	all := send(t.Context(), cargo, Options{Chain: true, limits: l}, nodes...)
	for _, p := range nodes {
		p.holds(cargo, all[p.Name])
		p.clean(cargo)
	}
	require.Contains(t, slow.said(), "its link is slow")
	require.Empty(t, all["n3"].By)
}

// throttled is an address that leads to another, at so many bytes a second.
func throttled(t *testing.T, to string, speed int) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	t.Cleanup(func() {
		stop()
		_ = l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = c.Close()
				continue
			}
			closeBoth := func() { _, _ = c.Close(), far.Close() }
			context.AfterFunc(ctx, closeBoth)
			wg.Go(func() { _, _ = io.Copy(c, far); closeBoth() })
			wg.Go(func() { _, _ = io.Copy(far, paced{c, speed}); closeBoth() })
		}
	})
	return l.Addr().String()
}

type paced struct {
	io.Reader
	speed int
}

func (p paced) Read(b []byte) (int, error) {
	n, err := p.Reader.Read(b[:min(len(b), 8192)])
	<-time.After(time.Duration(n) * time.Second / time.Duration(p.speed))
	return n, err
}
