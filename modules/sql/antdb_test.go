package sql

import (
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// antdb is a fake: AntDB cannot be had here. It speaks the server's side of the
// protocol, reports the parameters and gives the answers that AntDB's sources
// and the story have, and notes what it is asked.
type antdb struct {
	port    int
	reports map[string]string // ParameterStatus at login
	answer  map[string]string // of every look, by column; a column that is missing is null
	refuse  *pgproto3.ErrorResponse

	mu     sync.Mutex
	asked  []string
	logins int
}

// standalone is the server of the story.
func standalone() *antdb {
	return &antdb{
		reports: map[string]string{"server_version": "11.5", "client_encoding": "UTF8", "standard_conforming_strings": "on", "grammar": "postgres", "nls_date_format": "YYYY-MM-DD"},
		answer: map[string]string{
			"version":        "PostgreSQL 11.5 ADB 4.1devel 461fafc on x86_64-pc-linux-gnu, compiled by gcc (GCC) 4.8.5 20150623 (Red Hat 4.8.5-39), 64-bit",
			"server_version": "11.5", "num": "110005", "grammar": "postgres", "nls": "YYYY-MM-DD", "oracle": "t", "system": "6800000000000000001",
			"data": "/pgdata/antdb", "role": "primary", "writes": "00000001", "started": "2020-03-01T08:00:00Z", "a replica": "f",
		},
	}
}

// with is the same server with other answers; "-" takes one away.
func (a *antdb) with(answers ...string) *antdb {
	for i := 0; i < len(answers); i += 2 {
		if a.answer[answers[i]] = answers[i+1]; answers[i+1] == "-" {
			delete(a.answer, answers[i])
		}
	}
	return a
}

func (a *antdb) start(t *testing.T) *antdb {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	a.port = l.Addr().(*net.TCPAddr).Port
	var served sync.WaitGroup
	t.Cleanup(func() {
		require.NoError(t, l.Close())
		served.Wait()
	})
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer c.Close()
				a.serve(c)
			})
		}
	})
	return a
}

// serve ends with the connection; what a client then waits for fails its test.
func (a *antdb) serve(c net.Conn) {
	b := pgproto3.NewBackend(c, c)
	for {
		m, err := b.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, ssl := m.(*pgproto3.SSLRequest); !ssl {
			break
		}
		if _, err := c.Write([]byte("N")); err != nil {
			return
		}
	}
	a.mu.Lock()
	a.logins++
	a.mu.Unlock()
	if a.refuse != nil {
		b.Send(a.refuse)
		_ = b.Flush()
		return
	}
	b.Send(&pgproto3.AuthenticationOk{})
	for name, value := range a.reports {
		b.Send(&pgproto3.ParameterStatus{Name: name, Value: value})
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	for b.Flush() == nil {
		m, err := b.Receive()
		if err != nil {
			return
		}
		if q, ok := m.(*pgproto3.Query); ok {
			a.reply(b, q.String)
		}
	}
}

func (a *antdb) reply(b *pgproto3.Backend, statement string) {
	a.mu.Lock()
	a.asked = append(a.asked, statement)
	a.mu.Unlock()
	if strings.HasPrefix(statement, lookHead) {
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("START TRANSACTION")})
		var fields []pgproto3.FieldDescription
		var row [][]byte
		for name, value := range a.answer {
			fields = append(fields, pgproto3.FieldDescription{Name: []byte(name), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1})
			row = append(row, []byte(value))
		}
		b.Send(&pgproto3.RowDescription{Fields: fields})
		b.Send(&pgproto3.DataRow{Values: row})
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")})
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("ROLLBACK")})
	} else {
		b.Send(&pgproto3.CommandComplete{CommandTag: []byte("SET")})
	}
	b.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
}

func (a *antdb) step(t *testing.T, entry module.Entry, args string) *moduletest.Step {
	t.Helper()
	return moduletest.New(t, entry, local.New(), fmt.Sprintf("host = \"127.0.0.1\"\nsslmode = \"disable\"\nport = %d\n", a.port)+args, map[string]cty.Value{})
}

func TestModulesReadThemselvesInPostgresGrammar(t *testing.T) {
	oracle := standalone()
	oracle.reports["grammar"] = "oracle"
	oracle.start(t)
	_, _, err := oracle.step(t, queryEntry, `sql = "select sysdate from dual"`).Check()
	require.NoError(t, err)
	require.Equal(t, []string{lookHead + "select sysdate from dual" + lookTail}, oracle.asked, "a question is asked as the server is set")

	oracle.answer = map[string]string{"found": "t", "limit": "-1", "encryption": "md5"}
	_, _, err = oracle.step(t, roleEntry, `role = "x"`).Check()
	require.NoError(t, err)
	require.Len(t, oracle.asked, 3)
	require.Equal(t, "set grammar to postgres", oracle.asked[1])
}
