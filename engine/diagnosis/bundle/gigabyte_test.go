package bundle

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/scan"
	"github.com/adbsql/antdbctl/engine/secret"
)

// busyLog is what parts of a site that are well write.
func busyLog(seed uint64, size int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 2))
	lines := []string{
		"2026-03-05 %02d:52:03.%03d UTC [%d] LOG:  connection received: host=10.244.1.%d port=%d\n",
		"2026-03-05 %02d:52:04.%03d UTC [%d] LOG:  duration: %d.123 ms  statement: select * from orders where id = %d and state = 'open'\n",
		"2026-03-05 %02d:53:00,%03d INFO: no action.  i am the leader with the lock (%d %d %d)\n",
		"I0305 %02d:52:03.%03d123   %d kubelet.go:%d] \"SyncLoop (PLEG): event for pod\" pod=\"pgouser1/antdb-%d\"\n",
		"2026-03-05 %02d:52:05.%03d P00   INFO: backup file antdb:/pgdata/antdb/base/%d/%d (8KB, 12%%) checksum %x\n",
	}
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, lines[rnd.IntN(len(lines))], rnd.IntN(24), rnd.IntN(1000), rnd.IntN(90000), rnd.IntN(250), rnd.Uint32())
	}
	return b.Bytes()
}

// gigabyte packs a gigabyte of logs and gives the bundle's path.
func gigabyte(b *testing.B) string {
	var r secret.Redactor
	r.Add(secret.New("a-known-secret"))
	s := spool(b, Options{Redactor: &r})
	const logs = 128
	begin := time.Now()
	var wg sync.WaitGroup
	for worker := range uint64(2) {
		wg.Go(func() {
			text := busyLog(worker, 8<<20-300)
			for n := range logs / 2 {
				place := pod
				place.Pod = fmt.Sprintf("antdb-%d-%d", worker, n)
				err := s.Log(evidence.Log{Kind: evidence.ContainerLog, Name: "container database", Place: place}, bytes.NewReader(text))
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
	kept := time.Since(begin)
	path := filepath.Join(b.TempDir(), "site.bundle")
	begin = time.Now()
	sum, err := s.Pack(path, Packing{})
	require.NoError(b, err)
	b.Logf("kept %d MB in %.1f s, packed into %d MB in %.1f s", sum.LogBytes/1e6, kept.Seconds(), sum.Size/1e6, time.Since(begin).Seconds())
	return path
}

// peak gives the most memory that the program held while do ran.
func peak(do func()) uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"}}
	done, most := make(chan struct{}), make(chan uint64)
	go func() {
		var m uint64
		for {
			metrics.Read(sample)
			var sum uint64
			for _, s := range sample {
				sum += s.Value.Uint64()
			}
			m = max(m, sum)
			select {
			case <-done:
				most <- m
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	do()
	close(done)
	return <-most
}

// used is the processor time of this program so far.
func used(t testing.TB) time.Duration {
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkGigabyte opens a bundle with a gigabyte of logs and looks for the
// whole knowledge base in it, in both halves at once.
func BenchmarkGigabyte(b *testing.B) {
	path := gigabyte(b)
	set := scan.New(knowledge(b))
	var memory uint64
	var cpu time.Duration
	for b.Loop() {
		begin := used(b)
		memory = max(memory, peak(func() {
			bundle, err := Open(path)
			require.NoError(b, err)
			defer bundle.Close()
			logs := make(chan evidence.Log)
			var wg sync.WaitGroup
			for range runtime.GOMAXPROCS(0) {
				wg.Go(func() {
					for l := range logs {
						r, err := l.Open()
						if err == nil {
							_, err = set.Scan(r, func(scan.Hit) bool { return true })
						}
						if err != nil {
							b.Error(err)
						}
					}
				})
			}
			for l, err := range bundle.Logs() {
				require.NoError(b, err)
				logs <- l
			}
			close(logs)
			wg.Wait()
		}))
		cpu += used(b) - begin
		b.SetBytes(128 * (8<<20 - 300))
	}
	b.ReportMetric(float64(memory)/1e6, "MB-peak")
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op") // on a machine that has other work, too
}
