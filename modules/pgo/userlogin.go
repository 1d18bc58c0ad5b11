package pgo

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/adbsql/antdbctl/engine/secret"
)

// door is where a user logs in: the port of one server.
type door struct {
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	addr string // as dial takes it
	user string
}

// entry is what came of one login.
type entry struct {
	admitted bool
	asked    authentication
}

// authentication is what the server asked of the client, by its number in the
// protocol.
type authentication uint32

const (
	authNone authentication = 0 // let in without a question: trust, peer, a certificate
	authMD5  authentication = 5
	authSASL authentication = 10 // SCRAM
)

// knock tries a login with a password. A wrong password is no error.
//
// For SCRAM the driver normalises passwords a little otherwise than the server
// (it keeps compatibility forms, such as ligatures), so one that is refused is
// tried again as the server has it.
func (d door) knock(ctx context.Context, password secret.Value) (entry, error) {
	e, err := d.try(ctx, password)
	if plain := prepared(password.Reveal()); err == nil && !e.admitted && e.asked == authSASL && plain != password.Reveal() {
		return d.try(ctx, secret.New(plain))
	}
	return e, err
}

func (d door) try(ctx context.Context, password secret.Value) (entry, error) {
	cfg, err := pgconn.ParseConfig(strings.Join([]string{
		"host=-", "port=5432", "database=postgres", "user=-", "password=-", "sslmode=prefer", "sslcert=''", "sslkey=''", "sslrootcert=''",
		"passfile=/dev/null", "connect_timeout=15", "target_session_attrs=any", "application_name=antdbctl", "client_encoding=UTF8"}, " "))
	if err != nil {
		return entry{}, err
	}
	heard := &greeting{}
	cfg.User, cfg.Password = d.user, password.Reveal()
	cfg.DialFunc = func(ctx context.Context, network, _ string) (net.Conn, error) { return d.dial(ctx, "tcp", d.addr) }
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	cfg.BuildFrontend = func(r io.Reader, w io.Writer) *pgproto3.Frontend {
		*heard = greeting{Reader: r}
		return pgproto3.NewFrontend(heard, w)
	}
	c, err := pgconn.ConnectConfig(ctx, cfg)
	if err == nil {
		leave(c)
		return entry{true, heard.asked()}, nil
	}
	return heard.refused(d.user, err)
}

func leave(c *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.Close(ctx) // what was to be learnt is known
}

// refused tells a wrong password from what says nothing about passwords.
func (g *greeting) refused(user string, err error) (entry, error) {
	no := (*pgconn.PgError)(nil)
	if !errors.As(err, &no) {
		return entry{}, fmt.Errorf("log in as %s: %w", user, innermost(err))
	}
	switch no.Code {
	case "28P01": // invalid_password
		return entry{asked: g.asked()}, nil
	case "3D000", "42501": // no such database, no right to it: after the password
		return entry{true, g.asked()}, nil
	}
	return entry{}, fmt.Errorf("log in as %s: %s (SQLSTATE %s)", user, no.Message, no.Code)
}

// innermost is the driver's error without the address, which it repeats for
// every attempt.
func innermost(err error) error {
	failed := (*pgconn.ConnectError)(nil)
	if errors.As(err, &failed) && failed.Unwrap() != nil {
		return failed.Unwrap()
	}
	return err
}

// greeting remembers the first message of the server: whether it asked for a
// password at all. A login that it did not ask one for proves nothing.
type greeting struct {
	io.Reader
	first []byte
}

func (g *greeting) Read(p []byte) (int, error) {
	n, err := g.Reader.Read(p)
	if missing := 9 - len(g.first); missing > 0 {
		g.first = append(g.first, p[:min(n, missing)]...)
	}
	return n, err
}

// asked reads an Authentication message: the letter R, a length, a number.
func (g *greeting) asked() authentication {
	if len(g.first) < 9 || g.first[0] != 'R' {
		return authNone
	}
	return authentication(binary.BigEndian.Uint32(g.first[5:]))
}
