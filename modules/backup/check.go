package backup

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed check.hcl
var checkExample string

// Check proves that a cluster could be restored: stanza, backup, archive.
type Check struct {
	Cluster   string        `hcl:"cluster,optional" doc:"Name of the database cluster, where the step works on a Kubernetes target."`
	Namespace string        `hcl:"namespace,optional" doc:"Its namespace; the target's when left out."`
	Stanza    string        `hcl:"stanza,optional" default:"db" doc:"pgBackRest's name for the cluster."`
	User      string        `hcl:"user,optional" doc:"Operating system's user that owns the server, on a host: postgres when left out. In a pod the container's own."`
	Type      string        `hcl:"type,optional" default:"incr" oneof:"full,diff,incr" doc:"Kind of backup that must be young enough; a stronger one counts too."`
	MaxAge    time.Duration `hcl:"max_age,optional" default:"26h" doc:"How old the last backup may be. The default is a day, and time for the next one to be made."`
	FreshWAL  bool          `hcl:"fresh_wal,optional" doc:"Prove that WAL arrives: where no segment has been archived within wal_age, the server is made to end the present one, which must then arrive."`
	WALAge    time.Duration `hcl:"wal_age,optional" default:"1h" doc:"For fresh_wal: how old the last archived segment may be."`
	Patience  time.Duration `hcl:"patience,optional" default:"2m" doc:"For fresh_wal: how long the segment may take to arrive."`

	Status   string   `out:"status" doc:"What pgBackRest says of the stanza: ok."`
	Label    string   `out:"last_backup" doc:"Label of the last backup of that kind."`
	LastType string   `out:"last_type" doc:"Its kind: full, diff or incr."`
	Hours    float64  `out:"last_age_hours" doc:"Hours since it ended."`
	Gib      float64  `out:"last_size_gib" doc:"Size of the database in it, in GiB."`
	Backups  []Backup `out:"backups" doc:"All backups, oldest first: label, type, stopped (RFC 3339), seconds, size_bytes, repo_bytes, wal_start, wal_stop."`
	Segment  string   `out:"archived" doc:"The newest WAL segment in the repository."`
	Archived int      `out:"archived_count" doc:"How many files the server has archived since its statistics were reset."`
	Failures int      `out:"failed_count" doc:"How often archiving has failed since then."`
	Running  bool     `out:"backup_running" doc:"Whether a backup runs just now."`
	Text     string   `out:"text" doc:"The main things of these in a sentence, for people."`
}

// Backup is one backup, as a runbook sees it.
type Backup struct {
	Label    string `cty:"label"`
	Type     string `cty:"type"`
	Stopped  string `cty:"stopped"`
	Seconds  int    `cty:"seconds"`
	Size     int64  `cty:"size_bytes"`
	Repo     int64  `cty:"repo_bytes"`
	WALStart string `cty:"wal_start"`
	WALStop  string `cty:"wal_stop"`
}

func (*Check) Info() module.Info {
	return module.Info{
		Name:    "backup.check",
		Summary: "Proves that backups are there, are young, and that WAL is archived.",
		Doc: "Asks pgBackRest (`info`) and the server (`pg_stat_archiver`), and fails when the stanza is missing or is another database's, when no backup " +
			"is younger than `max_age`, when archiving is off, when the last thing the archiver did was to fail, or when what it archives does " +
			"not come to be in the repository. The error quotes the archiver's own log, with pgBackRest's error number and what to do about it.\n\n" +
			"Works on a Kubernetes target with the name of the `cluster`, on the database or repository container (both stand for their cluster), " +
			"and on a host where `pgbackrest` and `psql` run as the server's owner.\n\n" +
			"It changes nothing, but for `fresh_wal`: a server at rest archives nothing, so an old last segment proves nothing. With `fresh_wal` the " +
			"step wants a change where no segment was archived within `wal_age`: it writes a restore point, which is a few bytes of WAL, switches " +
			"to the next segment, and waits until the old one is in the repository.",
		On:      places,
		Example: checkExample,
	}
}

// Validate checks what the tags cannot say.
func (c *Check) Validate() error {
	switch {
	case c.MaxAge == 0:
		return module.At("max_age", errors.New("no backup is younger than that"))
	case c.FreshWAL && c.WALAge == 0:
		return module.At("wal_age", errors.New("no segment is younger than that"))
	}
	return nil
}

func (c *Check) which() which {
	return which{cluster: c.Cluster, namespace: c.Namespace, stanza: c.Stanza, user: c.User}
}

// Check asks both sides, and finds all that is wrong at once.
func (c *Check) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	p, err := c.which().find(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	a, err := p.archiver(ctx) // before the repository is asked: what it tells must be there by then
	if err != nil {
		return module.NoChange, err
	}
	s, now, err := p.info(ctx)
	if err != nil {
		return module.NoChange, err
	}
	if err := errors.Join(p.judgeStanza(ctx, s), c.judgeAge(s, now), p.judge(ctx, a, s)); err != nil {
		return module.NoChange, err
	}
	if !c.FreshWAL || a.LastAge != nil && seconds(a.LastAge) < c.WALAge && segment(a.Last) != "" {
		c.export(s, now, a)
		env.Logf("%s", c.Text)
		return module.NoChange, nil
	}
	if a.Standby {
		return module.NoChange, module.At("fresh_wal", errors.New("this server is a standby: it archives nothing"))
	}
	last := "none so far"
	if a.LastAge != nil {
		last = fmt.Sprintf("the last, %s, %s ago", a.Last, round(seconds(a.LastAge)))
	}
	return module.Change{Action: module.Update, Summary: fmt.Sprintf("%s: switch WAL and see the segment arrive in the archive (%s)", p.title(), last)}, nil
}

