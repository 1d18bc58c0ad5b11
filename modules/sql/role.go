package sql

import (
	"context"
	_ "embed"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed role.hcl
var roleExample string

// Role keeps one role of a server.
type Role struct {
	Role            string       `hcl:"role" doc:"Name of the role, exact to the letter."`
	Password        secret.Value `hcl:"password,optional" doc:"Its password. Without it the password is left alone."`
	Encryption      string       `hcl:"encryption,optional" default:"auto" oneof:"auto,md5,scram-sha-256" doc:"Form in which the server keeps the password. auto: the server's password_encryption, or SCRAM where a line of pg_hba.conf asks this role for it. md5 is for clients older than PostgreSQL 10, among them the user commands of PGO 4.2."`
	Login           *bool        `hcl:"login,optional" doc:"May log in. A new role may, unless this says false."`
	Superuser       *bool        `hcl:"superuser,optional" doc:"Is a superuser."`
	CreateDB        *bool        `hcl:"createdb,optional" doc:"May create databases."`
	CreateRole      *bool        `hcl:"createrole,optional" doc:"May create roles."`
	Replication     *bool        `hcl:"replication,optional" doc:"May start replication."`
	ConnectionLimit *int         `hcl:"connection_limit,optional" doc:"Sessions at once; -1 for no limit."`
	InRoles         []string     `hcl:"in_roles,optional" doc:"Roles it is a member of. Other memberships are left alone."`
	OperatorSecret  string       `hcl:"operator_secret,optional" default:"refuse" oneof:"refuse,warn,ignore" doc:"What to do where a PostgreSQL operator tells this role's password in a Secret, which would then tell another than the database has: fail the plan, say so in it, or do not look."`
	Keep            bool         `hcl:"keep,optional" doc:"Leave the role in place when the step is destroyed: for a role that others made."`
	EndSessions     bool         `hcl:"end_sessions,optional" doc:"Destroying ends the role's sessions. Without it, open sessions keep the role from being dropped."`

	Database     string       `hcl:"database,optional" default:"postgres" doc:"Database to connect to for the work."`
	User         string       `hcl:"user,optional" doc:"Role to do the work as. Over the local socket: the operating system's user postgres."`
	UserPassword secret.Value `hcl:"user_password,optional" doc:"Password of that user."`
	Host         string       `hcl:"host,optional" doc:"Server to connect to over TCP, as for sql.query. Without it, the local socket."`
	Port         int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode      string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	now   roleState
	stale string // the operator's Secret that the change would make stale
}

func (*Role) Info() module.Info {
	return module.Info{
		Name:    "sql.role",
		Summary: "Keeps a role: its attributes, memberships and password.",
		Doc: "What the runbook does not name is left as it is. Memberships are added, never taken away.\n\n" +
			"The password is proved, not set again at every run: the step takes what the server keeps of the password (its SCRAM-SHA-256 " +
			"or md5 verifier, readable for a superuser) and computes, as the server does at a login, whether the runbook's password passes. " +
			"A session that may not read verifiers logs in as the role over TCP instead, and makes sure that a wrong password is refused.\n\n" +
			"A new password travels as a verifier made here: its text stands in no statement, no list of processes, no log of the server " +
			"and no pg_stat_activity. A superuser's session keeps the verifier out of them, too. Password, attributes and memberships are changed in one " +
			"transaction: a crash at any point leaves all of the old or all of the new. " +
			"A role whose `VALID UNTIL` has passed gets `infinity` with its password.\n\n" +
			"Destroying drops the role, unless `keep` is set. It is refused while the role owns something or has sessions.\n\n" +
			"A role that a PostgreSQL operator made has its password in a Secret as well: change it by `pgo.user`, which keeps the two alike. " +
			"Where the target is a container of a pod, or a pod or service of a cluster, this step looks for such a Secret before it changes a password; " +
			"a Secret that tells the runbook's password already is no obstacle. From other targets it is not to be seen.",
		On:      sqlTargets,
		Example: roleExample,
	}
}

// Validate knows the names that PostgreSQL keeps for itself.
func (r *Role) Validate() error {
	switch {
	case r.Role == "":
		return module.At("role", fmt.Errorf("the role has no name"))
	case len(r.Role) > 63:
		return module.At("role", fmt.Errorf("%q is longer than the 63 bytes that a name can have", r.Role))
	case strings.HasPrefix(r.Role, "pg_"):
		return module.At("role", fmt.Errorf("%q: names that start with pg_ belong to the server", r.Role))
	}
	return nil
}

func (r *Role) session(env *module.Env) (*session, error) { return r.login().open(env) }

func (r *Role) login() login {
	return login{host: r.Host, port: r.Port, user: r.User, database: r.Database, sslmode: r.SSLMode,
		password: r.UserPassword, passwordArg: "user_password"}
}

func (r *Role) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	s, err := r.session(env)
	if err != nil {
		return module.NoChange, err
	}
	t, err := r.look(ctx, s, env)
	if err != nil {
		return module.NoChange, explain("role", err)
	}
	change, err := r.wanted()
	if err == nil && r.setsPassword() {
		change, err = r.askOperator(ctx, env, change)
	}
	if err != nil {
		return module.NoChange, err
	}
	return writable(ctx, env, r.login(), t, change)
}

