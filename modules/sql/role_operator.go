package sql

import (
	"context"
	"fmt"
	"slices"

	"github.com/adbsql/antdbctl/engine/module"
)

// systemRoles are those whose passwords Patroni and the operator keep for
// themselves, whether their Secrets can be seen or not.
var systemRoles = []string{"postgres", "primaryuser", "_crunchyrepl"}

// askOperator looks whether a new password would make a Secret stale, and says
// so in the change or refuses it.
func (r *Role) askOperator(ctx context.Context, env *module.Env, change module.Change) (module.Change, error) {
	r.stale = ""
	if r.OperatorSecret == "ignore" {
		return change, nil
	}
	where, err := siteOf(ctx, env, r.Host)
	if err != nil && hidden(err) == "" {
		return module.NoChange, err
	}
	if where == nil || err == nil && where.operator == nil {
		return change, nil
	}
	found, err := where.keeps(ctx, r.Role, r.Password)
	switch why := hidden(err); {
	case why != "" && slices.Contains(systemRoles, r.Role):
		return module.NoChange, r.refuse(fmt.Errorf("%s is a role of the operator's own in cluster %s (its Secret is not to be seen: %s)", r.Role, where.name, why))
	case why != "":
		change.Diff = append(change.Diff, module.Diff{Path: "operator's Secret", After: "not looked for: " + why})
		return change, nil
	case err != nil:
		return module.NoChange, fmt.Errorf("look for the operator's Secret of %s: %w", r.Role, err)
	case found == nil || found.agrees:
		return change, nil
	case r.OperatorSecret == "refuse":
		return module.NoChange, r.refuse(fmt.Errorf("the operator of cluster %s tells the password of %s in Secret %s, which would then be stale", where.name, r.Role, found.name))
	}
	r.stale = found.name
	change.Summary += fmt.Sprintf("; Secret %s will tell another (pgo.user keeps both alike)", found.name)
	change.Diff = append(change.Diff, module.Diff{Path: "Secret " + found.name, Before: "as the database", After: "stale"})
	return change, nil
}

func (r *Role) refuse(err error) error {
	return module.Refuse(module.At("password", module.Explain(err,
		"change it by a step pgo.user, which keeps Secret and database alike; or set operator_secret = \"ignore\"")))
}
