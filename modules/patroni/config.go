package patroni

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed config.hcl
var configExample string

// Config keeps parameters of the database in Patroni's dynamic configuration.
type Config struct {
	Cluster    string               `hcl:"cluster,optional" doc:"Name of the cluster in Kubernetes. A step on a container of its pods knows it."`
	Namespace  string               `hcl:"namespace,optional" doc:"Namespace of the cluster; the target's by default."`
	Selector   string               `hcl:"selector,optional" doc:"Labels of the members' pods, where another operator than PGO keeps them."`
	Members    []string             `hcl:"members,optional" doc:"Outside Kubernetes: addresses HOST:PORT of the REST API of members, as seen from where the step works."`
	API        *API                 `hcl:"api,block" doc:"How to speak to the REST API where it is not plain HTTP."`
	Parameters map[string]cty.Value `hcl:"parameters,optional" doc:"Parameters of the database, as in postgresql.conf: {shared_buffers = \"256MB\"}. null takes one out of the configuration. Others stay as they are."`
	Settings   map[string]cty.Value `hcl:"settings,optional" doc:"Patroni's own settings: {ttl = 30, synchronous_mode = true, postgresql = {use_slots = true}}. null takes one out."`
	Restart    string               `hcl:"restart,optional" default:"rolling" oneof:"rolling,never" doc:"What to do about parameters that take a restart: restart the members that wait for one, replicas first and after a switchover where there is a replica; or leave them waiting."`
	User       string               `hcl:"user,optional" default:"postgres" doc:"Role that reads the running values."`
	Password   secret.Value         `hcl:"password,optional" doc:"Its password. In Kubernetes none is needed: the values are read inside the pods, over the local socket."`
	Database   string               `hcl:"database,optional" default:"postgres" doc:"Database to log in to."`
	SSLMode    string               `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of that connection."`
	Wait       time.Duration        `hcl:"wait,optional" default:"5m" doc:"How long one member may take to restart, or to hand over."`

	Leader  string            `out:"leader" doc:"Member that leads."`
	Running map[string]string `out:"running" doc:"The declared parameters as they run on every member, as people write them."`
	Pending []string          `out:"pending" doc:"Members that still wait for a restart; empty unless restart is never."`

	reach reach
	place *place
	want  declared
	seen  *picture // at the last Check
}

// Info describes patroni.config.
func (*Config) Info() module.Info {
	return module.Info{
		Name:    "patroni.config",
		Summary: "Keeps parameters of a database that Patroni runs, and proves that every member runs with them.",
		Doc: `Compares what is declared with Patroni's dynamic configuration and with the values that run on every member. Values are compared by
meaning, as the server reads them: 128MB is 16384 blocks of 8 kB, true is on. A value that the server would refuse is an error in the plan.

What differs is written by one PATCH of the configuration (read anew when somebody else wrote at the same time). Then the members get time to
reload, and those that wait for a restart are restarted, one at a time, each waited for: the replicas first, then the leader hands over to
a replica and is restarted as one. Without a replica the leader is restarted where it is. Where one of max_connections,
max_worker_processes, max_wal_senders, max_prepared_transactions and max_locks_per_transaction gets smaller, a replica cannot start
with less than its primary, so the leader is restarted first, in place. After a switchover the leader is another than before.

The plan names the members that will be restarted and the switchover. A step is done only when every member runs with the declared values;
a value that something else overrides (ALTER SYSTEM, the member's own patroni.yml) is an error that names the place.

Clusters of PGO 5 and later are refused: that operator writes the whole dynamic configuration from its PostgresCluster, where these values belong.`,
		On:      places,
		Example: configExample,
		Outward: true,
	}
}

func (c *Config) where() where {
	return where{cluster: c.Cluster, namespace: c.Namespace, selector: c.Selector, members: c.Members, api: c.API, reach: c.reach}
}

func (c *Config) login() login {
	return login{user: c.User, database: c.Database, sslmode: c.SSLMode, password: c.Password}
}

// Validate checks what can be checked offline.
func (c *Config) Validate() error {
	d, err := declare(c.Parameters, c.Settings)
	if err != nil {
		return err
	}
	if err := d.validate(); err != nil {
		return err
	}
	return c.where().validate()
}

