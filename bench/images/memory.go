package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// memory is the largest that was seen of the program, and of any helper of it on a node.
type memory struct {
	program int64

	mu     sync.Mutex
	helper int64
	name   string // of that helper
}

// sampling is how often the nodes' processes are looked at. The kernel keeps each one's peak, so only one that lives
// shorter than this is missed.
const sampling = 250 * time.Millisecond

// nodesOwn are the programs of a node that work for every way of shipping.
var nodesOwn = []string{
	"containerd", "containerd-shim-runc-v2", "ctr", "docker", "docker-init", "docker-proxy", "dockerd", "runc", "sshd", "unpigz",
}

func (m *memory) controller(bytes int64) { m.program = max(m.program, bytes) }

// watch looks at the processes of all nodes until stop is called.
func (m *memory) watch(cgroup string) (stop func()) {
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(sampling)
		defer tick.Stop()
		for {
			m.sample(cgroup)
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() { close(done); <-ended }
}

func (m *memory) sample(cgroup string) {
	folders, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range folders {
		group, err := os.ReadFile(filepath.Join(dir, "cgroup"))
		if err != nil || !strings.Contains(string(group), "/"+cgroup+"/engine/") {
			continue // gone, or not a node's
		}
		program, err := os.Readlink(filepath.Join(dir, "exe"))
		if err != nil || slices.Contains(nodesOwn, filepath.Base(program)) {
			continue
		}
		if peak := peakOf(filepath.Join(dir, "status")); peak > 0 {
			m.mu.Lock()
			if peak > m.helper {
				m.helper, m.name = peak, filepath.Base(program)
			}
			m.mu.Unlock()
		}
	}
}

// peakOf reads VmHWM, "high water mark", in kB.
func peakOf(file string) int64 {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0
	}
	_, rest, found := strings.Cut(string(text), "VmHWM:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 0
	}
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		return 0
	}
	return kib << 10
}

func (m *memory) judge(t *table) {
	const part, mib = "memory", 1 << 20
	t.atMost(part, "controller, MiB", float64(m.program)/mib, wantResident/mib, "%.0f")
	t.atMost(part, fmt.Sprintf("helper on a node (largest: %s), MiB", m.name), float64(m.helper)/mib, wantResident/mib, "%.0f")
}
