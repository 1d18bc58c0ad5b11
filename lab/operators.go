package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/lab/control"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/pgo"
	"github.com/adbsql/antdbctl/lab/pgo/pgcluster"
	"github.com/adbsql/antdbctl/lab/progress"
)

// operatorsCommand adds stand-ins of later operators to a lab that is up, beside the one of PGO 4.2.1.
func operatorsCommand(lab layout.Lab) *cobra.Command {
	return &cobra.Command{
		Use: "operators RELEASE...", Short: "Add the stand-in of a later operator: 4.7.10, 5.8.9 or 6.0.3", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, releases []string) error {
			config, err := control.Config(lab)
			if err != nil {
				return fmt.Errorf("is the lab up? (lab up): %w", err)
			}
			build := docker.New(lab).Label(cmd.Context(), pgo.Image, docker.KeyLabel)
			print := progress.New(cmd.OutOrStdout())
			for _, release := range releases {
				var install func(ctx context.Context) error
				switch {
				case release == pgcluster.Version:
					install = func(ctx context.Context) error {
						return pgo.Install(ctx, config, pgo.FortySeven(lab.In("pgo47"), build))
					}
				case strings.HasPrefix(release, "5."), strings.HasPrefix(release, "6."):
					install = func(ctx context.Context) error {
						return pgo.InstallFive(ctx, config, pgo.FiveOptions{Release: release, Build: build})
					}
				default:
					return fmt.Errorf("there is no stand-in of PGO %s", release)
				}
				if err := print.Do(cmd.Context(), "install the stand-in of PGO "+release, install); err != nil {
					return err
				}
			}
			return nil
		},
	}
}
