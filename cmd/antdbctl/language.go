package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/docs"
	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/state"
)

func (a *app) validateCommand() *cobra.Command {
	c := &cobra.Command{
		Use:     "validate [runbook]",
		Short:   "Find every fault of a runbook, without connecting anywhere",
		Example: `  antdbctl validate runbooks/antdb-rollout.hcl --var-file site.hcl`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			book, err := a.load(path(args))
			if err != nil {
				return err
			}
			if !a.json {
				fmt.Fprintf(a.stdout, "%s is valid: %d steps, %d targets, %d playbooks\n", book.Path, len(book.Steps), len(book.Targets), len(book.Playbooks))
			}
			return nil
		},
	}
	a.bookFlags(c)
	return c
}

func (a *app) fmtCommand() *cobra.Command {
	var check bool
	c := &cobra.Command{
		Use:   "fmt [file or folder...]",
		Short: "Lay runbooks out in the one canonical style",
		Example: `  antdbctl fmt runbooks
  antdbctl fmt --check .`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{"."}
			}
			changed := 0
			for _, arg := range args {
				files, err := runbookFiles(arg)
				if err != nil {
					return err
				}
				for _, f := range files {
					did, err := a.format(f, check)
					if err != nil {
						return err
					}
					if did {
						changed++
						fmt.Fprintln(a.stdout, f)
					}
				}
			}
			if check && changed > 0 {
				return exit{exitError}
			}
			return nil
		},
	}
	c.Flags().BoolVar(&check, "check", false, "only list what is not in that style, and exit 1 if anything is")
	return c
}

func runbookFiles(arg string) ([]string, error) {
	info, err := os.Stat(arg)
	if err != nil || !info.IsDir() {
		return []string{arg}, err
	}
	var files []string
	err = filepath.WalkDir(arg, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && p != arg && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if err == nil && !d.IsDir() && filepath.Ext(p) == ".hcl" {
			files = append(files, p)
		}
		return err
	})
	return files, err
}

// format rewrites one file, whole or not at all. A file with syntax errors is
// shown them and left alone.
func (a *app) format(file string, check bool) (changed bool, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, err
	}
	if _, diags := hclparse.NewParser().ParseHCL(text, file); diags.HasErrors() {
		a.show(diags, &lang.Runbook{Sources: map[string][]byte{file: text}})
		return false, exit{exitError}
	}
	neat := hclwrite.Format(text)
	if bytes.Equal(neat, text) || check {
		return !bytes.Equal(neat, text), nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return false, err
	}
	return true, state.WriteFile(file, neat, info.Mode().Perm())
}

func (a *app) modulesCommand() *cobra.Command {
	var schema bool
	c := &cobra.Command{
		Use:   "modules [name]",
		Short: "List the modules, or show one's reference page",
		Example: `  antdbctl modules
  antdbctl modules image.ship`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			reg := registry()
			if len(args) == 0 {
				return a.listModules()
			}
			entry, ok := reg.Lookup(args[0])
			if !ok {
				return fmt.Errorf("there is no module %q: see antdbctl modules", args[0])
			}
			if schema {
				text, err := entry.JSONSchema()
				if err == nil {
					fmt.Fprintln(a.stdout, string(text))
				}
				return err
			}
			fmt.Fprint(a.stdout, docs.Module(entry))
			return nil
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return registry().Names(), cobra.ShellCompDirectiveNoFileComp
		},
	}
	c.Flags().BoolVar(&schema, "schema", false, "show the JSON Schema of the module's arguments")
	return c
}

func (a *app) listModules() error {
	reg := registry()
	for _, name := range reg.Names() {
		entry, _ := reg.Lookup(name)
		if a.json {
			line := map[string]any{"name": name, "summary": entry.Summary, "on": entry.On, "read_only": entry.ReadOnly}
			if err := json.NewEncoder(a.stdout).Encode(line); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(a.stdout, "%-16s %s\n", name, entry.Summary)
	}
	return nil
}

func (a *app) functionsCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "functions [name]",
		Short:   "List the functions that expressions can use",
		Example: `  antdbctl functions cidrhost`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			found := false
			for _, f := range lang.FunctionDocs() {
				if len(args) == 1 && f.Name != args[0] {
					continue
				}
				found = true
				if a.json {
					if err := json.NewEncoder(a.stdout).Encode(f); err != nil {
						return err
					}
					continue
				}
				fmt.Fprintf(a.stdout, "%s\n    %s\n", f.Signature, f.Description)
			}
			if !found {
				return fmt.Errorf("there is no function %q: see antdbctl functions", args[0])
			}
			return nil
		},
	}
}

func (a *app) graphCommand() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use:     "graph [runbook]",
		Short:   "Draw the steps and what they need, as DOT or Mermaid",
		Example: `  antdbctl graph runbooks/antdb-rollout.hcl --var-file site.hcl | dot -Tsvg > rollout.svg`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			book, err := a.load(path(args))
			if err != nil {
				return err
			}
			switch format {
			case "dot":
				fmt.Fprint(a.stdout, engine.GraphDOT(book))
			case "mermaid":
				fmt.Fprint(a.stdout, engine.GraphMermaid(book))
			default:
				return errors.New("--format is dot or mermaid")
			}
			return nil
		},
	}
	a.bookFlags(c)
	c.Flags().StringVar(&format, "format", "dot", "dot or mermaid")
	return c
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if a.json {
				return json.NewEncoder(a.stdout).Encode(map[string]string{"version": programVersion()})
			}
			_, err := fmt.Fprintln(a.stdout, "antdbctl", programVersion())
			return err
		},
	}
}
