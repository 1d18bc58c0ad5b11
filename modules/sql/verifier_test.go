package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// passwords are such that differences in normalisation would show.
var passwords = []string{"plain", "it's \\ \"odd\"", "密码1234", "ＡＢＣ\u00a0ﬁ", "soft\u00adhyphen", "é"}

func TestVerifierProvesItsPassword(t *testing.T) {
	for _, encryption := range []string{"scram-sha-256", "md5", "on"} {
		for _, password := range passwords {
			stored, err := verifier("u", secret.New(password), encryption)
			require.NoError(t, err)
			ok, err := proves(stored, "u", secret.New(password))
			require.NoError(t, err)
			require.True(t, ok, "%s %q", encryption, password)
			ok, err = proves(stored, "u", secret.New(password+"x"))
			require.NoError(t, err)
			require.False(t, ok, "%s %q", encryption, password)
		}
	}
}

func TestBrokenVerifierIsAnError(t *testing.T) {
	for _, stored := range []string{"SCRAM-SHA-256$4096", "SCRAM-SHA-256$x:c2FsdA==$a:b", "SCRAM-SHA-256$0:c2FsdA==$a:b", "SCRAM-SHA-256$1:-$a:b"} {
		_, err := proves(secret.New(stored), "u", secret.New("p"))
		require.ErrorContains(t, err, "unknown form")
	}
}

// The server's own hand is the judge: what it stores for a password must be
// proved by that password, and what we make must let libpq in.
func TestVerifierAgreesWithTheServer(t *testing.T) {
	s := startServer(t)
	for _, encryption := range []string{"scram-sha-256", "md5"} {
		for _, password := range passwords {
			s.sql(t, "drop role if exists judge")
			s.sql(t, "set password_encryption = '"+encryption+"'; create role judge login password "+literal(password))
			stored := secret.New(s.sql(t, "select rolpassword from pg_authid where rolname = 'judge'"))
			ok, err := proves(stored, "judge", secret.New(password))
			require.NoError(t, err)
			require.True(t, ok, "%s %q", encryption, password)

			ours, err := verifier("judge", secret.New(password), encryption)
			require.NoError(t, err)
			s.sql(t, "alter role judge password "+literal(ours.Reveal()))
			login := s.step(t, queryEntry, "host = \"127.0.0.1\"\nuser = \"judge\"\npassword = %q\nsql = \"select 1\"", password)
			login.Env().Target = conn.Target{Kind: conn.Container} // by libpq
			_, _, err = login.Check()
			require.NoError(t, err, "%s %q", encryption, password)
		}
	}
}
