package sql

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed extension.hcl
var extensionExample string

// Extension keeps one extension of one database.
type Extension struct {
	Name     string `hcl:"name" doc:"Name of the extension."`
	Database string `hcl:"database,optional" default:"postgres" doc:"Database to have it."`
	Schema   string `hcl:"schema,optional" doc:"Schema of its objects; it must be there. Where the extension says nothing of its own, the first of the search path."`
	Version  string `hcl:"version,optional" doc:"Version to have. Without it, the server's default when it is created, and what is there afterwards."`
	Update   bool   `hcl:"update,optional" doc:"Bring it to the server's default version, as it is after a newer package was installed."`
	Cascade  bool   `hcl:"cascade,optional" doc:"Create the extensions that it needs, too."`
	Keep     bool   `hcl:"keep,optional" doc:"Leave the extension in place when the step is destroyed."`

	User     string       `hcl:"user,optional" doc:"Role to do the work as. Over the local socket: the operating system's user postgres."`
	Password secret.Value `hcl:"password,optional" doc:"Password of that user."`
	Host     string       `hcl:"host,optional" doc:"Server to connect to over TCP, as for sql.query. Without it, the local socket."`
	Port     int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode  string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	Installed string `out:"installed" doc:"Version that is there."`

	now extensionState
}

// extensionState is the extension as the server has it.
type extensionState struct {
	found       bool
	version     string // there
	schema      string
	standard    string // version that the server would create
	relocatable bool
	known       bool     // the wanted version can be had
	path        bool     // from the version that is there
	versions    []string // that can be had
	needs       []string // extensions that are not there
	noSchema    bool
	preloaded   []string
	sees        bool // shared_preload_libraries may be read
	release     int  // server_version_num / 10000
}

// Info describes sql.extension.
func (*Extension) Info() module.Info {
	return module.Info{
		Name:    "sql.extension",
		Summary: "Keeps an extension of a database: that it is there, its version and its schema.",
		Doc: "The plan already says what would fail: that the server's image or package does not have the extension, or not that version, or no way " +
			"to it from the version that is there; that the extension works only when it is in `shared_preload_libraries`; that an extension it needs, " +
			"or its schema, is not there; that it cannot change its schema.\n\n" +
			"What `shared_preload_libraries` says is a matter of the server's configuration: under Patroni, of `patroni.config`.\n\n" +
			"Destroying drops the extension, unless `keep` is set. The server refuses while something depends on it.",
		On:      sqlTargets,
		Example: extensionExample,
		Outward: true,
	}
}

// Validate finds what excludes each other.
func (e *Extension) Validate() error {
	switch {
	case e.Name == "":
		return module.At("name", fmt.Errorf("the extension has no name"))
	case e.Version != "" && e.Update:
		return module.At("update", fmt.Errorf("version and update exclude each other"))
	}
	return nil
}

func (e *Extension) login() login {
	return login{host: e.Host, port: e.Port, user: e.User, database: e.Database, sslmode: e.SSLMode, password: e.Password, passwordArg: "password"}
}

// Check compares.
func (e *Extension) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	s, err := e.login().open(env)
	if err != nil {
		return module.NoChange, err
	}
	t, err := s.query(ctx, e.question())
	if noSuchDatabase(err) {
		return module.NoChange, module.Refuse(err)
	}
	if err != nil {
		return module.NoChange, explain("name", err)
	}
	if e.now, err = readExtension(t); err != nil {
		return module.NoChange, err
	}
	if err := e.impossible(ctx, s, env); err != nil {
		return module.NoChange, err
	}
	return writable(ctx, env, e.login(), t, e.wanted())
}

func (e *Extension) question() string {
	wanted := "coalesce(" + nullable(e.Version) + ", a.default_version)"
	if e.Version == "" && !e.Update {
		wanted = "coalesce(x.extversion, a.default_version)"
	}
	return fmt.Sprintf(`select x.oid is not null as found, coalesce(x.extversion, '') as version, n.nspname as schema, coalesce(a.default_version, '') as standard,
  coalesce(x.extrelocatable, false) as relocatable, v.version is not null as known,
  case when a.name is not null then exists (select from pg_extension_update_paths(one.name) p
    where p.source = x.extversion and p.target = %[2]s and p.path is not null) else false end as path,
  (select json_agg(o.version order by o.version) from pg_catalog.pg_available_extension_versions o where o.name = one.name)::text as versions,
  (select json_agg(r) from unnest(v.requires) r where not exists (select from pg_catalog.pg_extension i where i.extname = r))::text as needs,
  %[3]s as no_schema, (select setting from pg_catalog.pg_settings where name = 'shared_preload_libraries') as preloaded,
  current_setting('server_version_num')::int / 10000 as release, %[4]s
from (select %[1]s::name as name) as one
  left join pg_catalog.pg_extension x on x.extname = one.name left join pg_catalog.pg_namespace n on n.oid = x.extnamespace
  left join pg_catalog.pg_available_extensions a on a.name = one.name
  left join pg_catalog.pg_available_extension_versions v on v.name = one.name and v.version = %[2]s`,
		literal(e.Name), wanted, e.noSchema(), replicaColumns)
}

