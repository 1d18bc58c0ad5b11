package patroni

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/patroni/writer"
)

// login is the writer's: as given, or out of a Secret.
func (d *Drill) login(ctx context.Context) (login, error) {
	l := login{user: d.User, password: d.Password, database: d.Database, sslmode: d.SSLMode}
	if !d.Password.IsZero() {
		return l, nil
	}
	name := d.LoginSecret
	if name == "" {
		if d.User != "" || managed5(d.place.members[0].pod) {
			return l, module.At("password", errors.New("give the password of the role that writes, or the Secret that has both (login_secret)"))
		}
		name = d.place.name + "-postgres-secret"
	}
	s, err := d.place.kube.Clientset().CoreV1().Secrets(d.place.namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return l, module.At("login_secret", fmt.Errorf("read Secret %s: %w", name, err))
	}
	user := firstOf(d.User, string(s.Data["username"]), string(s.Data["user"]))
	if user == "" || len(s.Data["password"]) == 0 {
		return l, module.At("login_secret", fmt.Errorf("Secret %s has no username and password", name))
	}
	l.user, l.password = user, secret.New(string(s.Data["password"]))
	return l, nil
}

// opener connects the way that clients do.
func (d *Drill) opener(ctx context.Context, env *module.Env, l login) (open func(context.Context) (*pgconn.PgConn, error), err error) {
	// Found once: the writer goes on while the place looks for its members anew.
	cluster, service := d.place.kube, fmt.Sprintf("svc/%s.%s:%d", d.service(), d.place.namespace, databasePort)
	dial := func(ctx context.Context) (net.Conn, error) { return cluster.Dial(ctx, "tcp", service) }
	if d.Address != "" {
		from := d.From
		if from.IsZero() {
			from = conn.Target{Kind: conn.Local, Name: "this machine"}
		}
		host, err := env.Dialer.Dial(ctx, from)
		if err != nil {
			return nil, module.At("from", err)
		}
		if _, _, err := net.SplitHostPort(d.Address); err != nil {
			return nil, module.At("address", err)
		}
		dial = func(ctx context.Context) (net.Conn, error) { return host.Dial(ctx, "tcp", d.Address) }
	}
	l.sslmode, err = settle(ctx, l, dial)
	return func(ctx context.Context) (*pgconn.PgConn, error) { return l.connect(ctx, dial) }, err
}

// settle finds whether the server encrypts, so that the writer does not try
// both at each connection, which would count as downtime.
func settle(ctx context.Context, l login, dial func(context.Context) (net.Conn, error)) (string, error) {
	c, err := l.connect(ctx, dial)
	if err != nil {
		return "", l.refused(fmt.Errorf("log in as clients do: %w", err))
	}
	defer closeSession(c)
	if _, encrypted := c.Conn().(*tls.Conn); encrypted {
		return "require", nil
	}
	return "disable", nil
}

// service is what leads to the primary: PGO 5 calls it by Patroni's scope.
func (d *Drill) service() string {
	if pod := d.place.members[0].pod; managed5(pod) {
		return firstOf(scope(pod), d.place.name+"-ha")
	}
	return d.place.name
}

// prepare makes the table anew and so proves that the writer can write.
func (d *Drill) prepare(ctx context.Context, w *writer.Writer) error {
	err := w.Do(ctx, "drop table if exists "+drillTable, "create table "+drillTable+" (n bigint primary key, at timestamptz not null default clock_timestamp())")
	if err != nil {
		return fmt.Errorf("make the table %s: %w", drillTable, err)
	}
	return nil
}

func (d *Drill) drop(ctx context.Context, w *writer.Writer) error {
	if err := w.Do(ctx, "drop table if exists "+drillTable); err != nil {
		return fmt.Errorf("the table %s is left in database %s: %w", drillTable, d.Database, err)
	}
	return nil
}
