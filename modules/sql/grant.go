package sql

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed grant.hcl
var grantExample string

// Grant keeps what one role may do in one database.
type Grant struct {
	Role        string   `hcl:"role" doc:"Role that gets the privileges; public for everybody."`
	Database    string   `hcl:"database,optional" default:"postgres" doc:"Database whose privileges are meant."`
	OnDatabase  []string `hcl:"on_database,optional" doc:"Privileges on the database itself: connect, create, temporary."`
	Schema      string   `hcl:"schema,optional" default:"public" doc:"Schema that the lists below speak of."`
	OnSchema    []string `hcl:"on_schema,optional" doc:"Privileges on the schema itself: usage, create."`
	OnTables    []string `hcl:"on_tables,optional" doc:"Privileges on the schema's tables and views: select, insert, update, delete, truncate, references, trigger."`
	Tables      []string `hcl:"tables,optional" doc:"Only these tables and views. All that are there, when left out."`
	OnSequences []string `hcl:"on_sequences,optional" doc:"Privileges on the schema's sequences: usage, select, update."`
	Sequences   []string `hcl:"sequences,optional" doc:"Only these sequences."`
	OnFunctions []string `hcl:"on_functions,optional" doc:"Privileges on the schema's functions and procedures: execute."`
	Functions   []string `hcl:"functions,optional" doc:"Only these, by name or as \"name(integer, text)\"."`
	Future      []string `hcl:"future,optional" doc:"Roles: the tables, sequences and functions that they make in the schema from now on get the same privileges."`
	MemberOf    []string `hcl:"member_of,optional" doc:"Roles it is a member of."`
	GrantOption bool     `hcl:"grant_option,optional" doc:"The role may pass the privileges on."`
	Exact       bool     `hcl:"exact,optional" doc:"Revoke what is not listed, for each of the lists that the step has; an empty list takes all away. What the role owns stays its own."`
	Keep        bool     `hcl:"keep,optional" doc:"Leave the privileges in place when the step is destroyed."`

	User     string       `hcl:"user,optional" doc:"Role to do the work as. Over the local socket: the operating system's user postgres."`
	Password secret.Value `hcl:"password,optional" doc:"Password of that user."`
	Host     string       `hcl:"host,optional" doc:"Server to connect to over TCP, as for sql.query. Without it, the local socket."`
	Port     int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode  string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	todo []deed
}

// Info describes sql.grant.
func (*Grant) Info() module.Info {
	return module.Info{
		Name:    "sql.grant",
		Summary: "Keeps a role's privileges and memberships.",
		Doc: "Each list says what the role is to be granted, by name; `all` stands for every privilege of that kind of object. " +
			"What counts is what was granted to this very role, as the server's access lists tell: that it could do the same as a member of " +
			"another role, or because everybody may, is not enough.\n\n" +
			"The lists on tables, sequences and functions reach what is in the schema when the step runs, and with `future` also what the roles named there make later. " +
			"All is done in one transaction.\n\n" +
			"With `exact` the lists are the whole truth: `role = \"public\"`, `on_schema = [\"usage\"]`, `exact = true` takes from everybody the right to create in the schema.\n\n" +
			"Destroying revokes what the lists say, unless `keep` is set.",
		On:      sqlTargets,
		Example: grantExample,
		Outward: true,
	}
}

// extent is a kind of thing to have privileges on.
type extent struct {
	name string   // in our answers and plans
	all  []string // privileges there are
	arg  string
	want []string
	only []string // names; empty for all
}

func (g *Grant) extents() []extent {
	return []extent{
		{name: "database", all: []string{"CONNECT", "CREATE", "TEMPORARY"}, arg: "on_database", want: g.OnDatabase},
		{name: "schema", all: []string{"CREATE", "USAGE"}, arg: "on_schema", want: g.OnSchema},
		{name: "table", all: []string{"DELETE", "INSERT", "REFERENCES", "SELECT", "TRIGGER", "TRUNCATE", "UPDATE"}, arg: "on_tables", want: g.OnTables, only: g.Tables},
		{name: "sequence", all: []string{"SELECT", "UPDATE", "USAGE"}, arg: "on_sequences", want: g.OnSequences, only: g.Sequences},
		{name: "function", all: []string{"EXECUTE"}, arg: "on_functions", want: g.OnFunctions, only: g.Functions},
	}
}

