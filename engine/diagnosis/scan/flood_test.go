package scan_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/scan"
)

// BenchmarkFlood is about a log in which every line is a hit.
func BenchmarkFlood(b *testing.B) {
	set, _ := shipped(b)
	var text bytes.Buffer
	for n := 0; text.Len() < 8<<20; n++ {
		fmt.Fprintf(&text, "2026-03-05 05:52:03.096 UTC [%d] FATAL:  password authentication failed for user \"testuser%d\"\n", n%9000, n%9)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		stats, err := set.Scan(bytes.NewReader(text.Bytes()), func(scan.Hit) bool { return true })
		require.NoError(b, err)
		require.NotZero(b, stats.Hits)
	}
}
