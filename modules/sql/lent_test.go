package sql

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// meter is this machine as a pool's host, with a count of what goes through it.
type meter struct {
	conn.Host
	dir    string
	runs   atomic.Int32 // commands
	logins atomic.Int32 // connections
	turns  atomic.Int32 // times that a client spoke after the server had
}

func (m *meter) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	m.runs.Add(1)
	return (&socket{Host: m.Host, dir: m.dir}).Run(ctx, cmd)
}

func (m *meter) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	m.logins.Add(1)
	c, err := m.Host.Dial(ctx, network, addr)
	return &metered{Conn: c, turns: &m.turns}, err
}

type metered struct {
	net.Conn
	turns *atomic.Int32
	spoke bool
}

func (c *metered) Write(p []byte) (int, error) {
	if !c.spoke {
		c.spoke = true
		c.turns.Add(1)
	}
	return c.Conn.Write(p)
}

func (c *metered) Read(p []byte) (int, error) {
	c.spoke = false
	return c.Conn.Read(p)
}

// pooled gives the meter and a way to make steps that share it, as a run does.
func (s *server) pooled(t *testing.T) (*meter, func(entry module.Entry, args string) *moduletest.Step) {
	t.Helper()
	m := &meter{Host: local.New(), dir: s.dir}
	pool := conn.NewPool(map[string]conn.Opener{conn.Local: func(context.Context, conn.Target, conn.Settings, conn.Dialer) (conn.Host, error) { return m, nil }}, nil)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return m, func(entry module.Entry, args string) *moduletest.Step {
		h, err := pool.Dial(t.Context(), conn.Target{Kind: conn.Local})
		require.NoError(t, err)
		return moduletest.New(t, entry, conntest.ReadOnly(t, h), args+fmt.Sprintf("\nport = %d\n", s.port), map[string]cty.Value{})
	}
}

type declared struct {
	entry module.Entry
	args  string
}

// tenThings are ten declarations that a server of prepare fulfils.
var tenThings = []declared{
	{roleEntry, "role = \"app\"\npassword = \"密码' \\\\ / & x\"\nin_roles = [\"pg_monitor\"]"},
	{roleEntry, "role = \"report\"\nconnection_limit = -1"},
	{databaseEntry, "name = \"orders\"\nowner = \"app\"\nencoding = \"UTF8\"\nconnect = [\"report\"]"},
	{databaseEntry, "name = \"postgres\""},
	{grantEntry, "role = \"report\"\non_database = [\"connect\"]\nexact = true"},
	{grantEntry, "role = \"report\"\non_tables = [\"select\"]\nfuture = [\"app\"]\nmember_of = [\"pg_read_all_stats\"]"},
	{grantEntry, "role = \"public\"\non_schema = [\"usage\"]"},
	{extensionEntry, "name = \"plpgsql\""},
	{extensionEntry, "name = \"plpgsql\"\nupdate = true"},
	{identityEntry, "expect_product = \"PostgreSQL\""},
}

func (s *server) prepare(t *testing.T) {
	t.Helper()
	s.sql(t, `create role app login password '密码'' \ / & x' in role pg_monitor; create role report login in role pg_read_all_stats;
		grant connect on database postgres to report; alter default privileges for role app in schema public grant select on tables to report;
		create role boss superuser login password 'b0ss'`)
	s.sql(t, "create database orders owner app encoding 'UTF8' template template0")
}

