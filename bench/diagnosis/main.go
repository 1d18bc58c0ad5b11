// Command diagnosis measures how well antdbctl finds the cause of a failure: on
// the corpus of cases, on a bundle with a gigabyte of logs, and on the lab, when
// it is up.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/adbsql/antdbctl/bench/diagnosis/corpus"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
	"github.com/adbsql/antdbctl/runbooks"
)

func main() {
	program := flag.String("antdbctl", "bin/antdbctl", "the program, for the bundle and the lab; empty: the cases alone")
	only := flag.String("case", "", "the cases whose name contains this, told in full; \"none\": the bundle and the lab alone")
	big := flag.String("bundle", "", "file of the big bundle, which is made when it is not there; by default one that is removed again")
	flag.Parse()
	good, err := measure(context.Background(), *program, *only, *big)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !good {
		os.Exit(1)
	}
}

func measure(ctx context.Context, program, only, big string) (good bool, err error) {
	cases, err := corpus.Load("bench/diagnosis/cases")
	if err != nil {
		return false, err
	}
	book, diags := signature.Load(runbooks.Diagnosis())
	for _, d := range diags {
		fmt.Fprintln(os.Stderr, d)
	}
	results, err := diagnose(ctx, book, cases, only)
	if err != nil {
		return false, err
	}
	s := corpus.Sum(results)
	good = s.Good()
	switch only {
	case "none":
		good = true
	case "":
		s.Print(os.Stdout)
	default:
		for _, r := range results {
			tell(r)
		}
		return good, nil
	}
	if program == "" {
		return good, nil
	}
	ofBundle, err := bundle(ctx, program, big)
	if err != nil {
		return false, err
	}
	ofLab, err := lab(ctx, program)
	return good && ofBundle && ofLab, err
}

func diagnose(ctx context.Context, book *signature.Book, cases []corpus.Case, only string) ([]corpus.Result, error) {
	var results []corpus.Result
	for _, c := range cases {
		if !strings.Contains(c.Name, only) {
			continue
		}
		r, err := corpus.Diagnose(ctx, c, book)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// tell prints a verdict for who works on the knowledge base.
func tell(r corpus.Result) {
	fmt.Printf("%s\n", r)
	for _, f := range append(r.Verdict.Causes, r.Verdict.Warnings...) {
		fmt.Printf("  %s %s: %s\n    %s\n    rests on %s\n", f.ID, f.Confidence, f.Title, f.Cause, strings.Join(f.Rests, "; "))
		for _, q := range f.Evidence {
			fmt.Printf("    | %s:%d %s\n", q.Where, q.Line, q.Text)
		}
		for _, s := range f.Symptoms {
			fmt.Printf("    explains %s %s\n", s.ID, s.Title)
		}
	}
}
