package sql

import (
	"context"
	"errors"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

// The role before and after a rotation that also changes its limit and groups.
const (
	rotated  = "role = \"turning\"\npassword = \"n3wPassword\"\nconnection_limit = 5\nin_roles = [\"pg_monitor\", \"pg_signal_backend\"]\n"
	unrotate = "drop role if exists turning; create role turning login password 'oldPassword' connection limit 3 in role pg_read_all_stats"
)

// whole tells what a rotation left behind, and fails the test when that is
// neither all of the old nor all of the new.
func (s *server) whole(t *testing.T) (isNew bool) {
	t.Helper()
	change, _, err := s.step(t, roleEntry, rotated).Check()
	require.NoError(t, err)
	if !change.Wanted() {
		return true
	}
	require.Len(t, change.Diff, 3, "old password, old limit, old groups: %v", change.Diff)
	s.mustLogin(t, "turning", "oldPassword")
	return false
}

// cutter cuts its connections at the n-th write: before it, or right after.
type cutter struct {
	*socket
	left  atomic.Int32
	after bool
}

func (h *cutter) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.Host.Dial(ctx, network, addr)
	return &cut{Conn: c, host: h}, err
}

type cut struct {
	net.Conn
	host *cutter
}

func (c *cut) Write(p []byte) (int, error) {
	if c.host.left.Add(-1) != 0 {
		return c.Conn.Write(p)
	}
	if c.host.after {
		_, _ = c.Conn.Write(p)
	}
	_ = c.Conn.Close()
	return 0, errors.New("the line was cut")
}

// A rotation is cut off at every message that it sends. Each time the role is
// all old or all new, and applying again ends in the new.
func TestRoleRotationSurvivesACutAtAnyPoint(t *testing.T) {
	s := startServer(t)
	s.sql(t, "create role boss superuser login password 'b0ss'")
	const how = "host = \"127.0.0.1\"\nsslmode = \"disable\"\nuser = \"boss\"\nuser_password = \"b0ss\"\n"
	seen := map[bool]int{}
	for _, after := range []bool{false, true} {
		for n := int32(1); ; n++ {
			s.sql(t, unrotate)
			step := s.step(t, roleEntry, how+rotated)
			m := step.Module()
			change, err := m.Check(t.Context(), step.Env())
			require.NoError(t, err)
			require.True(t, change.Wanted())
			h := &cutter{socket: s.host(), after: after}
			h.left.Store(n)
			env := *step.Env()
			env.Host = h
			if err := m.Apply(t.Context(), &env); err == nil {
				require.Greater(t, n, int32(6), "login, begin, hush, alter, two grants, commit")
				break
			}
			isNew := s.whole(t)
			require.False(t, isNew && !after, "what was not sent was not done")
			seen[isNew]++
			_, _, err = step.Apply()
			require.NoError(t, err)
			require.True(t, s.whole(t))
		}
	}
	require.Positive(t, seen[true], "a commit whose answer was lost")
	require.Positive(t, seen[false])
}

var verifiers = regexp.MustCompile(`(?i)password\s+E?'?(SCRAM-SHA-256\$|md5)`)

// A server that dies in the middle, with the password changed and the groups
// not yet, comes back with the old; nothing secret was to be seen meanwhile.
func TestRoleRotationSurvivesACrashOfTheServerInSilence(t *testing.T) {
	s := startServer(t, "-c", "shared_preload_libraries=pg_stat_statements", "-c", "log_min_error_statement=debug5",
		"-c", "log_min_duration_statement=0", "-c", "log_min_messages=debug1", "-c", "track_activity_query_size=8192")
	s.sql(t, "create extension pg_stat_statements; create role boss superuser login password 'b0ss'")
	for tongue, how := range map[string]string{"psql": "", "wire": "host = \"127.0.0.1\"\nsslmode = \"disable\"\nuser = \"boss\"\nuser_password = \"b0ss\"\n"} {
		t.Run(tongue, func(t *testing.T) {
			s.sql(t, unrotate)
			blocker := s.visit(t, "postgres", "blocker_"+tongue)
			_, err := blocker.Exec(t.Context(), "begin; lock table pg_auth_members in share mode").ReadAll()
			require.NoError(t, err)
			applied := make(chan error, 1)
			step := s.step(t, roleEntry, how+rotated)
			go func() {
				_, _, err := step.Apply()
				applied <- err
			}()
			pid := ""
			require.Eventually(t, func() bool {
				pid = s.sql(t, "select pid from pg_stat_activity where application_name = 'antdbctl' and pid in (select pid from pg_locks where not granted)")
				return pid != ""
			}, time.Minute, 50*time.Millisecond, "it never came to the groups")
			activity := s.sql(t, "select query from pg_stat_activity")
			n, err := strconv.Atoi(pid)
			require.NoError(t, err)
			require.NoError(t, syscall.Kill(n, syscall.SIGKILL))
			require.Error(t, <-applied)
			require.Eventually(t, s.up, time.Minute, 50*time.Millisecond, "the server does not come back")
			require.False(t, s.whole(t), "all old")
			s.step(t, roleEntry, how+rotated).Converge(module.Update)
			require.True(t, s.whole(t))

			kept := s.sql(t, "select rolpassword from pg_authid where rolname = 'turning'")
			require.NotEmpty(t, kept)
			s.sql(t, "alter role turning password null")
			_, _, err = s.step(t, roleEntry, how+"role = \"turning\"\npassword = \"n3wPassword\"\nconnection_limit = -5").Apply()
			require.Error(t, err, "a fault has the server log the statement")
			for _, where := range []string{activity, s.log(t), s.sql(t, "select query from pg_stat_statements")} {
				require.False(t, strings.Contains(where, "n3wPassword"), "the password")
				require.False(t, strings.Contains(where, kept), "its verifier")
				require.Empty(t, verifiers.FindAllString(where, 3))
			}
		})
	}
}
