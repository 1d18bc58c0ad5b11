package sql

import (
	"context"
	"maps"
	"strconv"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// vantageQuery asks a server who it is and who is asking.
const vantageQuery = `select current_user as who, current_database() as db, (select system_identifier::text from pg_control_system()) as system,
 host(inet_server_addr()) as server, host(inet_client_addr()) as client, pg_is_in_recovery() as standby`

// try goes all ways, some at once: those that get no answer take their whole
// patience, and there may be many of them.
func (v *Vantage) try(ctx context.Context, site *vantageSite, ways []*way) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, 4)
	for _, w := range ways {
		if w.open == nil {
			continue
		}
		wg.Add(1)
		slots <- struct{}{}
		go func() {
			defer func() { <-slots; wg.Done() }()
			w.err = v.tryOne(ctx, site, w)
		}()
	}
	wg.Wait()
}

func (v *Vantage) tryOne(ctx context.Context, site *vantageSite, w *way) error {
	opening, cancel := context.WithTimeout(ctx, openLimit)
	s, err := w.open(opening)
	cancel()
	if err != nil {
		return err
	}
	// psql keeps the time itself; the margin is for what carries it.
	ctx, cancel = context.WithTimeout(ctx, v.Patience+carriage(w))
	defer cancel()
	begun := time.Now()
	t, err := s.query(ctx, vantageQuery)
	w.MS = int(time.Since(begun).Milliseconds())
	if err != nil {
		return err
	}
	w.OK, w.User, w.Database, w.System = true, t.get("who"), t.get("db"), t.get("system")
	w.Client, w.Standby = t.get("client"), t.get("standby") == "t"
	w.Server = site.podAt(t.get("server"))
	if v.SQL == "" {
		return nil
	}
	statement, err := single(v.SQL)
	if err == nil {
		t, err = s.query(ctx, statement)
	}
	if err != nil {
		w.OK = false
		return err
	}
	if len(t.rows) > 0 && len(t.columns) > 0 {
		w.Answer = t.rows[0][0].text
	}
	return nil
}

// openLimit is for reaching the place that a way starts at, by SSH.
const openLimit = 30 * time.Second

// carriage is what may come on top of a login's own time: an exec or a forward
// through the API server, on a machine with much to do.
func carriage(w *way) time.Duration {
	if w.From == inside || w.to == "forward" {
		return 10 * time.Second
	}
	return 0
}

// hasty has psql give up a connection that gets no answer.
type hasty struct {
	conn.Runner
	patience time.Duration
}

func (h hasty) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	env := maps.Clone(cmd.Env)
	if env == nil {
		env = map[string]secret.Value{}
	}
	seconds := max(2, int(h.patience.Round(time.Second)/time.Second)) // libpq takes 1 for 2
	env["PGCONNECT_TIMEOUT"] = secret.New(strconv.Itoa(seconds))
	cmd.Env = env
	return h.Runner.Run(ctx, cmd)
}
