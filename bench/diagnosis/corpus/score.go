package corpus

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// Result is what a diagnosis of a case came to.
type Result struct {
	Case
	Verdict diagnosis.Verdict
	Took    time.Duration
}

// Diagnose runs the diagnosis on a case. The time it took leaves out what it
// takes to make the case's noise.
func Diagnose(ctx context.Context, c Case, book *signature.Book) (Result, error) {
	d := c.Dossier()
	start := time.Now()
	v, err := diagnosis.Run(ctx, d, book, diagnosis.Options{})
	if err != nil {
		return Result{}, fmt.Errorf("%s: %w", c.Name, err)
	}
	return Result{Case: c, Verdict: v, Took: time.Since(start)}, nil
}

// Causes are the IDs of the causes that were named, in their order.
func (r Result) Causes() []string { return ids(r.Verdict.Causes) }

// Warnings are the IDs of the warnings.
func (r Result) Warnings() []string { return ids(r.Verdict.Warnings) }

func ids(findings []diagnosis.Finding) []string {
	var all []string
	for _, f := range findings {
		all = append(all, f.ID)
	}
	return all
}

// ranked are the causes, or the warnings where there is no cause: a case may be
// about what has not failed yet.
func (r Result) ranked() []string {
	if len(r.Verdict.Causes) > 0 {
		return r.Causes()
	}
	return r.Warnings()
}

// First says whether the right cause was named first: of several independent
// ones, all of them before any other.
func (r Result) First() bool { return r.within(len(r.Want)) }

// Third says whether it was among the first three.
func (r Result) Third() bool { return r.within(max(3, len(r.Want))) }

func (r Result) within(n int) bool {
	ranked := r.ranked()
	ranked = ranked[:min(n, len(ranked))]
	return !r.Healthy() && !slices.ContainsFunc(r.Want, func(id string) bool { return !slices.Contains(ranked, id) })
}

// FalseAlarms are the causes that were named on a site in order, and the
// warnings that are not right.
func (r Result) FalseAlarms() []string {
	if !r.Healthy() {
		return nil
	}
	return append(r.Causes(), slices.DeleteFunc(r.Warnings(), func(id string) bool { return slices.Contains(r.Warn, id) })...)
}

// Beside are the causes of a site with a fault that were named beside the right
// ones.
func (r Result) Beside() []string {
	return slices.DeleteFunc(r.Causes(), func(id string) bool { return r.Healthy() || slices.Contains(r.Want, id) })
}

// String says what was wanted and what came.
func (r Result) String() string {
	want, got := "nothing", "nothing"
	if !r.Healthy() {
		want = strings.Join(r.Want, " ")
	}
	if causes := r.Causes(); len(causes) > 0 {
		got = strings.Join(causes, " ")
	}
	if warnings := r.Warnings(); len(warnings) > 0 {
		got += ", warnings " + strings.Join(warnings, " ")
	}
	for _, p := range r.Verdict.Problems {
		got += "; " + p
	}
	return fmt.Sprintf("%s: wanted %s, came %s", r.Name, want, got)
}
