package sql

import (
	"cmp"
	"context"
	"fmt"

	"github.com/adbsql/antdbctl/engine/module"
)

// replicaColumns are asked with every look: whether the server only follows
// another, and whom. Who may not see the latter gets null.
const replicaColumns = `pg_is_in_recovery() as "a replica",
  (select substring(w.conninfo from '(?:^| )host=([^ ]+)') || coalesce(':' || substring(w.conninfo from ' port=([0-9]+)'), '')
   from pg_catalog.pg_stat_wal_receiver w limit 1) as "its primary"`

// writable refuses a change that a look found wanting on a server that takes
// none.
func writable(ctx context.Context, env *module.Env, l login, t *table, change module.Change) (module.Change, error) {
	if !change.Wanted() || t.get("a replica") != "t" {
		return change, nil
	}
	return module.NoChange, module.Refuse(onReplica(ctx, env, l, t.get("its primary"), fmt.Errorf("this server is a read-only replica, and there is something to do: %s", change.Summary)))
}

// onReplica says where the primary is.
func onReplica(ctx context.Context, env *module.Env, l login, primary string, err error) error {
	where, _ := siteOf(ctx, env, l.host) // a hint more, or not
	remedy := "point the step at the primary"
	switch pod := where.leader(ctx); {
	case pod != "":
		remedy += ": pod " + pod
	case primary != "":
		remedy += ": this one follows " + primary
	default:
		remedy += " (on the replica, pg_stat_wal_receiver tells a superuser whom it follows)"
	}
	err = module.Explain(err, remedy)
	if l.host != "" {
		return module.At("host", err)
	}
	return err
}

// refusedWrite explains an error of a change, where the server turned out to
// be a replica, or is set to be read only, since the look.
func (s *session) refusedWrite(ctx context.Context, l login, err error) error {
	if stateOf(err) != readOnlyTurn {
		return err
	}
	t, failed := s.query(ctx, "select "+replicaColumns+", current_setting('default_transaction_read_only') as held")
	switch {
	case failed != nil:
		return err
	case t.get("a replica") == "t":
		return onReplica(ctx, s.env, l, t.get("its primary"), fmt.Errorf("this server has become a read-only replica: %w", err))
	}
	return module.Explain(fmt.Errorf("this server takes no writes (default_transaction_read_only is %s in our sessions): %w", cmp.Or(t.get("held"), "?"), err),
		"look for default_transaction_read_only in the settings of server, database and role: select * from pg_db_role_setting")
}
