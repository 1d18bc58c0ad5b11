package backup

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed run.hcl
var runExample string

// Run takes a backup, unless there is a young one.
type Run struct {
	Cluster   string        `hcl:"cluster,optional" doc:"Name of the database cluster, where the step works on a Kubernetes target."`
	Namespace string        `hcl:"namespace,optional" doc:"Its namespace; the target's when left out."`
	Stanza    string        `hcl:"stanza,optional" default:"db" doc:"pgBackRest's name for the cluster."`
	User      string        `hcl:"user,optional" doc:"Operating system's user that owns the server, on a host: postgres when left out. In a pod the container's own."`
	Type      string        `hcl:"type,optional" default:"full" oneof:"full,diff,incr" doc:"Kind of backup. Where there is no full one yet, pgBackRest makes one whatever is asked."`
	MaxAge    time.Duration `hcl:"max_age,optional" default:"24h" doc:"A backup of that kind, or a stronger one, that is younger than this will do; 0s takes one each time."`
	Via       string        `hcl:"via,optional" default:"auto" oneof:"auto,operator,exec" doc:"Who takes it: the operator, so that its records are right; or pgbackrest, called here. auto is the operator where there is one."`
	Repo      string        `hcl:"repo,optional" default:"repo1" doc:"Repository, for PGO 5 and 6, which may have several."`
	StartFast bool          `hcl:"start_fast,optional" default:"true" doc:"Begin with an immediate checkpoint. Without, the backup waits for the next regular one, up to checkpoint_timeout."`
	Options   []string      `hcl:"options,optional" doc:"More options of pgbackrest backup: [\"--process-max=4\"]."`
	Patience  time.Duration `hcl:"patience,optional" default:"1h" doc:"How long the backup may take, and one that runs already before it."`

	Label   string  `out:"label" doc:"Label of the backup."`
	Kind    string  `out:"backup_type" doc:"Kind that it became."`
	Stopped string  `out:"stopped" doc:"When it ended (RFC 3339)."`
	Seconds float64 `out:"seconds" doc:"How long it took."`
	Size    int64   `out:"size_bytes" doc:"Size of the database."`
	Delta   int64   `out:"repo_bytes" doc:"What it added to the repository."`
}

func (*Run) Info() module.Info {
	return module.Info{
		Name:    "backup.run",
		Summary: "Takes a backup by pgBackRest, unless a young enough one is there.",
		Doc: "Where an operator keeps the cluster, it is asked in its own way: PGO 4 by a Pgtask `backrest-backup-NAME`, which it turns into a Job; PGO 5 and 6 by " +
			"the annotation `pgbackrest-backup` and `spec.backups.pgbackrest.manual`. Elsewhere, or with `via = \"exec\"`, `pgbackrest backup` runs in the " +
			"repository container, or on the host. The step waits until the backup is listed by `pgbackrest info`; a failed Job or command is told with " +
			"its own words and what to do about pgBackRest's error.\n\n" +
			"A backup that runs already is waited for, and counts if it is of the right kind. A PGO 4 cluster whose first backup failed never gets " +
			"replicas; a full backup by this step is made as the first one, so that the operator takes it for that.",
		On:      places,
		Example: runExample,
	}
}

func (r *Run) which() which {
	return which{cluster: r.Cluster, namespace: r.Namespace, stanza: r.Stanza, user: r.User}
}

// Check looks for a young backup.
func (r *Run) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	p, err := r.which().find(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	s, now, err := p.info(ctx)
	if err == nil {
		err = p.judgeStanza(ctx, s)
	}
	if err != nil {
		return module.NoChange, err
	}
	b, last := s.newest(r.Type), "there is none"
	if b != nil {
		last = fmt.Sprintf("the last, %s, is %s old", b.Label, round(b.age(now)))
	}
	change := module.Change{Action: module.Update, Summary: fmt.Sprintf("take a %s backup of %s (%s)", r.Type, p.title(), last)}
	switch {
	case r.MaxAge == 0:
		change.Action = module.Run
	case b != nil && b.age(now) < r.MaxAge:
		r.export(b)
		return module.NoChange, nil
	}
	if s.Status.Lock.Backup.Held {
		change.Summary += "; one is running now, and is waited for"
	}
	return change, nil
}

