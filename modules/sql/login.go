// Package sql keeps what a PostgreSQL or AntDB server holds (roles, databases,
// grants, extensions) and asks it questions.
package sql

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

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
	anew           bool   // the login itself is what is to be proved: share none
	asItIs         bool   // leave an AntDB server's grammar as it is set
}

// tongue is one way to talk to a server.
type tongue interface {
	// query runs one statement in a transaction that cannot write.
	query(ctx context.Context, statement string) (*table, error)
	// change runs statements in one transaction: all of them count, or none.
	change(ctx context.Context, statements ...string) error
	// command runs a statement that no transaction may hold (create database).
	command(ctx context.Context, statement string) error
	// line logs in for several queries.
	line(ctx context.Context) (line, error)
}

// line is a login that serves one query after another, one at a time. After an
// error it is only good to be closed.
type line interface {
	query(ctx context.Context, statement string) (*table, error)
	close()
}

// session is how a step talks to a server.
type session struct {
	tongue
	lent *lent // nil where the host keeps nothing
	env  *module.Env
}

// open chooses the tongue: psql where the step works, over the local socket or
// out of a container to host; the wire protocol through the step's connection
// everywhere else.
func (l login) open(env *module.Env) (*session, error) {
	s := &session{env: env}
	switch {
	case env.Target.Kind == conn.Kubernetes && l.host == "":
		return nil, module.At("host", fmt.Errorf("name the server: a cluster has no local socket (host = \"svc/antdb\", or on = the database container)"))
	case l.host == "" || env.Target.Kind == conn.Container:
		s.tongue = &psql{login: l, run: env.Host, osUser: l.osUser(env.Target)}
	default:
		s.tongue = &wire{login: l, dial: env.Dial}
	}
	if !l.anew {
		s.lent = lentBy(env.Host, l)
	}
	return s, nil
}

func (s *session) query(ctx context.Context, statement string) (t *table, err error) {
	err = s.patient(ctx, func() error {
		if s.lent != nil {
			t, err = s.lent.query(ctx, s.tongue, statement)
		} else {
			t, err = s.tongue.query(ctx, statement)
		}
		return err
	})
	return t, err
}

func (s *session) change(ctx context.Context, statements ...string) error {
	return s.patient(ctx, func() error { return s.tongue.change(ctx, statements...) })
}

func (s *session) command(ctx context.Context, statement string) error {
	return s.patient(ctx, func() error { return s.tongue.command(ctx, statement) })
}

const (
	startLimit = 30 * time.Second // how long a server may take to start
	startPause = 200 * time.Millisecond
)

// patient does something again while the server says that it is starting:
// nothing has been done then. A pod is often ready to be entered before the
// server in it is.
func (s *session) patient(ctx context.Context, do func() error) error {
	limit := time.NewTimer(startLimit)
	defer limit.Stop()
	for {
		err := do()
		if !isStarting(err) {
			return err
		}
		s.env.Phase("server is starting")
		select {
		case <-time.After(startPause):
		case <-limit.C:
			return err
		case <-ctx.Done():
			return err
		}
	}
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
	l.password, l.anew = password, true
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
