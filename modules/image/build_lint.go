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
	var faults, warnings []lint.Finding
	for _, f := range found {
		if f.Level == lint.Error {
			faults = append(faults, f)
			continue
		}
		warnings = append(warnings, f)
	}
	warn(env, warnings)
	if len(faults) == 0 {
		return nil
	}
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.String()
	}
	first := faults[0]
	err := errors.New(texts[0])
	if len(faults) > 1 {
		err = fmt.Errorf("%w (1 of %d faults)", err, len(faults))
	}
	remedy := fmt.Sprintf("%s; or, if that is meant so, lint_ignore = [%q]", first.Remedy, first.Rule)
	return module.At("dockerfile", module.Explain(err, remedy, texts[1:]...))
}

// warn tells each finding in a line, and what several have in common once.
func warn(env *module.Env, found []lint.Finding) {
	for i, f := range found {
		same := func(o lint.Finding) bool { return o.Rule == f.Rule && o.Why == f.Why && o.Remedy == f.Remedy }
		if slices.ContainsFunc(found[:i], same) {
			continue
		}
		for _, o := range found[i:] {
			if same(o) {
				env.Logf("warning: %s: %s [%s]", o.Place(), o.What, o.Rule)
			}
		}
		env.Logf("  %s", f.Why)
		env.Logf("  %s", f.Remedy)
	}
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
