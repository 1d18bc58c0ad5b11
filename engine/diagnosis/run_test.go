package diagnosis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// site is a dossier in the making.
type site struct {
	t      *testing.T
	facts  []evidence.Fact
	logs   []evidence.Log
	gaps   []evidence.Gap
	faults []error // of reading
}

func newSite(t *testing.T) *site { return &site{t: t} }

func (s *site) Taken() time.Time { return now }

func (s *site) Facts() iter.Seq2[evidence.Fact, error] {
	return func(yield func(evidence.Fact, error) bool) {
		for _, err := range s.faults {
			if !yield(evidence.Fact{}, err) {
				return
			}
		}
		for _, f := range s.facts {
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (s *site) Logs() iter.Seq2[evidence.Log, error] {
	return func(yield func(evidence.Log, error) bool) {
		for _, l := range s.logs {
			if !yield(l, nil) {
				return
			}
		}
	}
}

func (s *site) Gaps() []evidence.Gap { return s.gaps }

func (s *site) fact(name string, place evidence.Place, data any) *site {
	s.facts = append(s.facts, evidence.Fact{Kind: evidence.KindOf(data), Name: name, Place: place, Seen: now, Data: data})
	return s
}

// pod is a pod of cluster c on a node, of an age, ready since so long or not at
// all, with its database container.
func (s *site) pod(name, node string, ready bool) *site {
	place := evidence.Place{Namespace: "ns", Cluster: "c", Pod: name, Node: node}
	s.fact(name, place, &evidence.Pod{Phase: "Running", Ready: ready, ReadyAge: 7000, Age: 7000, Deleting: -1, Scheduled: true, Node: node, Role: "database"})
	place.Container = "database"
	return s.fact("database", place, &evidence.Container{State: "running", Ready: ready, LastExit: -1, LastEnded: -1, Started: 7000})
}

func (s *site) log(kind string, place evidence.Place, lines ...string) *site {
	text := strings.Join(lines, "\n") + "\n"
	s.logs = append(s.logs, evidence.Log{Kind: kind, Name: kind + " of " + place.String(), Place: place,
		Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }})
	return s
}

func (s *site) container(pod string, lines ...string) *site {
	return s.log(evidence.ContainerLog, evidence.Place{Namespace: "ns", Pod: pod, Container: "database"}, lines...)
}

func (s *site) diagnose(text string, opts Options) Verdict {
	v, err := Run(s.t.Context(), s, load(s.t, text), opts)
	require.NoError(s.t, err)
	return v
}

func load(t testing.TB, text string) *signature.Book {
	book, diags := signature.Load(fstest.MapFS{"test.hcl": {Data: []byte(text)}, "fixes/a.hcl": {}})
	require.Empty(t, diags)
	return book
}

// finding writes a signature; rest is added to it as it is.
func finding(id, layer, per, rest string) string {
	return fmt.Sprintf("finding %q {\n title = { en = %q }\n layer = %q\n per = %q\n cause = { en = \"cause\" }\n%s\n}\n", id, "title of "+id, layer, per, rest)
}

func line(name, kinds, match string) string {
	return fmt.Sprintf("line %q {\n in = [%s]\n match = %q\n}\n", name, kinds, match)
}

func ids(all []Finding) (ids []string) {
	for _, f := range all {
		ids = append(ids, f.ID)
	}
	return ids
}

// at is a time stamp, so long before the evidence was taken.
func at(ago time.Duration) string {
	return now.Add(-ago).Format("2006-01-02T15:04:05.000000000Z") + " "
}

func TestTheCauseIsFoundWithItsEvidenceItsPlaceAndItsFix(t *testing.T) {
	text := `finding "G-40" {
  title = { en = "pgaudit is missing", zh = "缺少 pgaudit" }
  layer = "postmaster"
  per   = "pod"
  line "fatal" {
    in        = ["container"]
    container = "^database$"
    match     = "could not access file \"(?P<library>[^\"]+)\"|(?P<other>x)y"
  }
  fact "pod" {
    of       = "k8s.pod"
    when     = !self.ready
    strength = "hint"
  }
  cause  = { en = "${fatal.library} is not in the image of ${place.pod}${fatal.other}, seen ${fatal.count} times", zh = "镜像缺少 ${fatal.library}" }
  remedy = { en = "build it" }
  fix {
    runbook = "fixes/a.hcl"
    vars    = { cluster = fatal.place.cluster, seen = fatal.count, none = fatal.other, all = [for p in facts.k8s_pod : p.name] }
  }
}`
	s := newSite(t).pod("db-1", "node1", false).container("db-1", at(9*time.Minute)+"LOG: starting",
		at(8*time.Minute)+`FATAL:  could not access file "pgaudit.so": No such file`, at(5*time.Minute)+`FATAL:  could not access file “pgaudit.so”: 没有`)
	v := s.diagnose(text, Options{})
	require.Equal(t, []string{"G-40"}, ids(v.Causes))
	f := v.Causes[0]
	require.Equal(t, "pgaudit.so is not in the image of db-1, seen 2 times", f.Cause, "what is not known is left out")
	require.Equal(t, Likely, f.Confidence)
	require.Equal(t, []evidence.Place{{Node: "node1", Namespace: "ns", Cluster: "c", Pod: "db-1"}}, f.Places)
	require.Equal(t, &Fix{Runbook: "fixes/a.hcl", Vars: map[string]any{"cluster": "c", "seen": 2.0, "all": []any{"db-1"}}}, f.Fix)
	require.Equal(t, Quote{Where: "pod db-1, container database", Time: now.Add(-5 * time.Minute), Line: 3, Count: 2,
		Text: at(5*time.Minute) + `FATAL:  could not access file “pgaudit.so”: 没有`}, f.Evidence[0])
	require.Equal(t, "k8s.pod db-1", f.Evidence[1].Where)
	require.Equal(t, "ready = false", f.Evidence[1].Text)
	require.Equal(t, []string{"a clear sign in pod db-1, container database"}, f.Rests)
	require.Empty(t, v.Problems)
	require.Equal(t, 1, v.Logs)
	require.Equal(t, 2, v.Facts)
	require.Positive(t, v.Bytes)

	v = s.diagnose(text, Options{Language: "zh"})
	require.Equal(t, "镜像缺少 pgaudit.so", v.Causes[0].Cause)
	require.Equal(t, "缺少 pgaudit", v.Causes[0].Title)
	require.Equal(t, "build it", v.Causes[0].Remedy, "what is not given in Chinese is told in English")
	require.Equal(t, []string{"Pod db-1，容器 database中的明确迹象"}, v.Causes[0].Rests)
}

func TestNothingFoundSaysWhatWasRuledOutAndWhereItIsBlind(t *testing.T) {
	book := finding("A", "machine", "node", line("x", `"kernel"`, "oom")) +
		finding("B", "start", "pod", line("x", `"container"`, "oom")) +
		finding("C", "start", "pod", line("x", `"container"`, "boom")) +
		finding("D", "client", "pod", line("x", `"server"`, "boom"))
	s := newSite(t).pod("db-1", "node1", true).container("db-1", "fine").log(evidence.KernelLog, evidence.Place{Node: "node1"}, "oom")
	s.gaps = []evidence.Gap{{What: "the kernel log", Place: evidence.Place{Node: "node2"}, Reason: "permission denied"}}
	v := s.diagnose(book, Options{})
	require.Empty(t, v.Causes)
	require.NotNil(t, v.Causes)
	require.Empty(t, v.Warnings)
	require.Equal(t, []Layer{{Name: "machine", Signatures: 1, Blind: true}, {Name: "start", Signatures: 2}}, v.RuledOut, "no server log was there to look at")
	require.Equal(t, s.gaps, v.Gaps)
}

func TestWarningsAreTellApartAndNeverCauses(t *testing.T) {
	book := finding("A", "machine", "node", "warning = true\n fact \"x\" {\n of = \"node.disk\"\n when = self.percent > 80\n}") +
		finding("B", "start", "pod", "fact \"x\" {\n of = \"k8s.pod\"\n when = !self.ready\n}")
	v := newSite(t).pod("db-1", "node1", false).fact("/", evidence.Place{Node: "node1"}, &evidence.Disk{Path: "/", Percent: 85}).diagnose(book, Options{})
	require.Equal(t, []string{"B"}, ids(v.Causes))
	require.Equal(t, []string{"A"}, ids(v.Warnings))
}

func TestEvidenceAtFaultIsAProblemAndTheRestIsRead(t *testing.T) {
	s := newSite(t).pod("db-1", "node1", false).container("db-1", "boom")
	s.faults = []error{errors.New("fact 7 is no JSON")}
	broken := evidence.Log{Kind: evidence.ContainerLog, Place: evidence.Place{Namespace: "ns", Pod: "db-1", Container: "sidecar"}}
	broken.Open = func() (io.ReadCloser, error) { return nil, errors.New("damaged") }
	cut := broken
	cut.Open = func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("boom\n"), failing{})), nil
	}
	s.logs = append(s.logs, broken, cut)
	v := s.diagnose(finding("A", "start", "pod", line("x", `"container"`, "boom")+"fact \"y\" {\n of = \"k8s.pod\"\n when = self.claims[7] == \"a\"\n}"), Options{})
	require.Equal(t, []string{"A"}, ids(v.Causes))
	require.Len(t, v.Problems, 4)
	said := strings.Join(v.Problems, "\n")
	for _, want := range []string{"fact 7 is no JSON", "sidecar: damaged", "sidecar: torn", "A, signal y could not be judged"} {
		require.Contains(t, said, want)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("torn") }

