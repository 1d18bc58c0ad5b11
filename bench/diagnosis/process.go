package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// cost is what a run of the program took.
type cost struct {
	wall, cpu time.Duration
	peak      int64 // most memory it had, in bytes
}

func (c cost) String() string {
	return fmt.Sprintf("%s (%s of processor), %d MB", c.wall.Round(10*time.Millisecond), c.cpu.Round(10*time.Millisecond), c.peak/1e6)
}

// run runs the program and takes 1 for an answer: a cause was found.
func run(ctx context.Context, program string, args ...string) (cost, string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return cost{}, "", err
	}
	over := make(chan struct{})
	peak := make(chan int64)
	go func() { peak <- watch(cmd.Process.Pid, over) }()
	err := cmd.Wait()
	c := cost{wall: time.Since(start), cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	close(over)
	c.peak = <-peak
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil
	}
	if err != nil {
		err = fmt.Errorf("%s %v: %w\n%s", program, args, err, &out)
	}
	return c, out.String(), err
}

// watch looks at a process's memory again and again. What the system says of a
// child that has ended includes this program's own, from before it became the
// other one.
func watch(pid int, over <-chan struct{}) (peak int64) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return peak
		case <-tick.C:
		}
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil || !bytes.Contains(status, []byte("Name:\tantdbctl\n")) {
			continue
		}
		for line := range bytes.Lines(status) {
			kib := int64(0)
			if _, err := fmt.Sscanf(string(line), "VmHWM: %d kB", &kib); err == nil {
				peak = max(peak, kib<<10)
			}
		}
	}
}

// lab measures a diagnosis of the lab's site, when it is up.
func lab(ctx context.Context, program string) (bool, error) {
	dir := os.Getenv("ANTDBCTL_LAB_DIR")
	if dir == "" {
		dir = "/run/antdbctl-lab"
	}
	site := filepath.Join(dir, "site.hcl")
	if _, err := os.Stat(site); err != nil {
		fmt.Println("the lab: not up (make lab)")
		return true, nil
	}
	c, _, err := run(ctx, program, "diagnose", "--var-file", site)
	if err != nil {
		return false, err
	}
	fmt.Printf("the lab, three machines: %s (wanted < 10 s)\n", c)
	return c.wall < 10*time.Second, nil
}