func (r *Run) export(b *stanzaBackup) {
	r.Label, r.Kind, r.Stopped = b.Label, b.Type, time.Unix(b.Timestamp.Stop, 0).UTC().Format(time.RFC3339)
	r.Seconds, r.Size, r.Delta = b.took().Seconds(), b.Info.Size, b.Info.Repository.Delta
}

// Apply takes the backup.
func (r *Run) Apply(ctx context.Context, env *module.Env) error {
	p, err := r.which().find(ctx, env)
	if err != nil {
		return err
	}
	// patience is about the whole; what it ends says so itself.
	ctx, cancel := context.WithTimeoutCause(ctx, r.Patience, module.At("patience", fmt.Errorf("the backup took longer than %s", r.Patience)))
	defer cancel()
	err = r.take(ctx, env, p)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return errors.Join(context.Cause(ctx), err)
	}
	return err
}

func (r *Run) take(ctx context.Context, env *module.Env, p *place) error {
	before, waited, err := p.unlocked(ctx, env)
	if err != nil {
		return err
	}
	if b := before.newest(r.Type); waited && b != nil && r.MaxAge > 0 {
		env.Logf("%s, which was running, will do", b.Label)
		r.export(b)
		return nil
	}
	if err := r.order(ctx, env, p, before); err != nil {
		return err
	}
	after, _, err := p.info(ctx)
	if err != nil {
		return err
	}
	b := after.newest(r.Type)
	if had := before.newest(r.Type); b == nil || had != nil && b.Label == had.Label {
		return module.Explain(fmt.Errorf("the backup ended well, but %s lists no new one", "pgbackrest info"), "look whether it went to another repository or stanza")
	}
	r.export(b)
	env.Logf("%s: %s in %s, %s added to the repository", b.Label, size(b.Info.Size), b.took(), size(b.Info.Repository.Delta))
	return nil
}

// unlocked waits for a backup that is running.
func (p *place) unlocked(ctx context.Context, env *module.Env) (s *stanza, waited bool, err error) {
	for {
		s, _, err = p.info(ctx)
		if err != nil || !s.Status.Lock.Backup.Held {
			return s, waited, err
		}
		if !waited {
			env.Phase("another backup")
			env.Logf("a backup of stanza %s is running; waiting for it", p.stanza)
		}
		waited = true
		if err := pause(ctx); err != nil {
			return nil, waited, err
		}
	}
}

// order has the backup made by whom the step says.
func (r *Run) order(ctx context.Context, env *module.Env, p *place, before *stanza) error {
	env.Phase("backup")
	if r.Via == "exec" || p.kube == nil {
		if r.Via == "operator" {
			return module.At("via", errors.New("no operator keeps this server: via = \"exec\""))
		}
		return r.exec(ctx, env, p)
	}
	o, err := p.operator(ctx)
	switch {
	case err != nil:
		return err
	case o == nil && r.Via == "operator":
		return module.At("via", fmt.Errorf("no operator knows cluster %s: there is neither a Pgcluster nor a PostgresCluster of that name", p.cluster))
	case o == nil:
		return r.exec(ctx, env, p)
	case o.modern:
		return r.annotate(ctx, env, p, o)
	}
	return r.task(ctx, env, p, o, len(before.Backups) == 0)
}

// arguments of pgbackrest backup, but for what says where.
func (r *Run) arguments() []string {
	args := []string{"--type=" + r.Type}
	if r.StartFast {
		args = append(args, "--start-fast")
	}
	return append(args, r.Options...)
}
