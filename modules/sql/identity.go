package sql

import (
	"context"
	_ "embed"
	"strconv"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed identity.hcl
var identityExample string

// Identity tells which server answers, and makes sure that it is the right one.
type Identity struct {
	ExpectProduct string `hcl:"expect_product,optional" oneof:"AntDB,PostgreSQL" doc:"What it must be."`
	ExpectBuild   string `hcl:"expect_build,optional" doc:"AntDB's commit, or the beginning of it, that it must be built from."`
	ExpectMode    string `hcl:"expect_mode,optional" oneof:"standalone,cluster" doc:"How it must be built."`
	ExpectRole    string `hcl:"expect_role,optional" oneof:"primary,replica" doc:"What it must be in its replication."`
	ExpectCluster string `hcl:"expect_cluster,optional" doc:"The operator's database cluster that its pod must belong to."`
	ExpectImageID string `hcl:"expect_image_id,optional" doc:"The image that its container must run: a digest, or an output image_id."`
	ExpectSystem  string `hcl:"expect_system_identifier,optional" doc:"The database system it must be; replicas share their primary's."`

	Database string       `hcl:"database,optional" default:"postgres" doc:"Database to log in to."`
	User     string       `hcl:"user,optional" doc:"Role to log in as. Over the local socket: the operating system's user postgres."`
	Password secret.Value `hcl:"password,optional" doc:"Password of the user."`
	Host     string       `hcl:"host,optional" doc:"Server to connect to over TCP, as for sql.query. Without it, the local socket."`
	Port     int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode  string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	Product       string   `out:"product" doc:"AntDB or PostgreSQL."`
	Certain       bool     `out:"certain" doc:"version() and the server's settings agree on that."`
	Signs         []string `out:"signs" doc:"What speaks for AntDB: version(), grammar, nls_date_format, schema oracle, adb_version."`
	Version       string   `out:"version" doc:"All of version()."`
	ServerVersion string   `out:"server_version" doc:"Version of PostgreSQL it is, or is based on: 11.10."`
	VersionNum    int      `out:"server_version_num" doc:"The same as a number: 110010."`
	AntDBVersion  string   `out:"antdb_version" doc:"Version of AntDB: 5.0.1. Empty for PostgreSQL."`
	Build         string   `out:"build" doc:"Commit that AntDB was built from."`
	Mode          string   `out:"mode" doc:"standalone, or cluster: AntDB built for several nodes. PostgreSQL is standalone."`
	Node          string   `out:"node" doc:"Name and type of this node of an AntDB cluster."`
	Grammar       string   `out:"grammar" doc:"The grammar that sessions begin with: postgres, oracle or db2. Empty where the server has no other."`
	System        string   `out:"system_identifier" doc:"Number of the database system, as a text."`
	DataDirectory string   `out:"data_directory" doc:"Its data directory; empty where the user may not know."`
	Role          string   `out:"role" doc:"primary or replica."`
	Timeline      int      `out:"timeline" doc:"Timeline that it writes or follows."`
	Primary       string   `out:"primary" doc:"Whom a replica follows; empty where the user may not know."`
	Started       string   `out:"started" doc:"When it was started."`
	Cluster       string   `out:"cluster" doc:"The operator's database cluster that the pod belongs to."`
	Pod           string   `out:"pod" doc:"The pod, where the target is a container of one."`
	KubeNode      string   `out:"kubernetes_node" doc:"The node that the pod is on."`
	Image         string   `out:"image" doc:"The image that the container was to run."`
	ImageID       string   `out:"image_id" doc:"The image that it does run."`
}

// Info describes sql.identity.
func (*Identity) Info() module.Info {
	return module.Info{
		Name:    "sql.identity",
		Summary: "Tells which server answers: AntDB or PostgreSQL, which build, which data, which pod.",
		Doc: "A look at a database proves nothing when it was another one that answered. This asks the server who it is and joins that with what the " +
			"cluster says of the pod: image, node, data directory, the operator's name. Where the two contradict each other, or one of the arguments, the " +
			"step fails and names both sides.\n\n" +
			"The server is AntDB when `version()` says so and it also knows AntDB's settings (`grammar` or `nls_date_format`): the version alone may be a proxy's " +
			"tale. A build without foreign grammars has only its version; then `certain` is false, and an `expect_product` fails.\n\n" +
			"One question to the server, and one to the API server where the target is a container of a pod. A step with a `password` logs in anew.",
		On:       sqlTargets,
		Example:  identityExample,
		ReadOnly: true,
	}
}

func (i *Identity) login() login {
	return login{host: i.Host, port: i.Port, user: i.User, database: i.Database, sslmode: i.SSLMode, password: i.Password,
		passwordArg: "password", anew: !i.Password.IsZero()}
}

// Check asks the server and the cluster, and compares.
func (i *Identity) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	s, err := i.login().open(env)
	if err != nil {
		return module.NoChange, err
	}
	t, err := s.query(ctx, whoAreYou)
	if err != nil {
		return module.NoChange, err
	}
	if err := i.recognise(t); err != nil {
		return module.NoChange, err
	}
	where, err := siteOf(ctx, env, i.Host)
	if err != nil && hidden(err) == "" {
		return module.NoChange, err
	}
	if err := i.join(where, env.Target.Container); err != nil {
		return module.NoChange, err
	}
	return module.NoChange, i.compare(where)
}

