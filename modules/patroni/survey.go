package patroni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/guc"
)

// survey is what the members run with.
type survey struct {
	names    []string                          // declared parameters, sorted
	running  map[string]map[string]guc.Setting // by member, then by lower-case name
	unproved map[string]string                 // members that cannot be asked, and why
}

// ask reads the parameters that are declared from every member that runs.
func (d declared) ask(ctx context.Context, p *place, v *view, l login) (*survey, error) {
	s := &survey{names: slices.Sorted(maps.Keys(d.parameters)), running: map[string]map[string]guc.Setting{}, unproved: map[string]string{}}
	if len(s.names) == 0 {
		return s, nil
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	for _, m := range v.members {
		if m.said == nil || m.said.State != "running" {
			s.unproved[m.name] = firstOf(v.ill(m), "its database does not run")
			continue
		}
		wg.Go(func() {
			found, err := settingsOf(ctx, p, m, l, s.names)
			mu.Lock()
			defer mu.Unlock()
			s.running[m.name] = found
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return s, errors.Join(errs...)
}

func settingsOf(ctx context.Context, p *place, m *member, l login, names []string) (map[string]guc.Setting, error) {
	text, err := p.ask(ctx, m, l, guc.Query(names))
	if err != nil {
		return nil, err
	}
	var list []guc.Setting
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("the settings of %s: %w", m.name, err)
	}
	byName := map[string]guc.Setting{}
	for _, s := range list {
		byName[strings.ToLower(s.Name)] = s
	}
	return byName, nil
}

// known is how one server reads the parameters: the leader's, else the first's.
func (s *survey) known(leader string) map[string]guc.Setting {
	if found := s.running[leader]; found != nil {
		return found
	}
	for _, name := range slices.Sorted(maps.Keys(s.running)) {
		return s.running[name]
	}
	return nil
}

// judge finds values that the server would refuse: Patroni leaves those out
// without telling who asked.
func (d declared) judge(known map[string]guc.Setting) error {
	if known == nil {
		return nil // nobody runs who could be asked
	}
	for _, name := range slices.Sorted(maps.Keys(d.parameters)) {
		setting, ok := known[strings.ToLower(name)]
		switch {
		case ok && setting.Context == "internal":
			return module.At("parameters", fmt.Errorf("%s cannot be set: it only shows how the server was built or made", name))
		case ok && d.parameters[name] != nil:
			if _, err := setting.Canonical(text(d.parameters[name])); err != nil {
				return module.At("parameters", err)
			}
		case !ok && !strings.Contains(name, "."):
			return module.At("parameters", fmt.Errorf("the server knows no parameter %q", name))
		}
	}
	return nil
}

// deviation is one parameter of one member that runs with another value than
// declared.
type deviation struct {
	member  string
	setting guc.Setting
	want    string
}

// deviations are sorted by member, then by parameter.
func (s *survey) deviations(d declared) []deviation {
	var list []deviation
	for _, member := range slices.Sorted(maps.Keys(s.running)) {
		for _, name := range s.names {
			setting, ok := s.running[member][strings.ToLower(name)]
			if want := d.parameters[name]; ok && want != nil && !setting.Runs(text(want)) {
				list = append(list, deviation{member, setting, text(want)})
			}
		}
	}
	return list
}

// String says what runs where, and who says so.
func (d deviation) String() string {
	line := fmt.Sprintf("%s runs with %s = %s, not %s", d.member, d.setting.Name, d.setting.Show(d.setting.Value), d.want)
	if d.setting.File != "" {
		return fmt.Sprintf("%s (%s, line %d)", line, d.setting.File, d.setting.Line)
	}
	return line + " (" + d.setting.Source + ")"
}

// restarts are the members that must be restarted for what is declared.
func restarts(list []deviation) map[string]bool {
	members := map[string]bool{}
	for _, d := range list {
		if d.setting.NeedsRestart() {
			members[d.member] = true
		}
	}
	return members
}