func (r *Role) wanted() (module.Change, error) {
	var err error
	if r.now.form, r.now.because, err = r.form(); err != nil {
		return module.NoChange, module.Refuse(err)
	}
	if !r.now.found {
		return module.Change{Action: module.Create, Summary: "create role " + r.Role}, nil
	}
	var diff []module.Diff
	for _, a := range r.attributes() {
		if a.want != nil && *a.want != r.now.flags[a.arg] {
			diff = append(diff, module.Diff{Path: a.arg, Before: fmt.Sprint(r.now.flags[a.arg]), After: fmt.Sprint(*a.want)})
		}
	}
	if r.ConnectionLimit != nil && *r.ConnectionLimit != r.now.limit {
		diff = append(diff, module.Diff{Path: "connection_limit", Before: strconv.Itoa(r.now.limit), After: strconv.Itoa(*r.ConnectionLimit)})
	}
	if missing := r.missingGroups(); len(missing) > 0 {
		diff = append(diff, module.Diff{Path: "in_roles", Before: strings.Join(r.now.groups, ", "),
			After: strings.Join(slices.Concat(r.now.groups, missing), ", ")})
	}
	if !r.Password.IsZero() && !r.now.proved {
		diff = append(diff, module.Diff{Path: "password", Before: "(another)", After: secret.Hidden})
	}
	if r.reforms() {
		diff = append(diff, module.Diff{Path: "encryption", Before: r.now.stored, After: r.now.form + ": " + r.now.because})
	}
	if !r.Password.IsZero() && r.now.expired {
		diff = append(diff, module.Diff{Path: "valid until", Before: "(passed)", After: "infinity"})
	}
	if len(diff) == 0 {
		return module.NoChange, nil
	}
	paths := make([]string, len(diff))
	for i, d := range diff {
		paths[i] = d.Path
	}
	return module.Change{Action: module.Update, Summary: fmt.Sprintf("role %s: set %s", r.Role, strings.Join(paths, ", ")), Diff: diff}, nil
}

// reforms reports that the right password is kept in a form that will not do.
// That new passwords would be kept in another is no reason: either form lets
// the role in.
func (r *Role) reforms() bool {
	return r.now.proved && r.now.stored != "" && r.now.because != "" && r.now.stored != r.now.form
}

// setsPassword reports whether Apply would write a password.
func (r *Role) setsPassword() bool {
	return !r.Password.IsZero() && (!r.now.proved || r.reforms())
}

func (r *Role) missingGroups() []string {
	return slices.DeleteFunc(slices.Clone(r.InRoles), func(g string) bool { return slices.Contains(r.now.groups, g) })
}
