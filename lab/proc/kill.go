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

// KillMentioning kills the processes whose command line has an argument below folder: what a killed engine leaves behind
// (its containerd and the shims) carries the engine's own folder as an argument.
func KillMentioning(folder string) error {
	find := func() []int { return mentioning(folder) }
	for _, pid := range find() {
		_ = syscall.Kill(pid, syscall.SIGKILL) // gone already is as good
	}
	if !poll(5*time.Second, func() bool { return len(find()) == 0 }) {
		return fmt.Errorf("processes %v with arguments below %s do not die", find(), folder)
	}
	return nil
}

func mentioning(folder string) []int {
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
			if i > 0 && pid != os.Getpid() && (strings.HasPrefix(argument, folder+"/") || strings.HasPrefix(value, folder+"/")) {
				pids = append(pids, pid)
				break
			}
		}
	}
	return pids
}
