package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/bench/diagnosis/corpus"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
	"github.com/adbsql/antdbctl/runbooks"
)

// The corpus is the bar for every change of the knowledge base and of the
// reasoning.
func TestTheRightCauseComesFirstAndAHealthySiteHasNone(t *testing.T) {
	cases, err := corpus.Load("cases")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	book, diags := signature.Load(runbooks.Diagnosis())
	require.False(t, diags.HasErrors(), diags.Error())
	results, err := diagnose(t.Context(), book, cases, "")
	require.NoError(t, err)
	s := corpus.Sum(results)
	s.Print(os.Stdout)
	require.GreaterOrEqual(t, s.Rate(), corpus.WantFirst)
	require.LessOrEqual(t, s.FalseAlarms, corpus.WantHealthy)
}
