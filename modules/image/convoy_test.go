package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/relay"
)

// parcel is a cargo of which only the name matters.
type parcel struct {
	relay.Cargo
	id string
}

func (p parcel) ID() string { return p.id }

// harbour is a pier whose convoys only take time, which they do per passenger.
type harbour struct {
	*meetings
	left    []string // the hosts of each convoy
	travels time.Duration
}

func newHarbour() *harbour {
	h := &harbour{}
	h.meetings = newMeetings(func(_ context.Context, _ relay.Cargo, nodes []*relay.Node, opts relay.Options, done func(*relay.Node, relay.Result)) {
		names := make([]string, len(nodes))
		for i, n := range nodes {
			names[i] = n.Name
		}
		h.mu.Lock()
		h.left = append(h.left, fmt.Sprint(names, opts.Chain))
		h.mu.Unlock()
		var all sync.WaitGroup
		for _, n := range nodes {
			all.Go(func() {
				select {
				case <-time.After(h.travels):
					done(n, relay.Result{By: "ship of " + n.Name})
				case <-n.Gone.Done():
					done(n, relay.Result{Err: context.Cause(n.Gone)})
				}
			})
		}
		all.Wait()
	})
	return h
}

// take is what a host's step does with the image: look, then join.
func (h *harbour) take(ctx context.Context, host, cargo string, chain bool) error {
	r, err := h.join("image", &passenger{ctx: ctx, host: host, cargo: parcel{id: cargo}, opts: relay.Options{Chain: chain}, node: &relay.Node{Name: host}})
	if err == nil && r.By != "ship of "+host {
		return fmt.Errorf("%s got the result of %s", host, r.By)
	}
	return err
}

func (h *harbour) convoys() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	slices.Sort(h.left)
	return h.left
}

func TestAllWhoLackAnImageLeaveTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour()
		var steps sync.WaitGroup
		for i, host := range []string{"c", "a", "b", "has it"} {
			seen := h.look("image", host)
			steps.Go(func() {
				time.Sleep(time.Duration(i) * 5 * time.Second) // a look takes its time
				seen(host != "has it")
				if host != "has it" {
					time.Sleep(500 * time.Millisecond)
					require.NoError(t, h.take(t.Context(), host, "cargo", true))
				}
			})
		}
		steps.Wait()
		require.Equal(t, []string{"[a b c] true"}, h.convoys())
		require.Empty(t, h.byImage, "nothing is kept of who has left")
	})
}

func TestWhoLacksOtherLayersTravelsApart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour()
		var steps sync.WaitGroup
		for _, host := range []string{"a", "b", "c", "d"} {
			h.look("image", host)(true)
		}
		for _, host := range []string{"a", "b", "c", "d"} {
			cargo, chain := "whole", true
			switch host {
			case "c":
				cargo = "thin"
			case "d":
				chain = false
			}
			steps.Go(func() { require.NoError(t, h.take(t.Context(), host, cargo, chain)) })
		}
		steps.Wait()
		require.Equal(t, []string{"[a b] true", "[c] true", "[d] false"}, h.convoys())
	})
}

func TestAHostThatDoesNotComeHoldsTheOthersUpShortly(t *testing.T) {
	for name, absent := range map[string]func(*harbour){
		"failed, or is in a later batch": func(h *harbour) { h.look("image", "late")(true) },
		"never answers":                  func(h *harbour) { h.look("image", "late") },
		"is there already":               func(h *harbour) { h.look("image", "late")(false) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour()
				absent(h)
				h.look("image", "a")(true)
				h.look("image", "b")(true)
				began := time.Now()
				var steps sync.WaitGroup
				for _, host := range []string{"a", "b"} {
					steps.Go(func() { require.NoError(t, h.take(t.Context(), host, "cargo", true)) })
				}
				steps.Wait()
				require.Equal(t, []string{"[a b] true"}, h.convoys())
				limit := map[string]time.Duration{"is there already": 0, "never answers": lookTime}
				want, ok := limit[name]
				if !ok {
					want = lastCall
				}
				require.Equal(t, want, time.Since(began))
			})
		})
	}
}

func TestALaterBatchTravelsByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newHarbour()
		for _, host := range []string{"a", "b", "c"} {
			h.look("image", host)(true)
		}
		for _, batch := range [][]string{{"a", "b"}, {"c"}} {
			var steps sync.WaitGroup
			for _, host := range batch {
				steps.Go(func() { require.NoError(t, h.take(t.Context(), host, "cargo", true)) })
			}
			steps.Wait()
		}
		require.Equal(t, []string{"[a b] true", "[c] true"}, h.convoys())
		require.Empty(t, h.byImage)
	})
}

func TestACancelledPassengerDoesNotStopTheOthers(t *testing.T) {
	stopped := errors.New("the step was stopped")
	for name, after := range map[string]time.Duration{"on the way": lastCall + time.Second, "before they leave": lastCall / 2} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour()
				h.travels = time.Minute
				h.look("image", "late")(true)
				ctx, stop := context.WithCancelCause(t.Context())
				time.AfterFunc(after, func() { stop(stopped) })
				var steps sync.WaitGroup
				steps.Go(func() { require.ErrorIs(t, h.take(ctx, "a", "cargo", true), stopped) })
				steps.Go(func() { require.NoError(t, h.take(t.Context(), "b", "cargo", true)) })
				steps.Wait()
				want := "[a b] true"
				if name == "before they leave" {
					want = "[b] true"
				}
				require.Equal(t, []string{want}, h.convoys())
			})
		})
	}
}

func TestStepsThatBringTheSameToOneEngineTakeTurns(t *testing.T) {
	stopped := errors.New("the step was stopped")
	for name, cancel := range map[string]bool{"both stay": false, "one is cancelled": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHarbour()
				h.travels = time.Minute
				began := time.Now()
				ctx, stop := context.WithCancelCause(t.Context())
				defer stop(nil)
				if cancel {
					time.AfterFunc(10*time.Second, func() { stop(stopped) })
				}
				var steps sync.WaitGroup
				h.look("image", "a")(true)
				steps.Go(func() {
					if err := h.take(ctx, "a", "cargo", true); cancel {
						require.ErrorIs(t, err, stopped)
					} else {
						require.NoError(t, err)
					}
				})
				synctest.Wait() // that one is under way
				steps.Go(func() { require.NoError(t, h.take(t.Context(), "a", "cargo", true)) })
				steps.Wait()
				require.Equal(t, []string{"[a] true", "[a] true"}, h.convoys())
				if !cancel {
					require.Equal(t, 2*time.Minute, time.Since(began))
				}
				require.Empty(t, h.byImage)
				require.Empty(t, h.underway)
			})
		})
	}
}
