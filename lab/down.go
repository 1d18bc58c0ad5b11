package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/lab/control"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
	"github.com/adbsql/antdbctl/lab/proc"
	"github.com/adbsql/antdbctl/lab/progress"
)

func downCommand(lab layout.Lab) *cobra.Command {
	var purge bool
	cmd := &cobra.Command{
		Use: "down", Short: "Take the lab down: no container, process, mount, route or file of it stays", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if os.Geteuid() != 0 {
				return errors.New("only root can take the lab down (sudo lab down)")
			}
			unlock, err := lock(lab)
			if err != nil {
				return err
			}
			defer unlock()
			return down(cmd.Context(), lab, progress.New(cmd.OutOrStdout()), purge)
		},
	}
	cmd.Flags().BoolVar(&purge, "purge", false, "remove the cache too; the next up starts from nothing")
	return cmd
}

// down goes on after an error, since every later step removes something of its own, and reports all errors.
func down(ctx context.Context, lab layout.Lab, print *progress.Printer, purge bool) error {
	engine := docker.New(lab)
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"stop the recycler and the control plane", func(context.Context) error {
			return errors.Join(recycler(lab).Stop(5*time.Second), control.Plane{Lab: lab}.Stop())
		}},
		{"remove the containers", func(ctx context.Context) error { return removeContainers(ctx, engine) }},
		{"stop the lab's Docker Engine", func(context.Context) error { return engine.Stop() }},
		{"remove what is left of processes and cgroups", func(context.Context) error {
			return errors.Join(proc.KillMentioning(lab.In("docker")), node.SweepCgroups(lab))
		}},
		{"remove mounts, network and files", func(ctx context.Context) error {
			err := errors.Join(restoreSysctls(lab), unmountBelow(lab.State, lab.Cache), node.CloseFirewall(ctx, lab), removeLink(ctx, lab.Bridge()))
			if purge {
				err = errors.Join(err, os.RemoveAll(purged(lab)))
			}
			return errors.Join(err, os.RemoveAll(lab.State))
		}},
	}
	var all error
	for _, step := range steps {
		all = errors.Join(all, print.Do(ctx, step.what, step.do))
	}
	return all
}

// purged is the whole cache, but of a lab beside the first one only what no other lab uses.
func purged(lab layout.Lab) string {
	if lab.Slot == 0 {
		return lab.Cache
	}
	return lab.Engine()
}

func removeContainers(ctx context.Context, engine docker.Engine) error {
	if !engine.Running() {
		return nil // a dead engine's containers are killed by their cgroup, and forgotten at the next start
	}
	if err := engine.RemoveContainers(ctx, ""); err != nil {
		return err
	}
	return engine.RemoveNetwork(ctx)
}

// lock keeps two runs of up or down from working at once. Its file lies beside the state folder's content only while one runs.
func lock(lab layout.Lab) (unlock func(), err error) {
	path := lab.State + ".lock"
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("another lab up or down is at work (%s): %w", path, err)
	}
	if err := os.MkdirAll(lab.State, 0o755); err != nil {
		return nil, err
	}
	return func() { os.Remove(path); file.Close() }, nil
}
