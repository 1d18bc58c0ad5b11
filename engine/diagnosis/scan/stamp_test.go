package scan

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var stampsTaken = time.Date(2026, 3, 6, 1, 0, 0, 0, time.UTC)

func TestTimeStampsOfProgramsAreRead(t *testing.T) {
	for line, want := range map[string]string{
		"2026-03-05T05:52:03.096123456Z stdout F x":                         "2026-03-05T05:52:03.096123456Z",
		"2026-03-05T05:52:03.096123456Z FATAL: x":                           "2026-03-05T05:52:03.096123456Z",
		"2026-03-05T13:52:03+08:00 Warning Failed Pod/x y":                  "2026-03-05T05:52:03Z",
		"2026-03-05T13:52:03.5+0800 node1 kubelet[1]: x":                    "2026-03-05T05:52:03.5Z",
		"2026-03-05 05:52:03.096 UTC [123] FATAL:  x":                       "2026-03-05T05:52:03.096Z",
		"2026-03-05 13:52:03.096 CST [123] FATAL:  x":                       "2026-03-05T05:52:03.096Z",
		"2026-03-05 06:52:03 CET FATAL:  x":                                 "2026-03-05T05:52:03Z",
		"2026-03-05 05:52:03.096 -03 [123] FATAL:  x":                       "2026-03-05T08:52:03.096Z",
		"2026-03-05 05:52:03,096 INFO: Lock owner: None; I am x":            "2026-03-05T05:52:03.096Z",
		"2026-03-05 05:52:03.096 P00   INFO: backup command begin 2.20":     "2026-03-05T05:52:03.096Z",
		"2026/03/05 05:52:03 http: TLS handshake error":                     "2026-03-05T05:52:03Z",
		"[2026-03-05 05:52:03] x y z":                                       "2026-03-05T05:52:03Z",
		"  2026-03-05 05:52:03 indented":                                    "2026-03-05T05:52:03Z",
		"E0305 05:52:03.096123    1234 kubelet.go:12] x":                    "2026-03-05T05:52:03.096123Z",
		"I1231 23:52:03.096123    1234 kubelet.go:12] x":                    "2025-12-31T23:52:03.096123Z",
		"Mar  5 05:52:03 node1 kubelet[123]: x":                             "2026-03-05T05:52:03Z",
		"Dec 15 05:52:03 node1 kubelet[123]: x":                             "2025-12-15T05:52:03Z",
		"[Thu Mar  5 05:52:03 2026] Out of memory: Killed process 1":        "2026-03-05T05:52:03Z",
		`time="2026-03-05T05:52:03Z" level=error msg="x"`:                   "2026-03-05T05:52:03Z",
		`time="2026-03-05T05:52:03.000096Z" level=error msg="x"`:            "2026-03-05T05:52:03.000096Z",
		`{"level":"error","ts":"2026-03-05T05:52:03.096Z","msg":"x"}`:       "2026-03-05T05:52:03.096Z",
		`{"log":"x\n","stream":"stderr","time":"2026-03-05T05:52:03.096Z"}`: "2026-03-05T05:52:03.096Z",
	} {
		require.Equal(t, want, unwrap([]byte(line)).stamp(stampsTaken).UTC().Format(time.RFC3339Nano), line)
	}
}

func TestWhatIsNoTimeStampIsNone(t *testing.T) {
	for _, line := range []string{
		"", "x", "FATAL:  could not access file at all", "2026", "2026-13-05 05:52:03.096 UTC", "2026-03-05 25:52:03.096 UTC", "2026-03-05 05:52",
		"I0399 05:52:03.096123 x", "Info: 05:52:03 and more of it", "Mar 99 05:52:03 node1 x", "[    1.234567] kernel: without a clock", "[Thu Xyz  5 05:52:03 2026] x",
		"10.244.1.7 - - GET /healthz HTTP/1.1", "123456789012345678901234567890", "E0305", "Mar  5 05:5", "致命错误: 无法访问文件 致命错误",
	} {
		require.Zero(t, stampOf([]byte(line), stampsTaken), line)
	}
}

func FuzzStampsOfAnyBytes(f *testing.F) {
	f.Add([]byte("2026-03-05 05:52:03.096 +0"))
	f.Add([]byte("I0305 05:52:03.09"))
	f.Add([]byte("[Thu Mar  5 05:52:03 2026] x"))
	f.Fuzz(func(_ *testing.T, text []byte) { _ = unwrap(text).stamp(stampsTaken) })
}
