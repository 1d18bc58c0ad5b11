package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

// dirFlag adds --dir, the folder of the runbooks whose runs are meant.
func dirFlag(c *cobra.Command, dir *string) {
	c.Flags().StringVar(dir, "dir", ".", "the runbook's `folder`")
}

func (a *app) showCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:   "show [run | saved plan]",
		Short: "Show a run again (the last one by default), or a saved plan",
		Example: `  antdbctl show --dir runbooks
  antdbctl show rollout.plan`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				plan, err := engine.LoadPlan(args[0])
				if errors.Is(err, fs.ErrNotExist) {
					return engine.Replay(dir, args[0], a.sink())
				}
				if err == nil {
					plan.Show(a.sink())
				}
				return err
			}
			ids, err := engine.Runs(dir)
			if err != nil {
				return err
			}
			if len(ids) == 0 {
				return fmt.Errorf("no run yet in %s: say --dir, the folder of the runbook", dir)
			}
			return engine.Replay(dir, ids[len(ids)-1], a.sink())
		},
	}
	dirFlag(c, &dir)
	return c
}

// summary is the sink that keeps what `runs` lists of a run.
type summary struct {
	Run     string               `json:"run"`
	Time    time.Time            `json:"time"`
	Command string               `json:"command"`
	Runbook string               `json:"runbook"`
	Result  string               `json:"result"` // done, failed, declined, interrupted, or "unfinished" when its process died
	Counts  map[event.Status]int `json:"counts,omitempty"`
	Seconds float64              `json:"seconds"`
}

func (s *summary) Emit(e event.Envelope) {
	switch ev := e.Event.(type) {
	case event.RunStarted:
		s.Run, s.Time, s.Command, s.Runbook, s.Result = e.Run, e.Time, ev.Command, ev.Runbook, "unfinished"
	case event.RunFinished:
		s.Counts, s.Seconds, s.Result = ev.Counts, ev.Seconds, "failed"
		switch {
		case ev.Declined:
			s.Result = "declined"
		case ev.Interrupted:
			s.Result = "interrupted"
		case ev.OK:
			s.Result = "done"
		}
	}
}

func (a *app) runsCommand() *cobra.Command {
	var dir string
	c := &cobra.Command{
		Use:     "runs",
		Short:   "List the runs of a runbook, the last one first",
		Example: `  antdbctl runs --dir runbooks`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			ids, err := engine.Runs(dir)
			if err != nil {
				return err
			}
			for _, id := range slices.Backward(ids) {
				var s summary
				if err := engine.Replay(dir, id, &s); err != nil {
					return err
				}
				if a.json {
					if err := json.NewEncoder(a.stdout).Encode(s); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(a.stdout, "%s  %-8s  %-11s  %6.1f s  %s\n", id, s.Command, s.Result, s.Seconds, s.Runbook)
			}
			return nil
		},
	}
	dirFlag(c, &dir)
	return c
}

func (a *app) stateCommand() *cobra.Command {
	var runbook string
	store := func() (state.Store, error) {
		dir, err := engine.StateOf(runbook)
		return state.NewFile(dir), err
	}
	load := func(ctx context.Context) (*state.State, error) {
		s, err := store()
		if err != nil {
			return nil, err
		}
		return s.Load(ctx)
	}
	c := &cobra.Command{
		Use:   "state",
		Short: "Look into the diary of a runbook, or forget a step",
		Long: `The state is a diary of what was done. Plans and applies ask the world, not the
state, so forgetting a step changes nothing outside.`,
	}
	list := &cobra.Command{
		Use: "list", Short: "List the steps that the state remembers", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			s, err := load(c.Context())
			if err != nil {
				return err
			}
			return a.listState(s)
		},
	}
	show := &cobra.Command{
		Use: "show ADDRESS", Short: "Show all that is remembered of a step", Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := load(c.Context())
			if err != nil {
				return err
			}
			rec, ok := s.Steps[args[0]]
			if !ok {
				return fmt.Errorf("the state has no %s: see antdbctl state list", args[0])
			}
			enc := json.NewEncoder(a.stdout)
			enc.SetIndent("", "  ")
			return enc.Encode(rec)
		},
	}
	rm := &cobra.Command{
		Use: "rm ADDRESS...", Short: "Forget steps; nothing outside changes", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			s, err := store()
			if err != nil {
				return err
			}
			return engine.Forget(c.Context(), s, args)
		},
	}
	for _, sub := range []*cobra.Command{list, show, rm} {
		sub.Flags().StringVar(&runbook, "runbook", ".", "the runbook's `file`, or its folder")
		c.AddCommand(sub)
	}
	return c
}

func (a *app) listState(s *state.State) error {
	for _, address := range engine.Addresses(s) {
		rec := s.Steps[address]
		if a.json {
			line := struct {
				Address string `json:"address"`
				state.Record
			}{address, rec}
			if err := json.NewEncoder(a.stdout).Encode(line); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.stdout, "%-32s  %-16s  %-16s  %-6s  run %s\n", address, rec.Module, rec.Target, rec.Status, rec.Run)
	}
	return nil
}
