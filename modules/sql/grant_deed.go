package sql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// deed is a grant or a revoke on things of one class.
type deed struct {
	act, class, privileges string
	names                  []string // as SQL has them
}

// absentee is an error about the first argument that names something which is
// not there.
func (g *Grant) absentee(t *table) error {
	for i := range t.rows {
		if t.at(i, "act") != "absent" {
			continue
		}
		arg := t.at(i, "class")
		kind := strings.TrimSuffix(arg, "s")
		if arg == "future" || arg == "member_of" {
			kind = "role"
		}
		return module.Refuse(module.At(arg, fmt.Errorf("there is no %s %s in database %s", kind, t.at(i, "name"), g.Database)))
	}
	return nil
}

// deeds reads the answer of compare.
func deeds(t *table) []deed {
	var all []deed
	for i := range t.rows {
		act, class, privileges := t.at(i, "act"), t.at(i, "class"), t.at(i, "privileges")
		if act == "absent" {
			continue
		}
		at := slices.IndexFunc(all, func(d deed) bool {
			return d.act == act && d.class == class && d.privileges == privileges && len(d.names) < 100
		})
		if at < 0 {
			all, at = append(all, deed{act: act, class: class, privileges: privileges}), len(all)
		}
		all[at].names = append(all[at].names, t.at(i, "name"))
	}
	return all
}

// statements are the deed in SQL.
func (d deed) statements(g *Grant) []string {
	role, to := ident(g.Role), map[string]string{"grant": "to", "revoke": "from"}[d.act]
	if g.Role == "public" {
		role = "public"
	}
	if d.act == "grant" && g.GrantOption && d.class != "member" {
		role += " with grant option"
	}
	switch class, future := strings.CutPrefix(d.class, "future "); {
	case future:
		return []string{fmt.Sprintf("alter default privileges for role %s in schema %s %s %s on %ss %s %s", strings.Join(d.names, ", "), ident(g.Schema), d.act, d.privileges, class, to, role)}
	case class == "member":
		return []string{fmt.Sprintf("%s %s %s %s", d.act, strings.Join(d.names, ", "), to, role)}
	case class == "function": // each name says function or procedure
		var each []string
		for _, name := range d.names {
			each = append(each, fmt.Sprintf("%s %s on %s %s %s", d.act, d.privileges, name, to, role))
		}
		return each
	}
	return []string{fmt.Sprintf("%s %s on %s %s %s %s", d.act, d.privileges, d.class, strings.Join(d.names, ", "), to, role)}
}

func (d deed) String() string {
	if d.class == "member" {
		return d.act + " membership in " + short(d.names)
	}
	return fmt.Sprintf("%s %s on %s", d.act, d.privileges, d.things())
}

// things names them for people.
func (d deed) things() string {
	class, future := strings.CutPrefix(d.class, "future ")
	switch {
	case future:
		return fmt.Sprintf("future %ss of %s", class, short(d.names))
	case class == "function":
		return short(d.names)
	case len(d.names) > 1:
		return class + "s " + short(d.names)
	}
	return class + " " + short(d.names)
}

func (d deed) diff() module.Diff {
	path, what := d.things(), d.privileges
	if d.class == "member" {
		path, what = "memberships", short(d.names)
	}
	if d.act == "revoke" {
		return module.Diff{Path: path, Before: what}
	}
	return module.Diff{Path: path, After: what}
}

// short lists names, the first few of many.
func short(names []string) string {
	if len(names) > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:5], ", "), len(names)-5)
	}
	return strings.Join(names, ", ")
}
