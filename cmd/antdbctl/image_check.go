package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/modules/image"
	"github.com/adbsql/antdbctl/modules/image/preflight"
)

func (a *app) imageCheckCommand() *cobra.Command {
	check := &image.Check{FailOn: "never"}
	var preload string
	c := &cobra.Command{
		Use:   "check SOURCE",
		Short: "Find out whether an image can be a database, before a pod starts from it",
		Long: `Check asks of an image what has kept database pods from starting: libraries that
are preloaded and missing or built for another server, a libpq that went away, a
locale, a mode, an entrypoint. SOURCE is an image of the local docker, or an
archive: a file or an OCI layout folder. It exits with 1 when a check fails.`,
		Example: `  antdbctl image check crunchydata/antdb-ha:4.1 --dockerfile antdb-ha/Dockerfile
  antdbctl image check antdb-ha.tar.gz --dynamic=false --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			check.Image, check.Archive = imageSource(args[0])
			if c.Flags().Changed("preload") {
				check.Preload = strings.FieldsFunc(preload, func(r rune) bool { return r == ',' })
				if check.Preload == nil {
					check.Preload = []string{}
				}
			}
			if !slices.Contains([]string{"auto", "true", "false"}, check.Dynamic) {
				return fmt.Errorf("--dynamic is auto, true or false, not %q", check.Dynamic)
			}
			if err := check.Validate(); err != nil {
				return explained(err)
			}
			ctx, env, done := a.here(c.Context())
			_, err := check.Check(ctx, env)
			done()
			if err != nil {
				return explained(err)
			}
			if err := a.showCheck(args[0], check); err != nil {
				return err
			}
			if len(check.Failed) > 0 {
				return exit{exitError}
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(&check.Dockerfile, "dockerfile", "", "`file` that the image was built from: findings name its lines")
	flags.StringVar(&check.PGRoot, "pg-root", "", "`folder` of the server in the image")
	flags.StringVar(&check.PGMajor, "pg-major", "", "major `version` that the server must be of")
	flags.StringVar(&check.Arch, "arch", "", "architecture of the nodes, such as amd64")
	flags.StringVar(&preload, "preload", "", "`libraries` that the server will preload, joined by commas")
	flags.StringVar(&check.Dynamic, "dynamic", "auto", "prove it in a throw-away container, too: auto, true or false")
	flags.StringSliceVar(&check.Ignore, "ignore", nil, "`checks` to leave out, such as B6.15")
	return c
}

func (a *app) showCheck(name string, check *image.Check) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"image": name, "id": check.ID, "findings": check.Findings,
			"passed": check.Passed, "warned": check.Warned, "failed": check.Failed,
		})
	}
	fmt.Fprintf(a.stdout, "%s  %.19s\n\n", name, check.ID)
	return preflight.Table(a.stdout, check.Findings, preflight.Style{
		Width: width(a.stdout), Color: a.colored(a.stdout), Verbose: a.verbose,
	})
}
