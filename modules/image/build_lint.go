package image

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/lint"
)

// lint tells the traps of a build that is about to happen. What cannot work is
// an error, which names them all.
func (b *Build) lint(env *module.Env, want *buildPlan) error {
	found := lint.Check(lint.Input{File: want.file, Name: want.context.Dockerfile, Args: b.Args, Tags: b.Tags, Context: want.context}, b.LintIgnore)
	var faults []lint.Finding
	for _, f := range found {
		if f.Level == lint.Error {
			faults = append(faults, f)
			continue
		}
		env.Logf("warning: %s; %s", f, f.Remedy)
	}
	if len(faults) == 0 {
		return nil
	}
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.String()
	}
	first := faults[0]
	err := errors.New(texts[0])
	if more := len(faults) - 1; more > 0 {
		err = fmt.Errorf("%w, and %d more of its kind", err, more)
	}
	remedy := fmt.Sprintf("%s; or, if that is meant so, lint_ignore = [%q]", first.Remedy, first.Rule)
	return module.At("dockerfile", module.Explain(err, remedy, texts[1:]...))
}

// checkRules refuses names that no rule has.
func checkRules(ids []string) error {
	for _, id := range ids {
		if !lint.Known(id) {
			return module.At("lint_ignore", fmt.Errorf("there is no rule %q: the rules are %s", id, strings.Join(ruleNames(), ", ")))
		}
	}
	return nil
}

func ruleNames() (ids []string) {
	for _, rule := range lint.Rules {
		ids = append(ids, rule.ID)
	}
	slices.Sort(ids)
	return ids
}

// rulesDoc lists the rules for the reference.
func rulesDoc() string {
	var b strings.Builder
	for _, rule := range lint.Rules {
		fmt.Fprintf(&b, "- `%s`: %s\n", rule.ID, rule.About)
	}
	return strings.TrimSuffix(b.String(), "\n")
}
