package pgo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

func testWorkThatIsDoneAndAnsweredWithAnErrorIsDone(t *testing.T, s *server) {
	w := newWorld(t, s, "4.2.1")
	w.event = true
	var said []string
	w.env.Logf = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
	_, err := w.apply(t, w.user("testuser", "New1", true))
	require.NoError(t, err)
	require.Contains(t, strings.Join(said, "\n"), "is changed, though the apiserver said: the PGO apiserver refuses: EVENT_ADDR not set")
	w.agree(t, "testuser", "New1", "Old1")
}

func testSecretThatTheOperatorDidNotWriteIsWritten(t *testing.T, s *server) {
	w := newWorld(t, s, "4.7.10")
	w.warns = true
	_, err := w.apply(t, w.user("testuser", "New1", true))
	require.NoError(t, err)
	w.agree(t, "testuser", "New1", "Old1")
}

func testOldClientLibraryOfTheApiserverIsExplained(t *testing.T, s *server) {
	w := newWorld(t, s, "4.2.1")
	w.sql(t, "set password_encryption = 'scram-sha-256'; alter role postgres password 'Root1'")
	_, err := w.apply(t, w.user("testuser", "New1", true))
	requireAt(t, err, "api", "unknown authentication response: 10")
	require.Contains(t, remedyOf(t, err), "password_encryption")
	require.True(t, w.logsIn(t, "testuser", "Old1"))
}

// Somebody changed postgres by SQL: every user call of 4.2 fails, until its
// Secret has the password that is.
func testDriftOfPostgresIsExplainedAndMended(t *testing.T, s *server) {
	w := newWorld(t, s, "4.2.1")
	w.sql(t, "alter role postgres password '%s'", md5Of("postgres", secret.New("Other1")).Reveal())
	_, err := w.apply(t, w.user("testuser", "New1", true))
	requireAt(t, err, "api", `password authentication failed for user "postgres"`)
	require.Contains(t, remedyOf(t, err), "hippo-postgres-secret")

	asked := len(w.asked)
	change, err := w.apply(t, w.user("postgres", "Other1", true))
	require.NoError(t, err)
	require.Contains(t, change.Summary, "the Secret lags behind the database")
	require.Len(t, w.asked, asked, "the apiserver could not log in")
	w.agree(t, "postgres", "Other1", "Root1")
	_, err = w.apply(t, w.user("testuser", "New1", true))
	require.NoError(t, err)
	w.agree(t, "testuser", "New1", "Old1")
}

func testPostgresIsChangedByTheApiserverAlone(t *testing.T, s *server) {
	for _, version := range []string{"4.2.1", "4.7.10"} {
		w := newWorld(t, s, version)
		_, err := w.apply(t, w.user("postgres", "Root2", false))
		requireAt(t, err, "user", "is not changed by SQL")
		require.Equal(t, "Root1", w.kept(t, "postgres"))
		_, err = w.apply(t, w.user("postgres", "Root2", true))
		require.NoError(t, err)
		w.agree(t, "postgres", "Root2", "Root1")
	}
}

func testUsersThatAreNotThere(t *testing.T, s *server) {
	for _, rest := range []bool{true, false} {
		for _, version := range []string{"4.2.1", "4.7.10"} {
			w := newWorld(t, s, version)
			_, err := w.apply(t, w.user("nobody", "New1", rest))
			requireAt(t, err, "user", `role "nobody" does not exist`)
			require.Nil(t, w.find("secrets", "hippo-nobody-secret"))
		}
	}
}

func testScramIsKeptWhereTheServerWantsIt(t *testing.T, s *server) {
	for name, rest := range map[string]bool{"4.7 REST": true, "resource": false} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, s, "4.7.10")
			w.keep(userSecret("hippo-strict-secret", "strict", "Old1"))
			_, err := w.apply(t, w.user("strict", "New1", rest))
			require.NoError(t, err)
			require.True(t, w.logsIn(t, "strict", "New1"))
			require.Contains(t, w.sql(t, "select rolpassword from pg_authid where rolname = 'strict'"), "SCRAM-SHA-256$")
		})
	}
	w := newWorld(t, s, "4.2.1")
	w.keep(userSecret("hippo-strict-secret", "strict", "Old1"))
	_, err := w.apply(t, w.user("strict", "New1", true))
	require.ErrorContains(t, err, "PGO 4.2 keeps passwords as md5, and pg_hba wants scram-sha-256")
}

