package patroni

import (
	"context"
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

const (
	collectWidth = 8              // clusters at a time
	failoverAge  = 24 * time.Hour // of the failovers that are counted
)

// tell makes facts of all clusters, several at a time.
func (g *gatherer) tell(ctx context.Context) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, collectWidth)
	for _, s := range g.wanted() {
		g.keepings(s)
		if len(s.pods) == 0 && g.orphan(s) {
			continue
		}
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			g.cluster(ctx, s)
		})
	}
	wg.Wait()
}

// keepings tells of the objects in which Patroni keeps its state.
func (g *gatherer) keepings(s *scoped) {
	for _, o := range s.objects {
		annotations := maps.Clone(o.meta.Annotations)
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		g.rec.Fact(o.meta.Name, evidence.Place{Namespace: s.namespace, Cluster: s.cluster}, &evidence.Record{Type: o.kind, Purpose: o.purpose,
			Annotations: annotations, Age: g.age(o.meta.CreationTimestamp.Time), Orphan: g.orphan(s)})
	}
}

func (g *gatherer) age(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return max(0, int64(g.now.Sub(t)/time.Second))
}

// cluster asks the members of a cluster and tells of it and of them.
func (g *gatherer) cluster(ctx context.Context, s *scoped) {
	place := evidence.Place{Namespace: s.namespace, Cluster: s.cluster}
	a := g.ask(ctx, s)
	fact := g.agreed(s, a.turns)
	fact.Timeline = a.timeline(fact.Leader)
	fact.Paused = fact.Paused || a.all.Pause
	g.rec.Fact(s.cluster, place, fact)
	a.tell(place, fact.Leader)
}

// agreed reads what the members agree on out of what Patroni keeps. Where it
// says nothing, Patroni's own defaults count.
func (g *gatherer) agreed(s *scoped, turns []rest.Turn) *evidence.Patroni {
	fact := &evidence.Patroni{Leader: s.annotation("leader"), LeaderAge: -1, Initialize: s.annotation("initialize")}
	config := struct {
		TTL     *int64 `json:"ttl"`
		Loop    *int64 `json:"loop_wait"`
		Retry   *int64 `json:"retry_timeout"`
		MaxLag  *int64 `json:"maximum_lag_on_failover"`
		IsPause bool   `json:"pause"`
	}{}
	_ = json.Unmarshal([]byte(s.annotation("config")), &config) // none before the first start
	for _, v := range []struct {
		into  *int64
		said  *int64
		usual int64
	}{{&fact.TTL, config.TTL, 30}, {&fact.LoopWait, config.Loop, 10}, {&fact.RetryTimeout, config.Retry, 10}, {&fact.MaxLag, config.MaxLag, 1 << 20}} {
		if *v.into = v.usual; v.said != nil {
			*v.into = *v.said
		}
	}
	fact.Paused = config.IsPause
	if at := s.renewed(); !at.IsZero() {
		fact.LeaderAge = g.age(at)
	}
	for _, turn := range turns {
		if at, err := stamp(turn.At); err == nil && g.now.Sub(at) < failoverAge {
			fact.Failovers++
		}
	}
	return fact
}

// renewed is when the leader last wrote its lock. What it wrote itself is by the
// clock of its node, which may be wrong; the API server's note of it, which
// servers before 1.18 do not make, is by the server's.
func (s *scoped) renewed() time.Time {
	var last time.Time
	for _, o := range s.objects {
		if o.purpose != "leader" {
			continue
		}
		for _, f := range o.meta.ManagedFields {
			if f.Time != nil && f.FieldsV1 != nil && strings.Contains(string(f.FieldsV1.Raw), `"f:renewTime"`) && f.Time.After(last) {
				last = f.Time.Time
			}
		}
	}
	if last.IsZero() {
		last, _ = stamp(s.annotation("renewTime")) // zero where there is none
	}
	return last
}

// stamp reads a time as Patroni writes it, with or without a zone.
func stamp(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Parse("2006-01-02T15:04:05.999999999", text)
	}
	return at, nil
}
