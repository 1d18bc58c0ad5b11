package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/runbooks"
)

//go:embed site.hcl
var siteRunbook []byte

// inquiry is what the operator says of a look around.
type inquiry struct {
	targets, signatures            []string
	since, budget                  time.Duration
	language                       string
	kubeconfig, context, namespace string
	free                           bool // without a runbook
}

// flags adds those that say where to look and for how long.
func (q *inquiry) flags(c *cobra.Command) {
	f := c.Flags()
	f.StringSliceVar(&q.targets, "target", nil, "look only at this target block or host; may be repeated (`name`)")
	f.DurationVar(&q.since, "since", 0, "leave out what is older, such as 1h")
	f.DurationVar(&q.budget, "budget", engine.DefaultBudget, "how long to look around")
	f.StringVar(&q.kubeconfig, "kubeconfig", "", "without a runbook: access to the cluster, a `file` ($KUBECONFIG or ~/.kube/config by default)")
	f.StringVar(&q.context, "context", "", "without a runbook: `name` of the kubeconfig's context")
	f.StringVarP(&q.namespace, "namespace", "n", "", "without a runbook: `name` of the namespace, the context's by default")
}

// knowledgeFlags adds those that say what to know and in which language to tell it.
func (q *inquiry) knowledgeFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&q.signatures, "signatures", nil, "`file` or folder with findings of your own; may be repeated")
	c.Flags().StringVar(&q.language, "lang", "", "language of the findings: en or zh (also: ANTDBCTL_LANG, LC_ALL, LC_MESSAGES, LANG)")
}

// check refuses what cannot be meant.
func (q *inquiry) check(args []string) error {
	switch {
	case q.language != "" && q.language != "en" && q.language != "zh":
		return fmt.Errorf("--lang %s: findings are told in en and zh", q.language)
	case len(args) > 0 && (q.kubeconfig != "" || q.context != "" || q.namespace != ""):
		return errors.New("--kubeconfig, --context and --namespace are for a look without a runbook: a runbook's targets say where it works")
	case q.budget < 0 || q.since < 0:
		return errors.New("--budget and --since take a length of time such as 10s or 1h")
	}
	return nil
}

// open loads the runbook, or without one the site that kubectl would take. The
// second value is the folder of state and logs, when it is not the runbook's.
// With lenient, a --var that the runbook does not declare is not its own.
func (a *app) open(q *inquiry, args []string, lenient bool) (book *lang.Runbook, home string, err error) {
	o := lang.Options{Registry: registry(), VarFiles: a.varFiles, Vars: a.vars}
	if len(args) > 0 {
		if lenient {
			o.Vars = varsOf(args[0], a.vars)
		}
		book, err := a.loadWith(args[0], o)
		return book, "", err
	}
	q.free = true
	dir, err := os.MkdirTemp("", "antdbctl-site-")
	if err != nil {
		return nil, "", err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "site.hcl")
	if err := os.WriteFile(file, siteRunbook, 0o600); err != nil {
		return nil, "", err
	}
	if o.Dir, err = os.Getwd(); err != nil {
		return nil, "", err
	}
	if lenient {
		o.Vars = varsOf(file, a.vars)
	}
	for _, flag := range []struct{ name, value string }{{"kubeconfig", q.kubeconfig}, {"context", q.context}, {"namespace", q.namespace}} {
		if flag.value != "" {
			o.Vars = append(o.Vars, flag.name+"="+flag.value)
		}
	}
	book, err = a.loadWith(file, o)
	return book, stateHome(), err
}

// varsOf are those of vars that the runbook declares, where it can be read.
func varsOf(path string, vars []string) []string {
	book, _ := lang.Load(path, lang.Options{Registry: registry()}) // its faults show when it is loaded in earnest
	var own []string
	for _, text := range vars {
		name, _, _ := strings.Cut(text, "=")
		if slices.ContainsFunc(book.Variables, func(v *lang.Variable) bool { return v.Name == name }) {
			own = append(own, text)
		}
	}
	return own
}

// stateHome is where a user's programs keep what is of no runbook.
func stateHome() string {
	base := os.Getenv("XDG_STATE_HOME")
	if home, err := os.UserHomeDir(); base == "" && err == nil {
		base = filepath.Join(home, ".local", "state")
	}
	if base == "" {
		base = os.TempDir()
	}
	return filepath.Join(base, "antdbctl")
}

// diagnosis wires the knowledge base to the engine; it is read when it is needed.
func (a *app) diagnosis(q *inquiry, book *lang.Runbook) *engine.Diagnosis {
	d := &engine.Diagnosis{
		Modules: registry(), Language: languageOf(q.language, os.Getenv),
		Budget: q.budget, Since: q.since, Targets: q.targets,
	}
	paths := slices.Clone(q.signatures)
	if book != nil {
		d.Command = a.again(q, book)
		if beside := filepath.Join(book.Dir, "diagnosis"); !q.free && isFolder(beside) {
			paths = append(paths, beside)
		}
	}
	d.Learn = func() (*engine.Knowledge, hcl.Diagnostics) { return engine.LoadKnowledge(runbooks.Diagnosis(), paths) }
	return d
}

func isFolder(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// again is the command that makes this diagnosis again. Values of sensitive
// variables are left out: a fix asks for what it lacks.
func (a *app) again(q *inquiry, book *lang.Runbook) string {
	words := []string{"antdbctl", "diagnose"}
	if !q.free {
		words = append(words, book.Path)
	}
	for _, flag := range []struct{ name, value string }{{"--kubeconfig", q.kubeconfig}, {"--context", q.context}, {"--namespace", q.namespace}} {
		if flag.value != "" {
			words = append(words, flag.name, flag.value)
		}
	}
	for _, file := range a.varFiles {
		words = append(words, "--var-file", file)
	}
	for _, text := range a.vars {
		name, _, _ := strings.Cut(text, "=")
		sensitive := func(v *lang.Variable) bool { return v.Name == name && v.Sensitive }
		if !slices.ContainsFunc(book.Variables, sensitive) {
			words = append(words, "--var", text)
		}
	}
	for _, path := range q.signatures {
		words = append(words, "--signatures", path)
	}
	return shell.Quote(words...)
}

// languageOf is the language that an operator reads: as asked for, else as the
// environment says, in the order in which locales are looked up.
func languageOf(asked string, env func(string) string) string {
	for _, value := range []string{asked, env("ANTDBCTL_LANG"), env("LC_ALL"), env("LC_MESSAGES"), env("LANG")} {
		if value != "" {
			if strings.HasPrefix(strings.ToLower(value), "zh") {
				return "zh"
			}
			return "en"
		}
	}
	return "en"
}
