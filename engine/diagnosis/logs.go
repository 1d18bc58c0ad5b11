package diagnosis

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/scan"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// search is one line signal to look for.
type search struct {
	finding int // index in the book
	line    *signature.Line
}

// reader reads the logs of a dossier, some at once.
type reader struct {
	*run
	ctx      context.Context
	searches []search

	mu   sync.Mutex // guards the run's results and what is below
	sets map[string]*set
}

// set is what is looked for in logs of one sort. Logs where all is well are
// searched for less.
type set struct {
	searches []search
	patterns *scan.Set
}

// scanLogs looks for all lines of the book in all logs.
func (r *run) scanLogs(ctx context.Context, dossier evidence.Dossier) {
	rd := &reader{run: r, ctx: ctx, sets: map[string]*set{}}
	for n, f := range r.book.Findings {
		for _, l := range f.Lines {
			rd.searches = append(rd.searches, search{n, l})
		}
	}
	work := make(chan evidence.Log)
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for log := range work {
				rd.read(log)
			}
		})
	}
	for log, err := range dossier.Logs() {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			rd.mu.Lock()
			r.problem("%s", err)
			rd.mu.Unlock()
			continue
		}
		work <- log
	}
	close(work)
	wg.Wait()
}

// setFor gives what to look for in a log, nil for nothing.
func (rd *reader) setFor(log evidence.Log, pastOnly bool) *set {
	var chosen []search
	var id strings.Builder
	for n, s := range rd.searches {
		if wanted(s.line, log) && (s.line.Past || !pastOnly) {
			chosen = append(chosen, s)
			fmt.Fprintf(&id, "%d ", n)
		}
	}
	if len(chosen) == 0 {
		return nil
	}
	rd.mu.Lock()
	defer rd.mu.Unlock()
	if known := rd.sets[id.String()]; known != nil {
		return known
	}
	patterns := make([]scan.Pattern, len(chosen))
	for n, s := range chosen {
		patterns[n] = scan.Pattern{Regexp: s.line.Match}
	}
	made := &set{chosen, scan.New(patterns)}
	made.patterns.Taken = rd.taken
	rd.sets[id.String()] = made
	return made
}

func wanted(l *signature.Line, log evidence.Log) bool {
	for _, kind := range l.In {
		if kind == log.Kind {
			return l.Container == nil || log.Place.Container == "" || l.Container.MatchString(log.Place.Container)
		}
	}
	return false
}

// read searches one log.
func (rd *reader) read(log evidence.Log) {
	now := rd.health.gate(log)
	rd.mu.Lock()
	rd.kinds[log.Kind] = true
	rd.logs++
	rd.mu.Unlock()
	set := rd.setFor(log, !now.open)
	if set == nil {
		return
	}
	hits := &hits{run: rd.run, log: log, searches: set.searches, now: now, past: now.or(rd.health.window(1)), kept: map[spot]*kept{}}
	stats, err := rd.scan(log, set, hits)
	rd.mu.Lock()
	defer rd.mu.Unlock()
	rd.bytes += stats.Bytes
	if err != nil && rd.ctx.Err() == nil {
		rd.problem("%s: %s", whereLog(rd.words, log), err)
	}
	for _, id := range hits.order {
		s := set.searches[id.search]
		if len(rd.sightings[s.finding]) < mostSightings {
			rd.sightings[s.finding] = append(rd.sightings[s.finding], hits.sighting(s, id))
		}
	}
}

func (rd *reader) scan(log evidence.Log, set *set, hits *hits) (scan.Stats, error) {
	text, err := log.Open()
	if err != nil {
		return scan.Stats{}, err
	}
	defer text.Close()
	return set.patterns.Scan(text, func(h scan.Hit) bool {
		hits.take(h)
		return rd.ctx.Err() == nil
	})
}

// mostSpots bounds the objects that one log of events is kept apart by.
const mostSpots = 512

// spot is a search, and the place of an event's object.
type spot struct {
	search int
	place  evidence.Place
}

// kept is what remains of all hits of one spot: the last, and how many there
// were.
type kept struct {
	last  hit
	count int
}

// hit is one line as it was found. Its groups and what to quote of it are made
// out at the end, of those few that are kept.
type hit struct {
	line   []byte
	number int
	time   time.Time
}

// longestKept bounds what is kept of a line.
const longestKept = 8 << 10

func (h *hit) set(found scan.Hit, l *signature.Line) {
	line := found.Line
	if len(line) > longestKept {
		from := 0
		if match := l.Match.FindIndex(line); match != nil {
			from = max(0, min(match[0]-longestKept/4, len(line)-longestKept))
		}
		line = line[from : from+longestKept]
	}
	h.line = append(h.line[:0], line...)
	h.number, h.time = found.Number, found.Time
}

// hits gathers those of one log that count.
type hits struct {
	run       *run
	log       evidence.Log
	searches  []search
	now, past gate
	kept      map[spot]*kept
	order     []spot
}

func (hs *hits) take(h scan.Hit) {
	place, now, past, count := hs.log.Place, hs.now, hs.past, 1
	if hs.log.Kind == evidence.EventLog {
		e, ok := parseEvent(h.Line)
		if !ok {
			return
		}
		place, now = hs.run.health.about(hs.log.Place, e)
		past, count = now.or(hs.run.health.window(1)), e.count
	}
	line := hs.searches[h.Pattern].line
	if now = chosen(line, now, past); !now.lets(h.Time) {
		return
	}
	id := spot{h.Pattern, place}
	k := hs.kept[id]
	if k == nil {
		if len(hs.kept) == mostSpots {
			return
		}
		k = &kept{}
		hs.kept[id] = k
		hs.order = append(hs.order, id)
	}
	k.count += count
	k.last.set(h, line)
}

func chosen(l *signature.Line, now, past gate) gate {
	if l.Past {
		return past
	}
	return now
}

// sighting makes of what was kept what expressions and people see.
func (hs *hits) sighting(s search, id spot) sighting {
	k := hs.kept[id]
	place := hs.run.health.enrich(id.place)
	text := around(k.last.line, s.line.Match.FindIndex(k.last.line))
	attrs := map[string]cty.Value{
		"line": cty.StringVal(text), "log": cty.StringVal(hs.log.Name),
		"place": place.Value(), "count": cty.NumberIntVal(int64(k.count)),
	}
	groups := s.line.Match.FindSubmatch(k.last.line)
	for n, group := range s.line.Match.SubexpNames() {
		if group == "" {
			continue
		}
		if attrs[group] == cty.NilVal {
			attrs[group] = cty.NullVal(cty.String)
		}
		if n < len(groups) && groups[n] != nil {
			attrs[group] = cty.StringVal(shorten(clean(groups[n]), longestQuote))
		}
	}
	where := hs.log
	where.Place = place
	where.Place.Container = hs.log.Place.Container
	return sighting{
		signal: s.line.Name, kind: hs.log.Kind, strength: s.line.Strength, place: place, value: cty.ObjectVal(attrs),
		where: whereLog(hs.run.words, where), origin: fmt.Sprint(hs.log.Kind, where.Place, hs.log.Previous, text),
		quote: Quote{Where: whereLog(hs.run.words, where), Time: k.last.time, Line: k.last.number, Text: text, Count: k.count},
	}
}
