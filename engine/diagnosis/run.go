package diagnosis

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// Options say what a diagnosis is about.
type Options struct {
	Language string   // of its texts: en (also when empty), zh
	Steps    []string // the modules of the steps that failed; what may have caused that comes first. Empty: the whole site
	// Since is the window in which lines count where nothing says that
	// something is wrong right there. An hour by default.
	Since time.Duration
}

// The bounds of what is kept, whatever the evidence is.
const (
	mostFacts     = 500_000
	mostSightings = 500 // of one finding
	mostProblems  = 50
)

// Run holds the evidence of a dossier against the signatures of a book. When ctx
// ends, the verdict is about what was seen until then, and says so. The error is
// about the options: evidence that is at fault is a problem in the verdict.
func Run(ctx context.Context, dossier evidence.Dossier, book *signature.Book, opts Options) (Verdict, error) {
	said, ok := languages[opts.Language]
	if !ok {
		return Verdict{}, fmt.Errorf("diagnose in language %q: there are en and zh", opts.Language)
	}
	if opts.Since <= 0 {
		opts.Since = time.Hour
	}
	r := &run{book: book, opts: opts, words: said, taken: dossier.Taken(), sightings: make([][]sighting, len(book.Findings))}
	r.readFacts(dossier)
	r.health = examine(r.facts, r.taken, opts.Since)
	if err := r.matchFacts(ctx); err != nil {
		r.problem("%s", err)
	}
	r.scanLogs(ctx, dossier)
	if ctx.Err() != nil {
		r.problem(said.cut, context.Cause(ctx))
	}
	return r.verdict(dossier.Gaps()), nil
}

// run is one diagnosis.
type run struct {
	book  *signature.Book
	opts  Options
	words words
	taken time.Time

	facts     []evidence.Fact
	values    factValues
	health    *health
	sightings [][]sighting // of the signals of each finding of the book

	kinds    map[string]bool // of facts and logs that were seen
	logs     int
	bytes    int64
	problems []string
}

// problem notes evidence that could not be read, and signatures that failed.
func (r *run) problem(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(r.problems) < mostProblems && !slices.Contains(r.problems, text) {
		r.problems = append(r.problems, text)
	}
}

// readFacts keeps the facts in memory: a site has some thousands.
func (r *run) readFacts(dossier evidence.Dossier) {
	r.kinds = map[string]bool{}
	for f, err := range dossier.Facts() {
		if err != nil {
			r.problem("%s", err)
			continue
		}
		if len(r.facts) == mostFacts {
			r.problem("there are more than %d facts; the rest is not looked at", mostFacts)
			break
		}
		if f.Seen.IsZero() {
			f.Seen = r.taken
		}
		r.facts = append(r.facts, f)
		r.kinds[f.Kind] = true
	}
}

// verdict joins what was seen.
func (r *run) verdict(gaps []evidence.Gap) Verdict {
	var all []*instance
	for n, f := range r.book.Findings {
		all = append(all, r.instances(f, r.sightings[n])...)
	}
	causes, warnings := r.chain(all)
	found := map[string]bool{}
	for _, i := range all {
		found[i.finding.Layer] = found[i.finding.Layer] || !i.finding.Warning
	}
	v := Verdict{
		Causes:   r.findings(causes),
		Warnings: r.findings(warnings),
		RuledOut: r.ruledOut(found, gaps),
		Gaps:     gaps,
		Logs:     r.logs,
		Bytes:    r.bytes,
		Facts:    len(r.facts),
	}
	slices.Sort(r.problems)
	v.Problems = r.problems
	return v
}
