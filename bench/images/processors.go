package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// processors is what this machine's processors have done since it started. All nodes share them, and so do others: a
// time that was measured while somebody else kept them busy says little.
type processors struct {
	at    time.Time
	busy  float64 // seconds
	nodes float64 // of these, what the nodes' processes used
	count int
}

// ticks is how the kernel counts in /proc/stat: in hundredths of a second.
const ticks = 100

func (f *fleet) processors() processors {
	p := processors{at: time.Now(), nodes: nodesUsed(f.Cgroup)}
	text, _ := os.ReadFile("/proc/stat") // the kernel's; nothing read shows as nothing done
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) < 9 || !strings.HasPrefix(fields[0], "cpu"):
		case fields[0] != "cpu":
			p.count++
		default:
			for _, i := range []int{1, 2, 3, 6, 7, 8} { // all but idle and waiting for a disk
				n, _ := strconv.ParseFloat(fields[i], 64)
				p.busy += n / ticks
			}
		}
	}
	return p
}

// nodesUsed reads the nodes' group of either version of cgroups.
func nodesUsed(group string) float64 {
	if text, err := os.ReadFile(filepath.Join("/sys/fs/cgroup/cpuacct", group, "cpuacct.usage")); err == nil {
		n, _ := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
		return n / 1e9
	}
	text, _ := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, "cpu.stat"))
	_, rest, _ := strings.Cut(string(text), "usage_usec ")
	number, _, _ := strings.Cut(rest, "\n")
	n, _ := strconv.ParseFloat(number, 64)
	return n / 1e6
}

// since says what was done between two looks.
func (p processors) since(before processors) string {
	passed := p.at.Sub(before.at).Seconds() * float64(p.count)
	if passed == 0 {
		return "unknown"
	}
	return fmt.Sprintf("%.0f%% busy, %.0f%% with the nodes", 100*(p.busy-before.busy)/passed, 100*(p.nodes-before.nodes)/passed)
}
