package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// KillMentioning kills the processes that have path, or something below it, as an argument: what a killed engine leaves
// behind (its containerd and the shims) carries the engine's own folder.
func KillMentioning(path string) error {
	find := func() []int { return mentioning(path) }
	for _, pid := range find() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // gone already is as good
	}
	if !poll(5*time.Second, func() bool { return len(find()) == 0 }) {
		return fmt.Errorf("processes %v with an argument at or below %s do not die", find(), path)
	}
	return nil
}

func mentioning(path string) []int {
	inside := func(s string) bool { return s == path || strings.HasPrefix(s, path+"/") }
	var pids []int
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		for i, argument := range strings.Split(string(content), "\x00") {
			_, value, _ := strings.Cut(argument, "=")
			if i > 0 && pid != os.Getpid() && (inside(argument) || inside(value)) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}
