package sql

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// Both tongues must understand why a server lets nobody in: the wire by
// SQLSTATE, psql by the words.
func TestRefusedLogins(t *testing.T) {
	s := startServer(t, "-c", "max_connections=6", "-c", "superuser_reserved_connections=1")
	s.sql(t, "create role small login password 'x' connection limit 0; create role plain login password 'x'; create role dumb nologin password 'x'; create role stale login password 'x' valid until '2001-01-01'")
	s.sql(t, "create database closed connection limit 0")
	for _, tt := range []struct{ arg, args, says, remedy string }{
		{"password", "user = \"plain\"\npassword = \"y\"", "password authentication failed", "VALID UNTIL"},
		{"password", "user = \"stale\"\npassword = \"x\"", "password authentication failed", "VALID UNTIL"},
		{"user", "user = \"nosuch\"\npassword = \"x\"", "nosuch", ""},
		{"user", "user = \"dumb\"\npassword = \"x\"", "not permitted to log in", ""},
		{"user", "user = \"small\"\npassword = \"x\"", "too many connections for role", "sql.role, connection_limit"},
		{"database", "user = \"plain\"\npassword = \"x\"\ndatabase = \"closed\"", "too many connections for database", "sql.database, connection_limit"},
	} {
		s.bothRefuse(t, tt.arg, tt.args, tt.says, tt.remedy)
	}
	for range 5 {
		s.connect(t, "postgres", "plain", "x")
	}
	s.bothRefuse(t, "", "user = \"plain\"\npassword = \"x\"", "remaining connection slots are reserved", "max_connections is reached")
}

// bothRefuse tries the login by either tongue. Of a role that is not there the
// server says that the password is wrong.
func (s *server) bothRefuse(t *testing.T, arg, args, says, remedy string) {
	t.Helper()
	for _, kind := range []string{conn.Local, conn.Container} {
		step := s.step(t, queryEntry, "host = \"127.0.0.1\"\nsslmode = \"disable\"\nsql = \"select 1\"\n%s", args)
		step.Env().Target.Kind = kind
		_, _, err := step.Check()
		require.ErrorContains(t, err, says, kind)
		if remedy != "" {
			require.Contains(t, remedyOf(t, err), remedy, kind)
		}
		if arg != "" && !strings.Contains(args, "nosuch") {
			requireAt(t, err, arg, says)
		}
	}
}

func TestNobodyIsLetInByPgHBA(t *testing.T) {
	s := startServer(t)
	s.sql(t, "create role plain login password 'x'")
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "data", "pg_hba.conf"), []byte("local all postgres peer\nhost all all 127.0.0.2/32 md5\nhost all outcast 127.0.0.1/32 reject\n"), 0o600))
	s.sql(t, "select pg_reload_conf(); create role outcast login password 'x'")
	s.bothRefuse(t, "host", "user = \"plain\"\npassword = \"x\"", "no pg_hba.conf entry for host", "tried in order")
	s.bothRefuse(t, "host", "user = \"outcast\"\npassword = \"x\"", "pg_hba.conf rejects connection", "tried in order")
}

func TestAServerThatGoesDown(t *testing.T) {
	s := startServer(t)
	s.sql(t, "create role plain login password 'x'")
	s.connect(t, "postgres", "plain", "x") // a smart shutdown waits for it
	require.NoError(t, s.postmaster.Process.Signal(syscall.SIGTERM))
	require.Eventually(t, func() bool { return strings.Contains(s.log(t), "received smart shutdown request") }, time.Minute, 20*time.Millisecond)
	s.bothRefuse(t, "", "user = \"plain\"\npassword = \"x\"", "the database system is shutting down", "find out who stops it")
}

// starter is a host that has the server started once a step has been told
// that it is starting.
type starter struct {
	*socket
	start func()
	tries atomic.Int32
}

func (h *starter) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	res, err := h.socket.Run(ctx, cmd)
	if err != nil && h.tries.Add(1) == 2 {
		h.start()
	}
	return res, err
}

