package diagnosis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// broken is a site with two pods that are not ready, of one cluster, and that
// say what is given.
func broken(t *testing.T, first, second string) *site {
	return newSite(t).pod("db-1", "node1", false).pod("db-2", "node2", false).container("db-1", first).container("db-2", second)
}

func says(id, layer, per, word, rest string) string {
	return finding(id, layer, per, line("said", `"container"`, word)+rest)
}

func TestWhatAnotherFindingExplainsIsFoldedUnderIt(t *testing.T) {
	book := says("C", "operator", "cluster", "cc", "") + says("A", "image", "pod", "aa", `explains = ["B"]`) +
		says("B", "start", "pod", "bb", `explains = ["C"]`)
	v := broken(t, "aa bb", "cc").diagnose(book, Options{})
	require.Equal(t, []string{"A"}, ids(v.Causes))
	require.Equal(t, []string{"B", "C"}, ids(v.Causes[0].Symptoms), "the chain, from the cause on")

	v = broken(t, "aa", "cc").diagnose(book, Options{})
	require.Equal(t, []string{"C"}, ids(v.Causes[0].Symptoms), "also when what lies between was not seen")
}

func TestWhatASignatureExplainsIsItsOwnOnlyNearby(t *testing.T) {
	book := says("A", "machine", "node", "aa", `explains = ["B"]`) + says("B", "start", "pod", "bb", "")
	v := broken(t, "aa bb", "bb").diagnose(book, Options{})
	require.Equal(t, []string{"A", "B"}, ids(v.Causes))
	require.Equal(t, []string{"B"}, ids(v.Causes[0].Symptoms))
	require.Equal(t, "db-1", v.Causes[0].Symptoms[0].Places[0].Pod)
	require.Len(t, v.Causes[1].Places, 1)
	require.Equal(t, "db-2", v.Causes[1].Places[0].Pod)
}

func TestTheDeepestLayerExplainsWhatFollowsInTheSamePlace(t *testing.T) {
	book := says("A", "image", "pod", "aa", "") + says("B", "patroni", "pod", "bb", "") + says("S", "machine", "site", "ss", "")
	v := broken(t, "aa bb ss", "bb").diagnose(book, Options{})
	require.Equal(t, []string{"S", "A", "B"}, ids(v.Causes), "what is of the site is not where everything is")
	require.Equal(t, []string{"B"}, ids(v.Causes[1].Symptoms))
	require.Equal(t, "db-2", v.Causes[2].Places[0].Pod)
}

func TestWhatWasProvedIsNoSymptomUnlessASignatureSaysSo(t *testing.T) {
	proof := "fact \"proof\" {\n of = \"k8s.pod\"\n when = !self.ready\n strength = \"proof\"\n}"
	v := broken(t, "aa", "").diagnose(says("A", "image", "pod", "aa", "")+finding("B", "start", "pod", proof), Options{})
	require.Equal(t, []string{"B", "A"}, ids(v.Causes))
	v = broken(t, "aa", "aa").diagnose(says("A", "image", "pod", "aa", `explains = ["B"]`)+finding("B", "start", "pod", proof), Options{})
	require.Equal(t, []string{"A"}, ids(v.Causes))
}

func TestWhatIsMerelyPossibleExplainsNothingSurer(t *testing.T) {
	hint := "require = [\"x\"]\n explains = [\"B\"]\n fact \"x\" {\n of = \"k8s.pod\"\n when = !self.ready\n strength = \"hint\"\n}"
	v := broken(t, "bb", "").diagnose(finding("A", "image", "pod", hint)+says("B", "start", "pod", "bb", ""), Options{})
	require.Equal(t, []string{"B", "A"}, ids(v.Causes))
	require.Equal(t, Possible, v.Causes[1].Confidence)
}

func TestWhatRestsOnMoreOfTheSameEvidenceExplainsWhatRestsOnLess(t *testing.T) {
	image := "fact \"image\" {\n of = \"image.check\"\n when = self.verdict == \"bad\"\n strength = \"proof\"\n}"
	s := broken(t, "aa", "").fact("antdb-ha:1", evidence.Place{}, &evidence.ImageCheck{Verdict: "bad"})
	v := s.diagnose(says("A", "postmaster", "cluster", "aa", image)+finding("B", "image", "site", image), Options{})
	require.Equal(t, []string{"A"}, ids(v.Causes))
	require.Equal(t, []string{"B"}, ids(v.Causes[0].Symptoms))
}

func TestOfTwoNamesForTheSameEvidenceTheSurerCounts(t *testing.T) {
	proof := "line \"said\" {\n in = [\"container\"]\n match = \"no space\"\n strength = \"proof\"\n}"
	v := broken(t, "no space left", "").diagnose(finding("A", "postmaster", "pod", proof)+says("B", "volume", "cluster", "space left", ""), Options{})
	require.Equal(t, []string{"A"}, ids(v.Causes))
}