func testExpiredPasswordIsValidAgain(t *testing.T, s *server) {
	for name, g := range map[string]struct {
		version string
		rest    bool
	}{"4.2": {"4.2.1", true}, "4.7": {"4.7.10", true}, "resource": {"4.7.10", false}} {
		w := newWorld(t, s, g.version)
		w.sql(t, "alter role testuser valid until '2020-01-01'")
		u := w.user("testuser", "Old1", g.rest)
		u.ValidDays = 30
		change, err := w.apply(t, u)
		require.NoError(t, err, name)
		require.Contains(t, change.Summary, "the database lags behind the Secret")
		require.Equal(t, "t", w.sql(t, "select rolvaliduntil between now() + '28 days' and now() + '31 days' from pg_authid where rolname = 'testuser'"))
	}
}

func testALoginThatProvesNothingIsNoProof(t *testing.T, s *server) {
	w := newWorld(t, s, "4.2.1")
	_, err := w.apply(t, w.user("open", "New1", true))
	requireAt(t, err, "password", "lets everybody in from there (trust)")
	_, err = w.apply(t, w.user("barred", "New1", true))
	require.ErrorContains(t, err, "pg_hba.conf rejects connection")
	require.ErrorContains(t, err, "SQLSTATE 28000")
}

func testNoPrimaryOrTwo(t *testing.T, s *server) {
	w := newWorld(t, s, "4.2.1")
	w.keep(readyPod("hippo-2", object{"pg-cluster": "hippo", "role": "master"}))
	_, err := w.apply(t, w.user("testuser", "New1", true))
	require.ErrorContains(t, err, "has 2 ready primaries")
	require.Empty(t, w.asked)
	w.objects = map[string]object{}
	_, err = w.apply(t, w.user("testuser", "New1", true))
	requireAt(t, err, "cluster", "there is no cluster hippo in pgouser1")
}

// Looking needs no apiserver, nor does a password that is in order.
func testAnApiserverThatIsDownIsInNobodysWay(t *testing.T, s *server) {
	w := newWorld(t, s, "4.2.1")
	w.operator.Close()
	change, err := w.apply(t, w.user("testuser", "Old1", true))
	require.NoError(t, err)
	require.Equal(t, module.NoChange, change)
	_, err = w.apply(t, w.user("testuser", "New1", true))
	requireAt(t, err, "api", "connection refused")
	require.True(t, w.logsIn(t, "testuser", "Old1"))

	u := w.user("testuser", "New1", false)
	u.getenv = variables(t.TempDir(), map[string]string{"PGO_CA_CERT": "/nowhere/ca.crt"})
	_, err = w.apply(t, u)
	requireAt(t, err, "api", "PGO_CLIENT_CERT")
}

func testRightsThatAreMissing(t *testing.T, s *server) {
	w := newWorld(t, s, "4.7.10")
	w.hide = "secrets/"
	_, err := w.apply(t, w.user("testuser", "New1", true))
	require.ErrorContains(t, err, "read Secret hippo-testuser-secret in pgouser1")
	require.Contains(t, remedyOf(t, err), "get, patch and create on secrets")
	w.hide = "clusters/hippo"
	_, err = w.apply(t, w.user("testuser", "New1", true))
	require.ErrorContains(t, err, "look for pgclusters hippo in pgouser1")

	w = newWorld(t, s, "5")
	w.brings(t)
	w.hide = "pgclusters/" // of a kind that is not there, RBAC says no all the same
	_, err = w.apply(t, w.user("testuser", "New1", false))
	require.NoError(t, err)
	w.agree(t, "testuser", "New1", "Old1")
}