// Apply is never called: Identity is read-only.
func (*Identity) Apply(context.Context, *module.Env) error { return nil }

// whoAreYou asks for nothing that PostgreSQL or AntDB would refuse: settings
// that one of them does not know, or that this user may not read, are null. It
// casts nothing with ::, which other grammars read otherwise. The grammar is what
// sessions begin with: ours may have been set to another.
const whoAreYou = `select version() as version, current_setting('server_version') as server_version, current_setting('server_version_num') as num,
  (select reset_val from pg_catalog.pg_settings where name = 'grammar') as grammar, current_setting('nls_date_format', true) as nls,
  current_setting('adb_version', true) as adb_version, current_setting('adb_node_type', true) as adb_node_type, current_setting('pgxc_node_name', true) as node,
  exists (select 1 from pg_catalog.pg_namespace where nspname = 'oracle') as oracle,
  (select system_identifier from pg_control_system()) as system,
  (select setting from pg_catalog.pg_settings where name = 'data_directory') as data,
  case when pg_is_in_recovery() then 'replica' else 'primary' end as role,
  case when pg_is_in_recovery()
    then (select coalesce((select received_tli from pg_catalog.pg_stat_wal_receiver limit 1), nullif(r.min_recovery_end_timeline, 0), c.timeline_id)
          from pg_control_recovery() r, pg_control_checkpoint() c) end as follows,
  case when not pg_is_in_recovery() then substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as writes,
  to_char(pg_postmaster_start_time() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as started, ` + replicaColumns

// recognise fills the outputs from the server's answer.
func (i *Identity) recognise(t *table) error {
	i.Version, i.ServerVersion = t.get("version"), t.get("server_version")
	i.Grammar, i.Node = t.get("grammar"), t.get("node")
	i.System, i.DataDirectory, i.Role, i.Started = t.get("system"), t.get("data"), t.get("role"), t.get("started")
	i.Primary = t.get("its primary")
	var err error
	if i.VersionNum, err = strconv.Atoi(t.get("num")); err != nil {
		return err
	}
	if t.get("role") == "replica" {
		i.Timeline, err = strconv.Atoi(t.get("follows"))
	} else {
		var n uint64
		n, err = strconv.ParseUint(t.get("writes"), 16, 32)
		i.Timeline = int(n)
	}
	if err != nil {
		return err
	}
	if kind := t.get("adb_node_type"); kind != "" && i.Node != "" {
		i.Node += " (" + kind + ")"
	}
	return i.judge(t)
}
