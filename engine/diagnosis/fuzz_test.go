package diagnosis

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// randomBook has findings of every sort, that explain each other at random.
func randomBook(rng *rand.Rand) string {
	var text strings.Builder
	for n := range 12 {
		rest := fmt.Sprintf("explains = [\"F-%d\", \"F-%d\"]\n warning = %t\n", rng.IntN(12), rng.IntN(12), rng.IntN(6) == 0)
		if rng.IntN(3) == 0 {
			rest += "require = [\"x\", \"y | z\"]\n unless = try(x.count, 0) > 7\n"
		}
		for _, name := range []string{"x", "y"} {
			rest += fmt.Sprintf("line %q {\n in = [%q, \"event\"]\n match = \"w%d (?P<g>\\\\S+)\"\n past = %t\n}\n", name,
				evidence.LogKinds[rng.IntN(len(evidence.LogKinds))], rng.IntN(6), rng.IntN(2) == 0)
		}
		rest += fmt.Sprintf("fact \"z\" {\n of = %q\n when = length(facts.k8s_pod) != %d\n strength = %q\n}\n",
			evidence.KindNames()[rng.IntN(len(evidence.KindNames()))], rng.IntN(3), []string{"hint", "strong", "proof"}[rng.IntN(3)])
		text.WriteString(finding(fmt.Sprint("F-", n), signature.Layers[rng.IntN(len(signature.Layers))],
			[]string{"pod", "node", "cluster", "site"}[rng.IntN(4)], rest))
	}
	return text.String()
}

// randomSite has facts of all kinds with random content, and logs of all kinds.
func randomSite(t *testing.T, rng *rand.Rand, noise []byte) *site {
	s := newSite(t)
	word := func(of ...string) string { return of[rng.IntN(len(of))] }
	place := func() evidence.Place {
		return evidence.Place{Node: word("", "n1", "n2"), Namespace: word("", "ns"), Cluster: word("", "c1", "c2"), Pod: word("", "p1", "p2"), Container: word("", "database")}
	}
	for _, kind := range evidence.KindNames() {
		for range rng.IntN(4) {
			data, err := evidence.UnmarshalData(kind, []byte("{}"))
			require.NoError(t, err)
			scramble(rng, reflect.ValueOf(data).Elem())
			s.fact(word("p1", "p2", "n1", "database", "job"), place(), data)
		}
	}
	for _, kind := range evidence.LogKinds {
		for range rng.IntN(4) {
			var lines []string
			for range rng.IntN(9) {
				lines = append(lines, at(time.Duration(rng.IntN(200))*time.Minute)+word("Warning Failed Pod/p1 ", "Warning X Job/job ", "", string(noise))+
					fmt.Sprintf("w%d %s", rng.IntN(6), word("a", `"b"`, "宽", "")))
			}
			s.log(kind, place(), lines...)
		}
	}
	return s
}

func scramble(rng *rand.Rand, v reflect.Value) {
	for _, field := range v.Fields() {
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(rng.IntN(2) == 0)
		case reflect.Int64:
			field.SetInt([]int64{-1, 0, 7, 99, 1 << 40}[rng.IntN(5)])
		case reflect.Float64:
			field.SetFloat(rng.Float64())
		case reflect.String:
			field.SetString([]string{"", "Running", "Failed", "Job/job", "failed", "p1"}[rng.IntN(6)])
		}
	}
}

// FuzzRun diagnoses random sites with random knowledge: there is always a
// verdict, it tells each cause once, and it is the same the second time.
func FuzzRun(f *testing.F) {
	for seed := range uint64(12) {
		f.Add(seed, []byte("noise"))
	}
	f.Add(uint64(99), []byte{0, 0xff, '\n', '\r', '{', '"', 0xe6})
	f.Fuzz(func(t *testing.T, seed uint64, noise []byte) {
		rng := rand.New(rand.NewPCG(seed, 1))
		book := load(t, randomBook(rng))
		s := randomSite(t, rng, noise)
		s.gaps = []evidence.Gap{{What: "a log", Reason: string(noise)}}
		v, err := Run(t.Context(), s, book, Options{})
		require.NoError(t, err)
		again, err := Run(t.Context(), s, book, Options{Language: "en"})
		require.NoError(t, err)
		require.Equal(t, v, again)
		told := ids(v.Causes)
		slices.Sort(told)
		require.Len(t, slices.Compact(slices.Clone(told)), len(told))
		for _, cause := range append(v.Causes, v.Warnings...) {
			require.NotEmpty(t, cause.Rests)
			require.NotEmpty(t, cause.Places)
			require.NotEmpty(t, cause.Evidence)
			require.LessOrEqual(t, len(cause.Evidence), mostQuotes)
		}
		for n := 1; n < len(v.Causes); n++ {
			require.LessOrEqual(t, sureness[v.Causes[n-1].Confidence], sureness[v.Causes[n].Confidence])
		}
	})
}

// endless is a log of n bytes in which every line is a hit.
type endless struct{ n int }

func (e *endless) Read(p []byte) (int, error) {
	if e.n <= 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		n += copy(p[n:], "boom at this line, too\n")
	}
	e.n -= n
	return n, nil
}

func TestMemoryIsBoundedWhateverTheLogsAre(t *testing.T) {
	s := newSite(t).pod("db-1", "node1", false)
	for n := range 8 {
		s.container("db-1", "")
		s.logs[n].Open = func() (io.ReadCloser, error) { return io.NopCloser(&endless{2 << 20}), nil }
	}
	s.container("db-1", "")
	s.logs[8].Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(bytes.NewReader(bytes.Repeat([]byte("x"), 16<<20)), strings.NewReader(" boom"))), nil
	}
	book := load(t, finding("A", "start", "pod", line("x", `"container"`, "boom")))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v, err := Run(t.Context(), s, book, Options{})
	require.NoError(t, err)
	runtime.GC()
	runtime.ReadMemStats(&after)
	require.Len(t, v.Causes, 1)
	require.True(t, slices.ContainsFunc(v.Causes[0].Evidence, func(q Quote) bool { return q.Count > 90_000 }))
	require.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(8<<20))
	require.Less(t, after.Sys-before.Sys, uint64(128<<20))
}