// judgeStanza is about the state that pgBackRest itself tells.
func (p *place) judgeStanza(ctx context.Context, s *stanza) error {
	switch s.Status.Code {
	case stanzaOK, stanzaNoBackups: // that there is no backup is said with its age
		return nil
	case stanzaNoPath, stanzaNoData:
		return module.Explain(fmt.Errorf("the stanza %s of %s is not there: %s", p.stanza, p.title(), s.Status.Message),
			"make it: the operator's Job stanza-create has failed, and is not repeated; delete that Job and its Pgtask, then restart the primary's database container, or run pgbackrest stanza-create",
			p.jobEvidence(ctx, "stanza-create")...)
	case stanzaMixed:
		return fmt.Errorf("the repositories of stanza %s differ: %s", p.stanza, s.Status.Message)
	case stanzaOtherDB:
		return module.Explain(fmt.Errorf("the stanza %s: %s", p.stanza, s.Status.Message), remedies[44])
	}
	return fmt.Errorf("the stanza %s: %s (%d)", p.stanza, s.Status.Message, s.Status.Code)
}

func (c *Check) judgeAge(s *stanza, now time.Time) error {
	if s.Status.Code == stanzaNoPath || s.Status.Code == stanzaNoData {
		return nil
	}
	kind := "backup"
	if c.Type != "incr" {
		kind = c.Type + " backup"
	}
	running := ""
	if s.Status.Lock.Backup.Held {
		running = "; one is running now"
	}
	b := s.newest(c.Type)
	if b == nil {
		return module.At("max_age", module.Explain(fmt.Errorf("there is no good %s%s", kind, running), "take one: backup.run"))
	}
	if age := b.age(now); age > c.MaxAge {
		return module.At("max_age", module.Explain(fmt.Errorf("the last %s, %s, is %s old; %s is allowed%s", kind, b.Label, round(age), round(c.MaxAge), running),
			"look why the schedule made none (the operator's scheduler, its Jobs), and take one: backup.run"))
	}
	return nil
}

func (c *Check) export(s *stanza, now time.Time, a *archiver) {
	c.Status, c.Segment, c.Running = s.Status.Message, s.archived(), s.Status.Lock.Backup.Held
	c.Archived, c.Failures, c.Backups = int(a.Archived), int(a.Failed), []Backup{}
	for _, b := range s.Backups {
		c.Backups = append(c.Backups, Backup{Label: b.Label, Type: b.Type, Stopped: time.Unix(b.Timestamp.Stop, 0).UTC().Format(time.RFC3339),
			Seconds: int(b.took().Seconds()), Size: b.Info.Size, Repo: b.Info.Repository.Delta, WALStart: b.Archive.Start, WALStop: b.Archive.Stop})
	}
	b := s.newest(c.Type)
	c.Label, c.LastType, c.Hours, c.Gib = b.Label, b.Type, b.age(now).Hours(), float64(b.Info.Size)/(1<<30)
	c.Text = fmt.Sprintf("last backup %s (%s, %s), %s old; WAL is archived up to %s", b.Label, b.Type, size(b.Info.Size), round(b.age(now)), orNone(c.Segment))
	if c.Running {
		c.Text += "; a backup is running"
	}
}

// switchWAL writes a restore point, so that there is something to archive, and
// ends the segment that holds it, whose name it prints.
const switchWAL = `select pg_walfile_name(pg_create_restore_point('antdbctl backup.check'));
select 'switched at ' || pg_switch_wal();
`

// Apply makes a segment and waits until it is in the repository.
func (c *Check) Apply(ctx context.Context, env *module.Env) error {
	p, err := c.which().find(ctx, env)
	if err != nil {
		return err
	}
	before, err := p.archiver(ctx)
	if err != nil {
		return err
	}
	dead := deaths(p.serverLog(ctx))
	out, err := p.psql(ctx, switchWAL)
	if err != nil {
		return err
	}
	wanted, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
	env.Phase("archive")
	env.Logf("waiting for %s to arrive in the archive", wanted)
	return c.await(ctx, p, before, dead, wanted)
}

// hopeless is how many new failures of the archiver end the wait: the server
// tries three times in a row, and then rests for a minute.
const hopeless = 3

// lookAtLog is how many looks at the archiver come between two at the log.
const lookAtLog = 10

// await waits until the server says that wanted is archived. before and dead
// are its failures until now.
func (c *Check) await(ctx context.Context, p *place, before *archiver, dead int, wanted string) error {
	deadline := time.Now().Add(c.Patience)
	for n := 1; ; n++ {
		a, err := p.archiver(ctx)
		if err != nil {
			return err
		}
		if segment(a.Last) >= wanted {
			return p.arrived(ctx, a, wanted)
		}
		late := time.Now().After(deadline)
		if a.Failed >= before.Failed+hopeless || late && a.broken() || n%lookAtLog == 0 && deaths(p.serverLog(ctx)) > dead {
			return p.whyBroken(ctx, a)
		}
		if late {
			return module.At("patience", module.Explain(fmt.Errorf("the segment %s was not archived within %s; the last that was is %s", wanted, c.Patience, orNone(a.Last)),
				"look whether archive_command hangs (the processes of the archiver in the database container)", "archive_command = "+a.Command))
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// arrived looks at the other side, too.
func (p *place) arrived(ctx context.Context, a *archiver, wanted string) error {
	s, _, err := p.info(ctx)
	if err != nil {
		return err
	}
	if s.archived() >= wanted {
		return nil
	}
	return p.judge(ctx, a, s)
}

func pause(ctx context.Context) error {
	select {
	case <-time.After(500 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
