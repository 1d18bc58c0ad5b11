package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
)

//go:embed init.hcl
var firstRunbook string

func (a *app) initCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "init [folder]",
		Short:   "Start a runbook that works as it is",
		Example: `  antdbctl init site && antdbctl apply site`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := path(args)
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return err
			}
			for _, file := range []struct{ name, text string }{{"runbook.hcl", firstRunbook}, {".gitignore", ".antdbctl/\n"}} {
				if err := create(filepath.Join(dir, file.name), file.text); err != nil {
					return err
				}
			}
			fmt.Fprintf(a.stdout, "Wrote %s. Next: antdbctl apply %s\n", filepath.Join(dir, "runbook.hcl"), dir)
			return nil
		},
	}
}

// create writes a new file and never touches one that is there; a .gitignore
// that is there already is the user's business.
func create(file, text string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		if filepath.Base(file) == ".gitignore" {
			return nil
		}
		return fmt.Errorf("%s is there already: it was not touched", file)
	}
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
