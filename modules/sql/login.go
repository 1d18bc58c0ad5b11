// Package sql keeps roles and databases, and asks a server questions.
package sql

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// login says how to get a session on a server.
type login struct {
	host, sslmode  string
	port           int
	user, database string
	password       secret.Value
	passwordArg    string // how the runbook calls the password
}

// session is one way to talk to a server. Each call connects anew: steps are
// short, and nothing may linger in a session that a pool of hosts shares.
type session interface {
	// query runs one statement in a transaction that cannot write.
	query(ctx context.Context, statement string) (*table, error)
	// exec runs statements in order, each in its own transaction, and stops at
	// the first that fails.
	exec(ctx context.Context, statements ...string) error
}

// open chooses the tongue: psql where the step works, over the local socket or
// out of a container to host; the wire protocol through the step's connection
// everywhere else.
func (l login) open(env *module.Env) (session, error) {
	switch {
	case env.Target.Kind == conn.Kubernetes && l.host == "":
		return nil, module.At("host", fmt.Errorf("name the server: a cluster has no local socket (host = \"svc/antdb\", or on = the database container)"))
	case l.host == "" || env.Target.Kind == conn.Container:
		return &psql{login: l, run: env.Host, osUser: l.osUser(env.Target)}, nil
	}
	return &wire{login: l, dial: env.Dial}, nil
}

// osUser is who psql runs as. Over the socket the server trusts the operating
// system's word (peer), so it must be the server's own user. A pod's container
// runs as that user already.
func (l login) osUser(t conn.Target) string {
	if l.host != "" || t.Pod != "" {
		return ""
	}
	return "postgres"
}

// String names the server for people.
func (l login) String() string {
	who := cmp.Or(l.user, "postgres")
	where := "over the local socket"
	if l.host != "" {
		where = fmt.Sprintf("at %s:%d", l.host, l.port)
	}
	return fmt.Sprintf("database %s as %s %s", cmp.Or(l.database, "postgres"), who, where)
}

// admits reports whether the server lets the user in with a password.
func (l login) admits(ctx context.Context, env *module.Env, password secret.Value) (bool, error) {
	l.password = password
	s, err := l.open(env)
	if err != nil {
		return false, err
	}
	_, err = s.query(ctx, "select 1")
	arg := (*module.ArgError)(nil)
	if errors.As(err, &arg) && arg.Arg == l.passwordArg {
		return false, nil
	}
	return err == nil, err
}

// nonsense is a password that no role has.
func nonsense() secret.Value { return secret.New(rand.Text()) }