func (e *Extension) noSchema() string {
	if e.Schema == "" {
		return "false"
	}
	return "not exists (select from pg_catalog.pg_namespace where nspname = " + literal(e.Schema) + ")"
}

// nullable is a constant, or null for the empty text.
func nullable(text string) string {
	if text == "" {
		return "null"
	}
	return literal(text)
}

func readExtension(t *table) (extensionState, error) {
	now := extensionState{found: t.get("found") == "t", version: t.get("version"), schema: t.get("schema"), standard: t.get("standard"),
		relocatable: t.get("relocatable") == "t", known: t.get("known") == "t", path: t.get("path") == "t", noSchema: t.get("no_schema") == "t"}
	for column, into := range map[string]*[]string{"versions": &now.versions, "needs": &now.needs} {
		if text := t.get(column); text != "" {
			if err := json.Unmarshal([]byte(text), into); err != nil {
				return now, fmt.Errorf("%s: %w", column, err)
			}
		}
	}
	preloaded, sees := t.lookup("preloaded")
	now.sees = sees
	for library := range strings.SplitSeq(preloaded, ",") {
		library = strings.Trim(strings.TrimSpace(library), `"`)
		now.preloaded = append(now.preloaded, strings.TrimSuffix(library[strings.LastIndexByte(library, '/')+1:], ".so"))
	}
	_, err := fmt.Sscan(t.get("release"), &now.release)
	return now, err
}

// target is the version to have; "" for any.
func (e *Extension) target() string {
	switch {
	case e.Version != "":
		return e.Version
	case e.Update || !e.now.found:
		return e.now.standard
	}
	return ""
}

func (e *Extension) wanted() module.Change {
	if !e.now.found {
		return module.Change{Action: module.Create, Summary: fmt.Sprintf("create extension %s %s in database %s", e.Name, e.target(), e.Database)}
	}
	var diff []module.Diff
	if v := e.target(); v != "" && v != e.now.version {
		diff = append(diff, module.Diff{Path: "version", Before: e.now.version, After: v})
	}
	if e.Schema != "" && e.Schema != e.now.schema {
		diff = append(diff, module.Diff{Path: "schema", Before: e.now.schema, After: e.Schema})
	}
	if len(diff) == 0 {
		e.Installed = e.now.version
		return module.NoChange
	}
	paths := make([]string, len(diff))
	for i, d := range diff {
		paths[i] = d.Path + " " + d.After
	}
	return module.Change{Action: module.Update, Summary: fmt.Sprintf("extension %s of database %s: %s", e.Name, e.Database, strings.Join(paths, ", ")), Diff: diff}
}

// Apply makes it so in one transaction.
func (e *Extension) Apply(ctx context.Context, env *module.Env) error {
	s, err := e.login().open(env)
	if err != nil {
		return err
	}
	err = s.refusedWrite(ctx, e.login(), s.change(ctx, e.statements()...))
	switch {
	case stateOf(err) == noPrivilege:
		err = module.Explain(err, "this extension is created by a superuser (user = …); since PostgreSQL 13 a trusted one also by who may create in the database")
	case needsPreload(err):
		err = module.Explain(err, preloadRemedy(e.Name))
	}
	return explain("name", err)
}

func (e *Extension) statements() []string {
	name := ident(e.Name)
	if !e.now.found {
		text := "create extension " + name
		if e.Schema != "" {
			text += " schema " + ident(e.Schema)
		}
		if e.Version != "" {
			text += " version " + literal(e.Version)
		}
		if e.Cascade {
			text += " cascade"
		}
		return []string{text}
	}
	var statements []string
	if v := e.target(); v != "" && v != e.now.version {
		statements = append(statements, fmt.Sprintf("alter extension %s update to %s", name, literal(v)))
	}
	if e.Schema != "" && e.Schema != e.now.schema {
		statements = append(statements, fmt.Sprintf("alter extension %s set schema %s", name, ident(e.Schema)))
	}
	return statements
}

// Destroy drops the extension.
func (e *Extension) Destroy(ctx context.Context, env *module.Env) error {
	if e.Keep {
		env.Logf("extension %s stays (keep)", e.Name)
		return nil
	}
	s, err := e.login().open(env)
	if err != nil {
		return err
	}
	err = s.refusedWrite(ctx, e.login(), s.change(ctx, "drop extension if exists "+ident(e.Name)))
	switch {
	case noSuchDatabase(err):
		return nil // it went with its database
	case stateOf(err) == dependents:
		return module.At("name", module.Explain(fmt.Errorf("drop extension %s: %w", e.Name, err), "drop what depends on it first, or set keep = true"))
	}
	return explain("name", err)
}

// preloadOnly are extensions whose libraries work only when the server loads
// them at its start. pg_stat_statements can be created without, and then fails
// at each use.
var preloadOnly = []string{"citus", "pg_cron", "pg_failover_slots", "pg_qualstats", "pg_stat_kcache", "pg_stat_monitor", "pg_stat_statements",
	"pg_wait_sampling", "pgaudit", "pglogical", "pgnodemx", "pgsentinel", "set_user", "timescaledb"}

func (e *Extension) lacksPreload() bool {
	return e.now.sees && slices.Contains(preloadOnly, e.Name) && !slices.Contains(e.now.preloaded, e.Name)
}
