package sql

import (
	"context"
	_ "embed"
	"errors"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed collect.hcl
var collectExample string

// Collect gathers what database servers show of themselves.
type Collect struct {
	Namespaces []string      `hcl:"namespaces,optional" doc:"Namespaces whose database clusters are asked, on a Kubernetes target. By default the target's, or, where the target names none, all."`
	Port       int           `hcl:"port,optional" doc:"Port of the server's local socket; by default what the container's environment says."`
	Patience   time.Duration `hcl:"patience,optional" default:"8s" doc:"How long a server may take to answer."`
	LogBytes   int           `hcl:"log_bytes,optional" default:"4194304" doc:"How much of the server's own log file, from its end."`

	Facts cty.Value `out:"facts" doc:"What was seen: an object with a list for each kind of fact (pg_server, pg_archiver, pg_replication, pg_slot, pg_role, pg_data, …). Each fact has name, place (namespace, cluster, pod, container) and what its kind has."`
	Gaps  []string  `out:"gaps" doc:"What could not be looked at, a sentence each."`
}

// Info describes sql.collect.
func (*Collect) Info() module.Info {
	return module.Info{
		Name:    "sql.collect",
		Summary: "Gathers settings, replication, archiving, roles, data directories and logs of database servers for a diagnosis.",
		Doc: `On a Kubernetes target it finds the operator's database pods (PGO 4, 5 and 6) and looks into each, all at once; on a container, into
that one. Two commands run there: a shell script about the data directory and its volume, which answers also where the server does not, and one ` + "`psql`" + `
over the local socket, whose transactions cannot write. What does not answer is noted in ` + "`gaps`" + `; a server that cannot be asked says why in ` + "`error`" + `.

Whether the operator's Secrets tell the right passwords is found out without logging in: what the server keeps of a password (MD5 or SCRAM) is
held against the Secret's by antdbctl itself. Neither leaves it.

In a diagnosis it also reads the end of the server's log file, where it writes one. As a step it gives facts alone.`,
		On:       []string{conn.Kubernetes, conn.Container},
		Example:  collectExample,
		ReadOnly: true,
	}
}

// Validate checks the bounds.
func (c *Collect) Validate() error {
	switch {
	case c.Port < 0 || c.Port > 65535:
		return module.At("port", errors.New("there is no such port"))
	case c.LogBytes < 0:
		return module.At("log_bytes", errors.New("the number of bytes is negative"))
	}
	return nil
}

// Check gives the facts as outputs.
func (c *Collect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	c.Facts, c.Gaps, err = evidence.Look(time.Now(), func(rec evidence.Recorder) error { return c.Collect(ctx, env, rec) })
	return module.NoChange, err
}

// Apply is never called: Check does all the work.
func (*Collect) Apply(context.Context, *module.Env) error { return nil }

// Collect looks into every server at once: one on a node that is lost takes all
// of its patience.
func (c *Collect) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	servers, err := c.servers(ctx, env, rec)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, s := range servers {
		all.Go(func() { c.look(ctx, s, rec) })
	}
	all.Wait()
	return nil
}

// look looks into one server, which is asked while its folder is looked at.
func (c *Collect) look(ctx context.Context, s *instance, rec evidence.Recorder) {
	settings := make(chan map[string]string, 1)
	go func() { settings <- s.ask(ctx, c.Patience, rec) }()
	data := c.data(ctx, s, rec)
	c.serverLog(ctx, s, rec, data, (<-settings)["log_directory"])
}
