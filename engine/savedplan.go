package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/state"
)

// savedPlanVersion is the format that this program writes and reads.
const savedPlanVersion = 1

// SavedPlan is a plan in a file: what was going to change, and a digest of what
// it was made from. It holds no secrets: sensitive variables and secrets are
// read again when it is applied.
type SavedPlan struct {
	Version   int                 `json:"version"`
	Runbook   string              `json:"runbook"` // path, as it was given
	Name      string              `json:"name"`
	Digest    string              `json:"digest"`
	Variables map[string]string   `json:"variables,omitempty"` // as for --var
	Lines     []event.StepPlanned `json:"lines"`
}

func newSavedPlan(book *lang.Runbook, lines []event.StepPlanned) *SavedPlan {
	return &SavedPlan{
		Version: savedPlanVersion, Runbook: book.Path, Name: book.Name, Digest: book.Digest,
		Variables: variableTexts(book), Lines: lines,
	}
}

// variableTexts are the values of the variables, as --var would give them. What
// is sensitive is left out, and null, which --var cannot say.
func variableTexts(book *lang.Runbook) map[string]string {
	texts := map[string]string{}
	for _, v := range book.Variables {
		switch {
		case v.Sensitive || v.Value.IsNull() || !v.Value.IsWhollyKnown():
		default:
			texts[v.Name] = variableText(v.Type, v.Value)
		}
	}
	return texts
}

// Save writes the plan to path, readable by its owner alone.
func (p *SavedPlan) Save(path string) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return fmt.Errorf("encode plan: %w", err)
	}
	return state.WriteFile(path, append(data, '\n'), 0o600)
}

// ErrNotAPlan says that a file is something else than a saved plan.
var ErrNotAPlan = errors.New("not a saved plan")

// LoadPlan reads a saved plan.
func LoadPlan(path string) (*SavedPlan, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var p SavedPlan
	err = json.Unmarshal(data, &p)
	switch {
	case p.Version > savedPlanVersion: // also where the rest of it means nothing to this program
		return nil, fmt.Errorf("%s: plan has format %d and this antdbctl knows %d", path, p.Version, savedPlanVersion)
	case err != nil || p.Version == 0 || p.Digest == "":
		return nil, fmt.Errorf("%s: %w", path, ErrNotAPlan)
	}
	return &p, nil
}

// moved compares the saved plan with one made now; it is nil when they agree,
// or when there is no saved plan.
func (p *SavedPlan) moved(book *lang.Runbook, now []event.StepPlanned) error {
	if p == nil {
		return nil
	}
	if p.Digest != book.Digest {
		return errors.New("the runbook was changed after this plan was made: plan again")
	}
	var differences []string
	before := map[string]event.StepPlanned{}
	for _, line := range p.Lines {
		before[line.Address] = line
	}
	for _, line := range now {
		was, ok := before[line.Address]
		delete(before, line.Address)
		switch {
		case !ok:
			differences = append(differences, fmt.Sprintf("%s: new, %s", line.Address, describe(line)))
		case !sameLine(was, line):
			differences = append(differences, fmt.Sprintf("%s: planned %s, now %s", line.Address, describe(was), describeAgain(was, line)))
		}
	}
	for _, line := range p.Lines {
		if _, gone := before[line.Address]; gone {
			differences = append(differences, fmt.Sprintf("%s: planned %s, now not there", line.Address, describe(line)))
		}
	}
	if differences == nil {
		return nil
	}
	return module.Explain(errors.New("the world has moved since this plan was made, so it was not applied"), "plan again", differences...)
}

func sameLine(a, b event.StepPlanned) bool {
	return a.Status == b.Status && a.Action == b.Action && a.Summary == b.Summary && a.Target == b.Target &&
		len(a.Diff) == len(b.Diff) && (len(a.Diff) == 0 || reflect.DeepEqual(a.Diff, b.Diff))
}

// describeAgain is describe for a line that must read otherwise than was.
func describeAgain(was, now event.StepPlanned) string {
	if text := describe(now); text != describe(was) {
		return text
	}
	return "the same with another difference"
}

func describe(line event.StepPlanned) string {
	if line.Summary == "" {
		return string(line.Status)
	}
	return fmt.Sprintf("%s (%s)", line.Status, line.Summary)
}

// VariableNames lists the plan's variables, sorted.
func (p *SavedPlan) VariableNames() []string { return slices.Sorted(maps.Keys(p.Variables)) }

// Show sends the plan's lines to sink, as they were planned.
func (p *SavedPlan) Show(sink event.Sink) {
	counts, targets := map[event.Status]int{}, map[string]bool{}
	steps := map[string]bool{}
	for _, line := range p.Lines {
		counts[line.Status]++
		targets[line.Target], steps[line.Step] = true, true
	}
	delete(targets, "") // where a deferred step works may not be known
	sink.Emit(event.Envelope{Event: event.RunStarted{Command: "plan", Runbook: p.Name, Path: p.Runbook, Digest: p.Digest, Steps: len(steps)}})
	for _, line := range p.Lines {
		sink.Emit(event.Envelope{Event: line})
	}
	sink.Emit(event.Envelope{Event: event.PlanFinished{Counts: counts, Targets: len(targets)}})
}