// Check compares.
func (c *Config) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	if c.want, err = declare(c.Parameters, c.Settings); err != nil {
		return module.NoChange, err
	}
	if c.place, err = c.where().open(ctx, env); err != nil {
		return module.NoChange, err
	}
	for _, m := range c.place.members {
		if m.pod != nil && managed5(m.pod) {
			return module.NoChange, module.At("cluster", module.Explain(
				fmt.Errorf("cluster %s is kept by PGO 5 or later, which overwrites Patroni's configuration with its own", c.place.name),
				"declare the parameters where the cluster is made: parameters of pgo.cluster, or spec.patroni.dynamicConfiguration"))
		}
	}
	v, err := c.place.look(ctx)
	if err != nil {
		return module.NoChange, err
	}
	if c.seen, err = c.look(ctx, v); err != nil {
		return module.NoChange, err
	}
	if err := c.want.judge(c.seen.known); err != nil {
		return module.NoChange, err
	}
	if err := timing(merge(c.seen.config, c.seen.lacks.patch)); err != nil {
		return module.NoChange, err
	}
	change := c.change(env)
	if !change.Wanted() {
		c.export()
	}
	return change, nil
}

// change says what Apply will do.
func (c *Config) change(env *module.Env) module.Change {
	pic, change := c.seen, module.Change{Action: module.Update}
	var acts []string
	if n := len(pic.lacks.diff); n > 0 {
		change.Diff = pic.lacks.diff
		acts = append(acts, fmt.Sprintf("set %s of %s", counted(n, "value"), c.place.name))
	} else {
		for _, d := range c.standing() {
			change.Diff = append(change.Diff, module.Diff{Path: d.member + ": " + d.setting.Name, Before: d.setting.Show(d.setting.Value), After: d.want})
		}
	}
	steps := rolling(pic.view, c.waiting(), c.shrinks())
	switch {
	case c.Restart == "never" && len(steps) > 0:
		env.Logf("waits for a restart: %s", strings.Join(slices.Sorted(maps.Keys(c.waiting())), ", "))
	default:
		for _, s := range steps {
			acts = append(acts, s.String())
		}
	}
	if c.mayRestart() && c.Restart != "never" {
		acts = append(acts, "restart each member that then waits for it")
	}
	for _, name := range slices.Sorted(maps.Keys(pic.unproved)) {
		acts = append(acts, fmt.Sprintf("wait for %s (%s)", name, pic.unproved[name]))
	}
	if len(acts) == 0 && len(change.Diff) == 0 {
		return module.NoChange
	}
	if len(acts) == 0 {
		acts = []string{"wait until all members run with what is declared"}
	}
	change.Summary = strings.Join(acts, "; ")
	return change
}

// standing are the deviations that count: with restart = never those that only
// wait for a restart do not.
func (c *Config) standing() []deviation {
	if c.Restart != "never" {
		return c.seen.off
	}
	return slices.DeleteFunc(slices.Clone(c.seen.off), func(d deviation) bool { return d.setting.NeedsRestart() })
}

// mayRestart reports that a parameter which takes a restart is taken out of the
// configuration: what it falls back to is only known afterwards.
func (c *Config) mayRestart() bool {
	for _, d := range c.seen.lacks.diff {
		name, isParameter := strings.CutPrefix(d.Path, "parameters.")
		if s := c.seen.known[strings.ToLower(name)]; isParameter && d.After == "" && s.NeedsRestart() {
			return true
		}
	}
	return false
}

// export fills the outputs when all is as declared.
func (c *Config) export() {
	pic := c.seen
	c.Leader, c.Running = pic.lock, map[string]string{}
	for _, s := range pic.known {
		c.Running[s.Name] = s.Show(s.Value)
	}
	c.Pending = slices.Sorted(maps.Keys(c.waiting()))
	if c.Pending == nil {
		c.Pending = []string{}
	}
}

// Apply writes the configuration and brings every member to run with it.
func (c *Config) Apply(ctx context.Context, env *module.Env) error {
	if err := c.write(ctx, env); err != nil {
		return err
	}
	if err := c.adopt(ctx, env); err != nil {
		return err
	}
	if c.Restart == "never" {
		return nil
	}
	return c.roll(ctx, env)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
