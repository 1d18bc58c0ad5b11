package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// cost is what a run of the program took.
type cost struct {
	wall time.Duration
	peak int64 // most memory it had, in bytes
}

func (c cost) String() string {
	return fmt.Sprintf("%s, %d MB", c.wall.Round(10*time.Millisecond), c.peak/1e6)
}

// run runs the program and takes 1 for an answer: a cause was found.
func run(ctx context.Context, program string, args ...string) (cost, string, error) {
	cmd := exec.CommandContext(ctx, program, args...)
	start := time.Now()
	out, err := cmd.CombinedOutput()
	c := cost{wall: time.Since(start)}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 {
		err = nil
	}
	if err != nil {
		return c, string(out), fmt.Errorf("%s %v: %w\n%s", program, args, err, out)
	}
	c.peak = cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024
	return c, string(out), nil
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