// privileges are those wanted, as the server writes them.
func (c extent) privileges() ([]string, error) {
	var list []string
	for _, p := range c.want {
		switch p = strings.ToUpper(strings.TrimSpace(p)); {
		case p == "ALL":
			list = append(list, c.all...)
		case p == "TEMP" && c.name == "database":
			list = append(list, "TEMPORARY")
		case slices.Contains(c.all, p), p == "MAINTAIN" && c.name == "table":
			list = append(list, p)
		default:
			return nil, module.At(c.arg, fmt.Errorf("%q is no privilege on a %s: there are %s", strings.ToLower(p), c.name, strings.ToLower(strings.Join(c.all, ", "))))
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Validate finds lists that say nothing, and privileges that there are not.
func (g *Grant) Validate() error {
	if g.Role == "" {
		return module.At("role", fmt.Errorf("the role has no name"))
	}
	said := g.MemberOf != nil
	for _, c := range g.extents() {
		if _, err := c.privileges(); err != nil {
			return err
		}
		if c.only != nil && c.want == nil {
			return module.At(c.name+"s", fmt.Errorf("these %ss are named, but no privileges on them: write %s", c.name, c.arg))
		}
		said = said || c.want != nil
	}
	switch {
	case !said:
		return fmt.Errorf("the step grants nothing: write on_database, on_schema, on_tables, on_sequences, on_functions or member_of")
	case len(g.Future) > 0 && g.OnTables == nil && g.OnSequences == nil && g.OnFunctions == nil:
		return module.At("future", fmt.Errorf("future is about tables, sequences and functions: write on_tables, on_sequences or on_functions"))
	case g.Role == "public" && len(g.MemberOf) > 0:
		return module.At("member_of", fmt.Errorf("everybody (public) is a member of nothing"))
	case g.Role == "public" && g.GrantOption:
		return module.At("grant_option", fmt.Errorf("everybody (public) cannot pass privileges on"))
	}
	return nil
}

func (g *Grant) login() login {
	return login{host: g.Host, port: g.Port, user: g.User, database: g.Database, sslmode: g.SSLMode, password: g.Password, passwordArg: "password"}
}

// Check asks the server for what is missing, and what is too much.
func (g *Grant) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	t, err := g.compare(ctx, env, false)
	if err != nil {
		return module.NoChange, err
	}
	if err := g.absentee(t); err != nil {
		return module.NoChange, err
	}
	if g.todo = deeds(t); len(g.todo) == 0 {
		return module.NoChange, nil
	}
	change := module.Change{Action: module.Update}
	var what []string
	for _, d := range g.todo {
		change.Diff = append(change.Diff, d.diff())
		what = append(what, d.String())
	}
	change.Summary = fmt.Sprintf("role %s: %s", g.Role, strings.Join(slices.Compact(what), ", "))
	return writable(ctx, env, g.login(), t, change)
}

// Apply does in one transaction what the last Check found.
func (g *Grant) Apply(ctx context.Context, env *module.Env) error { return g.do(ctx, env, g.todo) }

func (g *Grant) do(ctx context.Context, env *module.Env, todo []deed) error {
	if len(todo) == 0 {
		return nil
	}
	s, err := g.login().open(env)
	if err != nil {
		return err
	}
	var statements []string
	for _, d := range todo {
		statements = append(statements, d.statements(g)...)
	}
	err = s.refusedWrite(ctx, g.login(), s.change(ctx, statements...))
	if state := stateOf(err); state == noPrivilege || state == notGranted {
		err = module.Explain(err, "do the work as the owner, or as a superuser (user = …)")
	}
	return explain("role", err)
}

// Destroy revokes what the lists say.
func (g *Grant) Destroy(ctx context.Context, env *module.Env) error {
	if g.Keep {
		env.Logf("privileges of %s stay (keep)", g.Role)
		return nil
	}
	t, err := g.compare(ctx, env, true)
	if noSuchDatabase(err) {
		return nil // they went with it
	}
	if err != nil {
		return err
	}
	return g.do(ctx, env, deeds(t))
}