func TestACancelledDiagnosisTellsWhatItSawUntilThen(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := newSite(t).pod("db-1", "node1", false).container("db-1", "boom", "boom")
	open := s.logs[0].Open
	s.logs[0].Open = func() (io.ReadCloser, error) { cancel(); return open() }
	v, err := Run(ctx, s, load(t, finding("A", "start", "pod", line("x", `"container"`, "boom"))), Options{})
	require.NoError(t, err)
	require.Equal(t, []string{"A"}, ids(v.Causes))
	require.Contains(t, v.Problems[0], "ended before it was done (context canceled)")
}

func TestAnUnknownLanguageIsRefused(t *testing.T) {
	_, err := Run(t.Context(), newSite(t), &signature.Book{}, Options{Language: "fr"})
	require.ErrorContains(t, err, `"fr"`)
}

func TestAVeryLongLineIsQuotedAroundTheMatch(t *testing.T) {
	long := strings.Repeat("测", 40_000) + " the end is near " + strings.Repeat("x", 40_000)
	v := newSite(t).pod("db-1", "node1", false).container("db-1", long).
		diagnose(finding("A", "start", "pod", line("x", `"container"`, "the end is (?P<how>near)")), Options{})
	text := v.Causes[0].Evidence[0].Text
	require.Contains(t, text, "the end is near")
	require.Less(t, len(text), longestQuote+10)
	require.True(t, strings.HasPrefix(text, "…") && strings.HasSuffix(text, "…"))
}

