package diagnosis

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

func TestAGapBlindsTheLayersWhoseEvidenceItIs(t *testing.T) {
	book := load(t, finding("A", "machine", "node", line("x", `"kernel"`, "boom"))+
		finding("B", "patroni", "cluster", "fact \"x\" {\n of = \"patroni.member\"\n when = self.lag > 1\n}")+
		finding("C", "start", "pod", line("x", `"container", "event"`, "boom"))+
		finding("D", "backup", "cluster", "fact \"x\" {\n of = \"pgbackrest.stanza\"\n when = self.code != 0\n}"))
	node, pod := evidence.Place{Node: "node2"}, evidence.Place{Namespace: "ns", Pod: "db-2"}
	for _, c := range []struct {
		what  string
		place evidence.Place
		blind []string
	}{
		{"the log of its kernel", node, []string{"machine"}},
		{"the rest of its facts", node, []string{"machine"}},
		{"the log of its kubelet", node, nil},
		{"all of Patroni", evidence.Place{}, []string{"patroni"}},
		{"all of Kubernetes", evidence.Place{}, []string{"start"}},
		{"its backup repository", pod, []string{"backup"}},
		{"container database, the run before", pod, []string{"start", "patroni", "backup"}},
		{"something", evidence.Place{}, nil},
		{"the last run's log", evidence.Place{}, nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			s := newSite(t).pod("db-1", "node1", true).container("db-1", "fine").log(evidence.KernelLog, evidence.Place{Node: "node1"}, "fine").
				log(evidence.EventLog, evidence.Place{Namespace: "ns"}, "fine").
				fact("db-1", evidence.Place{}, &evidence.Member{}).fact("db", evidence.Place{}, &evidence.Stanza{})
			s.gaps = []evidence.Gap{{What: c.what, Place: c.place, Reason: "permission denied"}}
			v, err := Run(t.Context(), s, book, Options{})
			require.NoError(t, err)
			require.Len(t, v.RuledOut, 4)
			var blind []string
			for _, l := range v.RuledOut {
				if l.Blind {
					blind = append(blind, l.Name)
				}
			}
			require.Equal(t, c.blind, blind)
		})
	}
}