// brings is the operator of PGO 5 and 6: it brings the database after the Secret.
func (w *world) brings(t *testing.T) {
	w.version = "5"
	w.put(object{"apiVersion": "postgres-operator.crunchydata.com/v1beta1", "kind": "PostgresCluster", "metadata": object{"name": "hippo", "namespace": "pgouser1"}})
	w.drop("hippo-testuser-secret")
	old := userSecret("hippo-pguser-testuser", "testuser", "Old1")
	w.keep(old)
	const prefix = "postgres-operator.crunchydata.com/"
	w.keep(readyPod("hippo-1", object{prefix + "cluster": "hippo", prefix + "role": "master"}))
	w.after = func(write string) {
		if write == "PATCH secrets/hippo-pguser-testuser" {
			s, err := readKept(context.Background(), w.env.Host.(*worldHost).Clientset(), "pgouser1", "hippo-pguser-testuser")
			require.NoError(t, err)
			w.set("testuser", s.verifier.Reveal(), "infinity")
		}
	}
}

func testPasswordIsChangedByTheSecretOfPGO5(t *testing.T, s *server) {
	w := newWorld(t, s, "5")
	w.brings(t)
	old := "Old1"
	for _, password := range passwords {
		change, err := w.apply(t, w.user("testuser", password, false))
		require.NoError(t, err)
		require.Contains(t, change.Summary, "change the password (PostgresCluster)")
		w.agree(t, "testuser", password, old)
		old = password
	}
	// What somebody changed in the database comes back, and so does a Secret with
	// a verifier of another password.
	w.sql(t, "alter role testuser password '%s'", md5Of("testuser", secret.New("Hand1")).Reveal())
	change, err := w.apply(t, w.user("testuser", old, false))
	require.NoError(t, err)
	require.Contains(t, change.Summary, "the database lags behind the Secret")
	w.agree(t, "testuser", old, "Hand1")
	w.keep(userSecret("hippo-pguser-testuser", "testuser", old))
	change, err = w.apply(t, w.user("testuser", old, false))
	require.NoError(t, err)
	require.Contains(t, change.Summary, "the Secret lags behind the database")
}

func testOperatorOfPGO5ThatDoesNotActIsNamed(t *testing.T, s *server) {
	w := newWorld(t, s, "5")
	w.brings(t)
	brings := w.after
	w.after = nil
	u := w.user("testuser", "New1", false)
	u.ApplyTimeout = 50 * time.Millisecond
	_, err := w.apply(t, u)
	requireAt(t, err, "apply_timeout", "the operator has not brought the database after it")
	require.True(t, w.logsIn(t, "testuser", "Old1"))
	w.after = brings // the run was killed there; the next mends it
	_, err = w.apply(t, w.user("testuser", "New1", false))
	require.NoError(t, err)
	w.agree(t, "testuser", "New1", "Old1")

	_, err = w.apply(t, w.user("nobody", "New1", false))
	requireAt(t, err, "user", "there is no Secret hippo-pguser-nobody")
	u = w.user("testuser", "New1", false)
	u.ValidDays = 3
	_, err = w.apply(t, u)
	requireAt(t, err, "valid_days", "knows no passwords that expire")
}

func testCommandsHoldNoPassword(t *testing.T, s *server) {
	w := newWorld(t, s, "4.7.10")
	var run []conn.Cmd
	u := w.user("testuser", "New1", false)
	u.container = func(context.Context, string) (conn.Runner, error) {
		return runnerFunc(func(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
			run = append(run, cmd)
			return w.server.Run(ctx, cmd)
		}), nil
	}
	_, err := w.apply(t, u)
	require.NoError(t, err)
	require.Len(t, run, 2)
	for _, cmd := range run {
		require.NotContains(t, fmt.Sprint(cmd.Args), "New1")
		require.NotContains(t, fmt.Sprint(cmd.Args), "md5")
	}
}

type runnerFunc func(ctx context.Context, cmd conn.Cmd) (conn.Result, error)

func (f runnerFunc) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) { return f(ctx, cmd) }

func remedyOf(t *testing.T, err error) string {
	t.Helper()
	e := (*module.Explained)(nil)
	require.True(t, errors.As(err, &e), "%v", err)
	return e.Remedy
}
