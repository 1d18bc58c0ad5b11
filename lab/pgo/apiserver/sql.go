package apiserver

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"strings"

	"github.com/lib/pq"
)

// Postgres is the Database of a running apiserver. Its driver is as old as the original's: it knows md5 passwords and
// fails against SCRAM with "unknown authentication response: 10".
type Postgres struct{}

// Exec runs the statements one by one in database postgres; address is host:port.
func (Postgres) Exec(ctx context.Context, address, password string, statements ...string) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("address of the primary: %w", err)
	}
	connector, err := pq.NewConnector(fmt.Sprintf(
		"host=%s port=%s user=postgres password=%s dbname=postgres sslmode=disable connect_timeout=10",
		host, port, quoteValue(password)))
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

// quoteValue makes any text one value of a connection string.
func quoteValue(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}