// A replica without hot_standby is up and takes no sessions, for as long as the
// test likes.
func TestAStartingServerIsWaitedFor(t *testing.T) {
	r := startServer(t).replica(t)
	r.setting(t, "hot_standby = off")
	r.restart(t)
	h := &starter{socket: r.host(), start: func() {
		r.setting(t, "hot_standby = on")
		r.restart(t)
	}}
	step := r.step(t, roleEntry, `role = "postgres"`)
	phases := 0
	step.Env().Host, step.Env().Phase = h, func(name string) {
		require.Equal(t, "server is starting", name)
		phases++
	}
	_, _, err := step.Check()
	require.NoError(t, err)
	require.GreaterOrEqual(t, phases, 2)
}

// What a server says that is going down, or up for ever, is told as it is.
func TestAServerThatStaysDownIsExplained(t *testing.T) {
	for text, tt := range map[string]struct{ code, message, remedy string }{
		"is shutting down":   {notNow, "the database system is shutting down", "find out who stops it"},
		"正在关闭":               {notNow, "数据库系统正在关闭", "find out who stops it"},
		"已经有太多客户端":           {tooMany, "对不起, 已经有太多客户端", "max_connections is reached"},
		"zu viele":           {tooMany, "tut mir leid, schon zu viele Verbindungen", "max_connections is reached"},
		"connection limit e": {tooMany, "connection limit exceeded for non-superusers", "max_connections is reached"},
	} {
		server := standalone()
		server.refuse = &pgproto3.ErrorResponse{Severity: "FATAL", Code: tt.code, Message: tt.message}
		_, _, err := server.start(t).step(t, roleEntry, `role = "x"`).Check()
		require.ErrorContains(t, err, text)
		require.Contains(t, remedyOf(t, err), tt.remedy)
		require.Equal(t, 1, server.logins, "no second try")
	}
	server := standalone()
	server.refuse = &pgproto3.ErrorResponse{Severity: "FATAL", Code: notNow, Message: "the database system is starting up"}
	step := server.start(t).step(t, roleEntry, `role = "x"`)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := step.Module().Check(ctx, step.Env())
	require.ErrorContains(t, err, "the database system is starting up", "the step's own deadline ends the wait, with the reason")
	require.Greater(t, server.logins, 1)
}

// The words of psql, which has no SQLSTATE to give.
func TestWordsOfRefusal(t *testing.T) {
	for words, want := range map[string]struct {
		arg      string
		starting bool
	}{
		`FATAL:  the database system is starting up`:                                       {"", true},
		`FATAL:  the database system is in recovery mode`:                                  {"", true},
		`FATAL:  the database system is not yet accepting connections`:                     {"", true},
		`致命错误:  数据库系统启动中`:                                                                  {"", true},
		`FATAL:  the database system is shutting down`:                                     {"", false},
		`FATAL:  sorry, too many clients already`:                                          {"", false},
		`FATAL:  database "nosuch" does not exist`:                                         {"database", false},
		`FATAL:  role "nosuch" does not exist`:                                             {"user", false},
		`FATAL:  Peer authentication failed for user "x"`:                                  {"user", false},
		`FATAL:  password authentication failed for user "role "`:                          {"secret", false},
		`fe_sendauth: no password supplied`:                                                {"secret", false},
		`FATAL:  no pg_hba.conf entry for host "fd00::1", user "x", database "y", SSL off`: {"host", false},
		`authentication method 10 not supported`:                                           {"user", false},
	} {
		err := login{passwordArg: "secret"}.refused(&conn.ExitError{Stderr: words})
		require.Equal(t, want.starting, isStarting(err), words)
		if at := (*module.ArgError)(nil); want.arg != "" {
			require.ErrorAs(t, err, &at, words)
			require.Equal(t, want.arg, at.Arg, words)
		}
	}
}

// setting appends a line to the server's configuration, and restart has a
// postmaster that runs in the foreground begin anew.
func (s *server) setting(t *testing.T, line string) {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(s.dir, "data", "postgresql.auto.conf"), os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(line + "\n")
	require.NoError(t, err)
	require.NoError(t, f.Close())
}

func (s *server) restart(t *testing.T) {
	t.Helper()
	require.NoError(t, s.postmaster.Process.Signal(syscall.SIGINT))
	_ = s.postmaster.Wait()
	s.launch(t)
}