func TestTenThingsInOrderAreOneLoginAndOneQuestionEach(t *testing.T) {
	s := startServer(t)
	s.prepare(t)
	m, step := s.pooled(t)
	for _, thing := range tenThings {
		change, _, err := step(thing.entry, thing.args).Check()
		require.NoError(t, err, thing.args)
		require.Equal(t, module.NoChange, change, thing.args)
	}
	require.EqualValues(t, 1, m.runs.Load(), "one psql for all")

	over := map[string]string{"sql.role": "user_password", "sql.database": "password", "sql.grant": "password", "sql.extension": "password"}
	m, step = s.pooled(t)
	asked := 0
	login := int32(0)
	for _, thing := range tenThings {
		password, ok := over[thing.entry.Name]
		if !ok {
			continue // sql.identity proves its login, and so makes its own
		}
		args := thing.args + "\nhost = \"127.0.0.1\"\nuser = \"boss\"\nsslmode = \"disable\"\n" + password + " = \"b0ss\""
		before := m.turns.Load()
		change, _, err := step(thing.entry, args).Check()
		require.NoError(t, err, args)
		require.Equal(t, module.NoChange, change, args)
		if asked++; asked == 1 {
			login = m.turns.Load() - before - 1
		}
	}
	require.EqualValues(t, 1, m.logins.Load())
	require.LessOrEqual(t, login, int32(3), "the start, SCRAM's two answers")
	require.EqualValues(t, asked, m.turns.Load()-login, "one round trip each")
}

func TestALentLogin(t *testing.T) {
	s := startServer(t)
	s.prepare(t)
	t.Run("serves many at once", func(t *testing.T) { testLentToMany(t, s) })
	t.Run("outlives faults", func(t *testing.T) { testLentOutlivesFaults(t, s) })
	t.Run("is not for a query with a password", func(t *testing.T) { testLentNotForPasswords(t, s) })
	t.Run("is not in the way", func(t *testing.T) { testLentOutOfTheWay(t, s) })
}

func testLentToMany(t *testing.T, s *server) {
	m, step := s.pooled(t)
	var all sync.WaitGroup
	errs := make(chan error, 3*len(tenThings))
	for range 3 {
		for _, thing := range tenThings {
			one := step(thing.entry, thing.args)
			all.Go(func() {
				_, _, err := one.Check()
				errs <- err
			})
		}
	}
	all.Wait()
	for range 3 * len(tenThings) {
		require.NoError(t, <-errs)
	}
	require.Less(t, m.runs.Load(), int32(3*len(tenThings)), "they took turns; only who waited long logged in alone")
}

func testLentOutlivesFaults(t *testing.T, s *server) {
	for name, how := range map[string]string{
		"psql": "",
		"wire": "host = \"127.0.0.1\"\nuser = \"boss\"\nuser_password = \"b0ss\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			_, step := s.pooled(t)
			look := func() error {
				_, _, err := step(roleEntry, how+"role = \"report\"").Check()
				return err
			}
			require.NoError(t, look())
			s.sql(t, "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'antdbctl'")
			require.NoError(t, look(), "a session that the server ended is begun anew")
			_, _, err := step(grantEntry, strings.ReplaceAll(how, "user_password", "password")+"role = \"nosuch\"\non_schema = [\"usage\"]").Check()
			requireAt(t, err, "role", "there is no role nosuch")
			require.NoError(t, look())
		})
	}
}

func testLentOutOfTheWay(t *testing.T, s *server) {
	m, step := s.pooled(t)
	_, _, err := step(extensionEntry, "name = \"plpgsql\"\ndatabase = \"orders\"").Check()
	require.NoError(t, err)
	require.Equal(t, "1", s.sql(t, "select count(*) from pg_stat_activity where datname = 'orders'"), "the session stays for the next step")
	dropper := step(databaseEntry, "name = \"orders\"")
	dropper.Env().Host = m
	require.NoError(t, dropper.Destroy(), "and is gone before the server gives up waiting for that")
	require.Positive(t, m.runs.Load())
	require.Eventually(t, func() bool {
		return s.sql(t, "select count(*) from pg_stat_activity where application_name = 'antdbctl'") == "0"
	},
		20*time.Second, 100*time.Millisecond, "an idle session ends by itself")
}

func testLentNotForPasswords(t *testing.T, s *server) {
	m, step := s.pooled(t)
	login := func() error {
		_, _, err := step(queryEntry, "host = \"127.0.0.1\"\nsslmode = \"disable\"\nuser = \"boss\"\npassword = \"b0ss\"\nsql = \"select 1\"").Check()
		return err
	}
	require.NoError(t, login())
	s.sql(t, "alter role boss password 'other'")
	requireAt(t, login(), "password", "authentication failed")
	require.EqualValues(t, 2, m.logins.Load())
}
