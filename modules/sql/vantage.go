package sql

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed vantage.hcl
var vantageExample string

// Vantage tries one login from every place that clients come from.
type Vantage struct {
	User     string        `hcl:"user" doc:"Role to log in as."`
	Password secret.Value  `hcl:"password,optional" doc:"Password of the user."`
	Database string        `hcl:"database,optional" default:"postgres" doc:"Database to log in to."`
	SQL      string        `hcl:"sql,optional" doc:"One statement that reads; its first value is shown for each vantage point."`
	Port     int           `hcl:"port,optional" default:"5432" doc:"Port of the server, in the pod and of the service."`
	SSLMode  string        `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connections."`
	Service  string        `hcl:"service,optional" doc:"Name of the service that clients use; found by the pod's labels and endpoints when left out."`
	Nodes    cty.Value     `hcl:"nodes,optional" doc:"Machines to try from by SSH: a whole ssh target, or a list or map of its hosts. They need no psql."`
	Require  []string      `hcl:"require,optional" doc:"Vantage points that must work: inside, socket, loopback, pod_ip, service, dns, node_port, nodes, here, forward. [\"inside\", \"service\"] when left out."`
	Patience time.Duration `hcl:"patience,optional" default:"5s" doc:"How long each way in may take to answer."`

	Vantages []Way    `out:"vantages" doc:"Each vantage point: vantage, from, address, required, ok, ms, user, database, answer (of sql), server (pod that answered), standby, system_identifier, client (address that the server saw), reason and remedy (why it does not work)."`
	Working  []string `out:"working" doc:"Names of the vantage points that work."`
	Failing  []string `out:"failing" doc:"Names of those that do not."`
	System   string   `out:"system_identifier" doc:"The server's system identifier, the same by every way in."`
	Text     string   `out:"text" doc:"The vantage points as a table, for people."`
}

// Way is one way in, as a runbook sees it.
type Way struct {
	Vantage  string `cty:"vantage"`
	From     string `cty:"from"` // inside, here, or the SSH host's name
	Address  string `cty:"address"`
	Required bool   `cty:"required"`
	OK       bool   `cty:"ok"`
	MS       int    `cty:"ms"`
	User     string `cty:"user"`
	Database string `cty:"database"`
	Answer   string `cty:"answer"`
	Server   string `cty:"server"`
	Standby  bool   `cty:"standby"`
	System   string `cty:"system_identifier"`
	Client   string `cty:"client"`
	Reason   string `cty:"reason"`
	Remedy   string `cty:"remedy"`
}

func (*Vantage) Info() module.Info {
	return module.Info{
		Name:    "sql.vantage",
		Summary: "Logs in from every place that clients come from, and says why where it fails.",
		Doc: "The same login is made by many ways, and a table tells which of them work:\n\n" +
			"| vantage | way |\n| --- | --- |\n" +
			"| `socket`, `loopback` | `psql` in the database container, over the local socket and to 127.0.0.1 |\n" +
			"| `pod_ip`, `service` | `psql` in the database container, to the pod's own address and to the service's |\n" +
			"| `dns` | the same, to the service by its name |\n" +
			"| `pod_ip from NODE`, `service from NODE` | through each of `nodes`, by SSH |\n" +
			"| `node_port NODE` | from here to the service's node port, on each node of the cluster |\n" +
			"| `pod_ip from here`, `service from here` | from here, with nothing in between |\n" +
			"| `forward` | from here by a port-forward through the API server |\n\n" +
			"`require` says which of them must work. `inside` is met by the socket or 127.0.0.1; `pod_ip` and `service` mean from inside and from " +
			"every one of `nodes`; `nodes` means all that starts there; `here` is met by either address; the others name their vantage points.\n\n" +
			"For what does not work the reason is looked up: the line of pg_hba.conf that decided, network policies that select the pod, a service " +
			"with no ready pod behind it, a name that does not resolve. Two ways that lead to different databases, told apart by their system " +
			"identifier, or to two primaries, are an error, required or not.\n\n" +
			"The password travels as in sql.query: never as an argument of a command.",
		On:       []string{conn.Container},
		Example:  vantageExample,
		ReadOnly: true,
	}
}

// demands are the words that require takes.
var demands = []string{"inside", "socket", "loopback", "pod_ip", "service", "dns", "node_port", "nodes", "here", "forward"}

// Validate checks what the tags cannot say.
func (v *Vantage) Validate() error {
	for _, word := range v.Require {
		if !slices.Contains(demands, word) {
			return module.At("require", fmt.Errorf("there is no vantage point %q; there are %s", word, strings.Join(demands, ", ")))
		}
	}
	if slices.Contains(v.Require, "nodes") && v.Nodes == cty.NilVal {
		return module.At("require", errors.New("from which nodes? nodes = target.NAME"))
	}
	if v.SQL == "" {
		return nil
	}
	_, err := single(v.SQL)
	return module.At("sql", err)
}

// Check tries all ways and judges.
func (v *Vantage) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	hosts, err := hostsOf(v.Nodes)
	if err != nil {
		return module.NoChange, module.At("nodes", err)
	}
	site, err := v.survey(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	ways := v.ways(env, site, hosts)
	v.require(ways)
	v.try(ctx, site, ways)
	if err := context.Cause(ctx); err != nil {
		return module.NoChange, err
	}
	site.explain(ctx, ways)
	v.export(ways)
	if err := v.judge(ways); err != nil {
		return module.NoChange, err // with the table as its evidence
	}
	for line := range strings.SplitSeq(v.Text, "\n") {
		env.Logf("%s", line)
	}
	return module.NoChange, nil
}

// Apply is never called: Vantage is read-only.
func (*Vantage) Apply(context.Context, *module.Env) error { return nil }

func (v *Vantage) export(ways []*way) {
	v.Vantages, v.Working, v.Failing = []Way{}, []string{}, []string{}
	for _, w := range ways {
		v.Vantages = append(v.Vantages, w.Way)
		if w.OK {
			v.Working = append(v.Working, w.Vantage)
			v.System = w.System
		} else {
			v.Failing = append(v.Failing, w.Vantage)
		}
	}
	v.Text = drawWays(v.Vantages)
}

// judge fails the step for what was required, and for servers mixed up.
func (v *Vantage) judge(ways []*way) error {
	if err := mixedUp(ways); err != nil {
		return module.Explain(err, "ask each address which pod is behind it (server in the table), and take the wrong one out of the runbook or the service", v.evidence()...)
	}
	failed, wanted := unmet(v.demanded(), ways)
	if len(failed) == 0 {
		return nil
	}
	first := failed[0]
	for _, w := range failed {
		if first.Remedy == "" {
			first = w
		}
	}
	err := fmt.Errorf("%s cannot log in to %s by %s: %s", v.User, v.Database, strings.Join(wanted, ", "), first.Reason)
	return module.At(first.arg(), module.Explain(err, first.Remedy, v.evidence()...))
}

// evidence is the table, and what it has no room for.
func (v *Vantage) evidence() []string { return strings.Split(v.Text, "\n") }

func (v *Vantage) demanded() []string {
	if v.Require == nil {
		return []string{"inside", "service"}
	}
	return v.Require
}
