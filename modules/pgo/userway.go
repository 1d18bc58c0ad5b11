package pgo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// way is how one generation of the operator changes a user's password.
type way interface {
	generation() string
	secretName(cluster, user string) string
	primary(cluster string) string // label selector of the pod that leads
	// change sets the password, in the database, the Secret or both. It may be
	// called again after it was cut short anywhere. A *Refusal may come after the
	// work was done.
	change(ctx context.Context, p *userPlace, s *userState) error
	// follows reports that the operator brings the database after the Secret, so
	// that the Secret has the first word.
	follows() bool
}

// names4 are the names of PGO 4.
type names4 struct{}

func (names4) secretName(cluster, user string) string { return cluster + "-" + user + "-secret" }
func (names4) primary(cluster string) string          { return "pg-cluster=" + cluster + ",role=master" }
func (names4) follows() bool                          { return false }

// wayResource changes passwords of PGO 4 where its apiserver is not to be had:
// the operator looks at a user's Secret only when it makes the cluster, so the
// database is changed in its own container, and then the Secret.
type wayResource struct {
	names4
	container func(ctx context.Context, pod string) (conn.Runner, error)
}

func (wayResource) generation() string { return "Pgcluster resource" }

func (w wayResource) change(ctx context.Context, p *userPlace, s *userState) error {
	if s.entry.admitted {
		return nil // an earlier run came that far
	}
	if p.user == superuser {
		return module.At("user", module.Explain(
			fmt.Errorf("the password of %s is not changed by SQL: the operator and Patroni use it", superuser),
			"give the step an api block: PGO's apiserver changes it"))
	}
	run, err := w.container(ctx, s.pod.Name)
	if err != nil {
		return err
	}
	out, err := psql(ctx, run, "show password_encryption;\n")
	if err != nil {
		return fmt.Errorf("ask %s how it keeps passwords: %w", s.pod.Name, err)
	}
	verifier := md5Of(p.user, p.password)
	if strings.TrimSpace(out) == "scram-sha-256" || s.entry.asked == authSASL {
		if verifier, err = scramOf(p.password); err != nil {
			return err
		}
	}
	until := "infinity"
	if p.validDays > 0 {
		until = time.Now().AddDate(0, 0, p.validDays).Format(time.DateOnly)
	}
	_, err = psql(ctx, run, fmt.Sprintf("alter role %s password %s valid until %s;\n", quoted(`"`, p.user), quoted("'", verifier.Reveal()), quoted("'", until)))
	if err != nil {
		return module.At("user", fmt.Errorf("change the password of %s in %s: %w", p.user, s.pod.Name, err))
	}
	return nil
}

// psql runs SQL as the server's own superuser, over the socket. The text goes
// through stdin: nobody sees it in a list of processes.
func psql(ctx context.Context, run conn.Runner, text string) (string, error) {
	res, err := run.Run(ctx, conn.Cmd{
		Args:  []string{"psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-U", superuser, "-d", "postgres"},
		Env:   map[string]secret.Value{"PGAPPNAME": secret.New("antdbctl"), "PGCLIENTENCODING": secret.New("UTF8")},
		Stdin: strings.NewReader(text),
	})
	return res.Stdout, err
}

// quoted is text as SQL has it between marks. None of the texts here holds a
// backslash: names of users are checked, verifiers are base64.
func quoted(mark, text string) string {
	return mark + strings.ReplaceAll(text, mark, mark+mark) + mark
}

const superuser = "postgres"

// wayPostgresCluster changes passwords of PGO 5 and 6: their operator keeps the
// database after the Secret.
type wayPostgresCluster struct{}

func (wayPostgresCluster) generation() string { return "PostgresCluster" }
func (wayPostgresCluster) follows() bool      { return true }

func (wayPostgresCluster) secretName(cluster, user string) string { return cluster + "-pguser-" + user }

func (wayPostgresCluster) primary(cluster string) string {
	const prefix = "postgres-operator.crunchydata.com/"
	return prefix + "cluster=" + cluster + "," + prefix + "role=master"
}

// change writes password and verifier at once. A verifier is made anew even where
// the password is there: the operator acts on what differs from its last word,
// and so a password that somebody changed in the database comes back.
func (wayPostgresCluster) change(ctx context.Context, p *userPlace, s *userState) error {
	verifier, err := scramOf(p.password)
	if err != nil {
		return err
	}
	return patchKept(ctx, p.kube.Clientset(), p.namespace, p.secret, map[string]secret.Value{"password": p.password, "verifier": verifier})
}
