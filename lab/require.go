package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/lab/debian"
	"github.com/adbsql/antdbctl/lab/progress"
)

// requireCommand is for tests that need more of Debian than the lab itself does.
func requireCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "require PROGRAM:PACKAGE...",
		Short: "Install the Debian packages of programs that are missing; start no service",
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			missing, err := absent(args)
			if err != nil || len(missing) == 0 {
				return err
			}
			if os.Geteuid() != 0 {
				return fmt.Errorf("missing: %s; as root: apt-get install %[1]s", strings.Join(missing, " "))
			}
			print := progress.New(cmd.OutOrStdout())
			return print.Do(cmd.Context(), "install the Debian packages "+strings.Join(missing, ", "), func(ctx context.Context) error {
				return debian.Install(ctx, missing)
			})
		},
	}
}

// absent lists the packages whose programs are not here. A program with a slash
// is a pattern of paths.
func absent(pairs []string) ([]string, error) {
	var missing []string
	for _, pair := range pairs {
		program, pkg, ok := strings.Cut(pair, ":")
		if !ok {
			return nil, errors.New("say PROGRAM:PACKAGE, such as sshd:openssh-server")
		}
		found := false
		if strings.Contains(program, "/") {
			paths, err := filepath.Glob(program)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", program, err)
			}
			found = len(paths) > 0
		} else {
			_, err := exec.LookPath(program)
			found = err == nil
		}
		if !found && !slices.Contains(missing, pkg) {
			missing = append(missing, pkg)
		}
	}
	return missing, nil
}
