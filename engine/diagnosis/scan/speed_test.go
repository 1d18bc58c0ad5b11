package scan_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/scan"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// shipped is every pattern of the knowledge base.
func shipped(t testing.TB) (*scan.Set, *signature.Book) {
	t.Helper()
	book, diags := signature.Load(os.DirFS("../../../runbooks/diagnosis"))
	for _, d := range diags {
		t.Log(d) // others test that; the rest is good enough here
	}
	var patterns []scan.Pattern
	for _, f := range book.Findings {
		for _, l := range f.Lines {
			patterns = append(patterns, scan.Pattern{Regexp: l.Match})
		}
	}
	return scan.New(patterns), book
}

// busy is what a busy site that is well writes.
func busy(size int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	lines := []string{
		"2026-03-05 %02d:52:03.096 UTC [%d] LOG:  connection received: host=10.244.1.%d port=%d\n",
		"2026-03-05 %02d:52:03.101 UTC [%d] LOG:  connection authorized: user=testuser%d database=userdb application_name=app%d\n",
		"2026-03-05 %02d:52:04.001 UTC [%d] LOG:  duration: %d.123 ms  statement: select * from orders where id = %d and state = 'open'\n",
		"2026-03-05 %02d:52:04.777 UTC [%d] LOG:  disconnection: session time: 0:00:0%d.013 user=testuser database=userdb host=10.244.1.7 port=%d\n",
		"2026-03-05 %02d:53:00,123 INFO: Lock owner: antdb-%d; I am antdb-%d-%d\n",
		"2026-03-05 %02d:53:00,223 INFO: no action.  i am the leader with the lock (%d %d %d)\n",
		"I0305 %02d:52:03.096123   %d kubelet.go:%d] \"SyncLoop (PLEG): event for pod\" pod=\"pgouser1/antdb-%d\"\n",
		"2026-03-05 %02d:52:05.001 P00   INFO: backup file antdb:/pgdata/antdb/base/%d/%d (8KB, 12%%) checksum %d\n",
		"Mar  5 %02d:52:03 node1 containerd[%d]: time=\"2026-03-05T05:52:03.096Z\" level=info msg=\"shim reaped\" id=%d%d\n",
		"2026-03-05 %02d:57:00.001 UTC [%d] LOG:  checkpoint complete: wrote %d buffers (1.3%%); 0 WAL file(s) added, 0 removed, %d recycled\n",
	}
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, lines[rnd.IntN(len(lines))], rnd.IntN(24), rnd.IntN(90000), rnd.IntN(250), rnd.IntN(60000))
	}
	return b.Bytes()
}

func TestNoPatternOfTheKnowledgeBaseIsSlow(t *testing.T) {
	set, book := shipped(t)
	n := 0
	for _, f := range book.Findings {
		for _, l := range f.Lines {
			for _, slow := range set.Slow() {
				require.NotEqual(t, n, slow, "%s %s: %s", f.ID, l.Name, l.Match)
			}
			n++
		}
	}
	require.Greater(t, n, 100)
}

// BenchmarkScan says how fast the whole knowledge base is looked for in the
// logs of a busy site.
func BenchmarkScan(b *testing.B) {
	set, _ := shipped(b)
	text := busy(64 << 20)
	b.SetBytes(int64(len(text)))
	hits := 0
	for b.Loop() {
		stats, err := set.Scan(bytes.NewReader(text), func(scan.Hit) bool { return true })
		require.NoError(b, err)
		hits += stats.Hits
	}
	b.ReportMetric(float64(hits)/float64(b.N), "hits/op")
}