func TestAtMostFiveQuotesOneOfEachSignalFirst(t *testing.T) {
	s := newSite(t)
	for n := range 9 {
		s.pod(fmt.Sprint("db-", n), "node1", false).container(fmt.Sprint("db-", n), "boom", "bang")
	}
	v := s.diagnose(finding("A", "start", "site", line("x", `"container"`, "boom")+line("y", `"container"`, "bang")), Options{})
	require.Len(t, v.Causes[0].Evidence, 5)
	texts := map[string]bool{}
	for _, q := range v.Causes[0].Evidence {
		texts[q.Text] = true
	}
	require.Len(t, texts, 2)
}

func TestAFactThatIsNotAskedForAnythingIsQuotedWhole(t *testing.T) {
	v := newSite(t).fact("node1", evidence.Place{Node: "node1"}, &evidence.Memory{Total: 8, Sem: "250"}).
		diagnose(finding("A", "machine", "node", "fact \"x\" {\n of = \"node.memory\"\n when = length(facts.k8s_pod) == 0\n}"), Options{})
	require.Contains(t, v.Causes[0].Evidence[0].Text, "sem = 250")
	require.Contains(t, v.Causes[0].Evidence[0].Text, "total = 8")
}

func TestALogThatWasFetchedTwiceIsQuotedOnce(t *testing.T) {
	v := newSite(t).pod("db-1", "node1", false).container("db-1", "boom").container("db-1", "fine", "boom").
		diagnose(finding("A", "start", "pod", line("x", `"container"`, "boom")), Options{})
	require.Len(t, v.Causes[0].Evidence, 1)
}

func TestTheVerdictIsTheSameEveryTime(t *testing.T) {
	s := newSite(t)
	var book bytes.Buffer
	for n := range 12 {
		s.pod(fmt.Sprint("db-", n), "node1", n%3 == 0).container(fmt.Sprint("db-", n), fmt.Sprint("boom ", n%4))
		book.WriteString(finding(fmt.Sprint("F-", n), signature.Layers[n], "pod", line("x", `"container"`, fmt.Sprint("boom ", n%5))))
	}
	first := s.diagnose(book.String(), Options{})
	for range 5 {
		require.Equal(t, first, s.diagnose(book.String(), Options{}))
	}
}
