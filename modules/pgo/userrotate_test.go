package pgo

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// TestUsersOnARealServer shares one server: each part begins with the same users.
func TestUsersOnARealServer(t *testing.T) {
	s := startServer(t)
	for _, test := range []func(*testing.T, *server){
		testVerifiersAreThoseOfTheServer,
		testPasswordIsChangedByEachGeneration,
		testRotationSurvivesAKillAnywhere,
		testWorkThatIsDoneAndAnsweredWithAnErrorIsDone,
		testSecretThatTheOperatorDidNotWriteIsWritten,
		testOldClientLibraryOfTheApiserverIsExplained,
		testDriftOfPostgresIsExplainedAndMended,
		testPostgresIsChangedByTheApiserverAlone,
		testUsersThatAreNotThere,
		testScramIsKeptWhereTheServerWantsIt,
		testExpiredPasswordIsValidAgain,
		testALoginThatProvesNothingIsNoProof,
		testNoPrimaryOrTwo,
		testRightsThatAreMissing,
		testAnApiserverThatIsDownIsInNobodysWay,
		testPasswordIsChangedByTheSecretOfPGO5,
		testOperatorOfPGO5ThatDoesNotActIsNamed,
		testCommandsHoldNoPassword,
	} {
		name := runtime.FuncForPC(reflect.ValueOf(test).Pointer()).Name()
		t.Run(strings.TrimPrefix(name[strings.LastIndexByte(name, '.')+1:], "test"), func(t *testing.T) { test(t, s) })
	}
}

func testVerifiersAreThoseOfTheServer(t *testing.T, s *server) {
	w := newWorld(t, s, "4.2.1")
	for _, password := range passwords {
		verifier, err := scramOf(secret.New(password))
		require.NoError(t, err)
		require.True(t, verifies(verifier, secret.New(password)))
		require.False(t, verifies(verifier, secret.New(password+"x")))
		for _, v := range []secret.Value{verifier, md5Of("testuser", secret.New(password))} {
			w.sql(t, "alter role testuser password '%s'", v.Reveal())
			require.True(t, w.logsIn(t, "testuser", password), password)
			require.False(t, w.logsIn(t, "testuser", password+"x"), password)
		}
	}
	require.False(t, verifies(secret.New("md5abc"), secret.New("x")))
	require.False(t, verifies(secret.New("SCRAM-SHA-256$x:y$z"), secret.New("x")))
}

// passwords are those that break quoting somewhere.
var passwords = []string{"New1", `a'b"c\d`, "a/b&c<d>e", "密码 很长", "  blanks ", "per%cent$dollar`tick", "á ﬁ ²"}

func testPasswordIsChangedByEachGeneration(t *testing.T, s *server) {
	for name, g := range map[string]struct {
		version string
		rest    bool
	}{"4.2 REST": {"4.2.1", true}, "4.7 REST": {"4.7.10", true}, "Pgcluster resource": {"4.7.10", false}} {
		t.Run(name, func(t *testing.T) {
			w, old := newWorld(t, s, g.version), "Old1"
			for _, password := range passwords {
				change, err := w.apply(t, w.user("testuser", password, g.rest))
				require.NoError(t, err)
				require.Contains(t, change.Summary, "change the password ("+name+")")
				require.NotContains(t, fmt.Sprint(change), password)
				w.agree(t, "testuser", password, old)
				old = password
			}
			change, err := w.apply(t, w.user("testuser", old, g.rest))
			require.NoError(t, err)
			require.Equal(t, module.NoChange, change)
			require.Equal(t, g.rest, len(w.asked) == len(passwords), "asked %d times", len(w.asked))
			if name == "4.2 REST" {
				require.Equal(t, forever, w.asked[0].PasswordAgeDays, "0 would end it today")
			}
		})
	}
}

// A kill between the two writes, wherever they are: the next run mends it.
func testRotationSurvivesAKillAnywhere(t *testing.T, s *server) {
	for name, c := range map[string]struct {
		version string
		rest    bool
		before  func(w *world)
		summary string
	}{
		"4.2: database changed":                {"4.2.1", true, func(w *world) { w.dies = "after the database" }, "the Secret lags behind the database"},
		"4.2: Secret deleted":                  {"4.2.1", true, func(w *world) { w.dies = "without the Secret" }, "the Secret lags behind the database"},
		"4.7: database changed":                {"4.7.10", true, func(w *world) { w.dies = "after the database" }, "the Secret lags behind the database"},
		"resource: database changed":           {"4.7.10", false, func(w *world) { w.refuse = func(string) int { return 500 } }, "the Secret lags behind the database"},
		"resource: Secret changed by somebody": {"4.7.10", false, nil, "the database lags behind the Secret"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, s, c.version)
			if c.before != nil {
				c.before(w)
				u := w.user("testuser", "New1", c.rest)
				u.ApplyTimeout = 10 * time.Millisecond
				_, err := w.apply(t, u)
				require.Error(t, err)
				require.NotEqual(t, "New1", w.kept(t, "testuser"), "they are apart now")
				require.True(t, w.logsIn(t, "testuser", "New1"))
			} else {
				w.keep(userSecret("hippo-testuser-secret", "testuser", "New1"))
			}
			w.dies, w.refuse = "", nil
			change, err := w.apply(t, w.user("testuser", "New1", c.rest))
			require.NoError(t, err)
			require.Contains(t, change.Summary, c.summary)
			w.agree(t, "testuser", "New1", "Old1")
			require.Equal(t, object{"pg-cluster": "hippo", "vendor": "crunchydata"}, w.find("secrets", "hippo-testuser-secret")["metadata"].(object)["labels"])
		})
	}
}