func TestFindingsThatExplainEachOtherAreHarmless(t *testing.T) {
	book := says("A", "client", "pod", "aa", `explains = ["B"]`) + says("B", "start", "pod", "bb", `explains = ["C"]`) +
		says("C", "image", "pod", "cc", `explains = ["A", "C"]`)
	v := broken(t, "aa bb cc", "").diagnose(book, Options{})
	require.Equal(t, []string{"C"}, ids(v.Causes), "the deepest is the cause")
	require.Equal(t, []string{"B", "A"}, ids(v.Causes[0].Symptoms))
}

func TestACircleOfLayersAndSignaturesIsHarmless(t *testing.T) {
	book := says("X", "operator", "pod", "xx", `explains = ["Y"]`) + says("Y", "image", "pod", "yy", "") + says("Z", "start", "pod", "zz", "")
	v := broken(t, "xx yy zz", "").diagnose(book, Options{})
	all := ids(v.Causes)
	for _, f := range v.Causes {
		all = append(all, ids(f.Symptoms)...)
	}
	require.ElementsMatch(t, []string{"X", "Y", "Z"}, all, "each is told once")
}

func TestTheSurerComesFirstThenTheDeeper(t *testing.T) {
	two := line("more", `"event"`, "ee")
	book := says("A", "machine", "site", "aa", "") + says("B", "client", "site", "bb", two) + says("C", "image", "site", "cc", "")
	s := broken(t, "aa\nbb\ncc", "").log(evidence.EventLog, evidence.Place{Namespace: "ns"}, "Warning X Pod/db-1 ee")
	v := s.diagnose(book, Options{})
	require.Equal(t, []string{"B", "A", "C"}, ids(v.Causes))
	require.Equal(t, Certain, v.Causes[0].Confidence, "two independent sources")
	require.Len(t, v.Causes[0].Rests, 2)
	require.Equal(t, Likely, v.Causes[1].Confidence)
}

func TestWhatMayHaveFailedTheStepComesFirst(t *testing.T) {
	book := says("A", "machine", "site", "aa", `steps = ["image."]`) + says("B", "client", "site", "bb", `steps = ["sql."]`) +
		says("C", "start", "site", "cc", "steps = [\"image.\"]\n explains = [\"D\"]") + says("D", "service", "site", "dd", `steps = ["sql.query"]`)
	v := broken(t, "aa bb cc dd", "").diagnose(book, Options{Steps: []string{"sql.query"}})
	require.Equal(t, []string{"C", "B", "A"}, ids(v.Causes), "C by its symptom")
	hint := "require = [\"said\"]\n steps = [\"sql.\"]\n line \"said\" {\n in = [\"container\"]\n match = \"ee\"\n strength = \"hint\"\n}"
	v = broken(t, "aa ee", "").diagnose(says("A", "machine", "site", "aa", `steps = ["image."]`)+finding("E", "client", "site", hint), Options{Steps: []string{"sql.query"}})
	require.Equal(t, []string{"A", "E"}, ids(v.Causes), "what is merely possible comes last")
}

func TestSignalsAreJoinedByPlaceAndThoseOfNoPlaceJoinAll(t *testing.T) {
	rest := "require = [\"said\", \"image | nothing\"]\n" + line("nothing", `"container"`, "never") +
		"fact \"image\" {\n of = \"image.check\"\n when = self.verdict == \"bad\"\n}"
	book := says("A", "image", "pod", "aa", rest)
	require.Empty(t, broken(t, "aa", "aa").diagnose(book, Options{}).Causes)
	v := broken(t, "aa", "aa").fact("i", evidence.Place{}, &evidence.ImageCheck{Verdict: "bad"}).diagnose(book, Options{})
	require.Len(t, v.Causes[0].Places, 2)
	v = broken(t, "aa", "aa").fact("i", evidence.Place{Node: "node2"}, &evidence.ImageCheck{Verdict: "bad"}).diagnose(book, Options{})
	require.Len(t, v.Causes[0].Places, 1, "that image is on one node")
	require.Equal(t, "db-2", v.Causes[0].Places[0].Pod)

	twice := "require = [\"said\", \"other\"]\n" + line("other", `"container"`, "bb")
	require.Empty(t, broken(t, "aa", "bb").diagnose(says("A", "image", "pod", "aa", twice), Options{}).Causes)
	require.Len(t, broken(t, "aa", "bb").diagnose(says("A", "image", "cluster", "aa", twice), Options{}).Causes, 1)
}

func TestAFindingDoesNotHoldWhereUnlessIsTrue(t *testing.T) {
	book := says("A", "image", "pod", "aa", "unless = other.count > 1 && place.pod == \"db-1\"\n"+line("other", `"container"`, "bb"))
	require.Len(t, broken(t, "aa", "aa").diagnose(book, Options{}).Causes[0].Places, 2, "of a signal that did not hold it says nothing")
	v := broken(t, "aa\nbb\nbb", "aa\nbb\nbb").diagnose(book, Options{})
	require.Len(t, v.Causes[0].Places, 1)
	require.Equal(t, "db-2", v.Causes[0].Places[0].Pod)
}
