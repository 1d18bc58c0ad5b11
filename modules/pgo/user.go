package pgo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed user.hcl
var userExample string

// User is one database user that the operator made, with its password.
type User struct {
	Cluster      string        `hcl:"cluster" doc:"Name of the cluster."`
	User         string        `hcl:"user" doc:"Name of the user."`
	Password     secret.Value  `hcl:"password" doc:"The password to have, in the database and in the Secret."`
	Namespace    string        `hcl:"namespace,optional" doc:"Namespace of the cluster; the target's by default."`
	ValidDays    int           `hcl:"valid_days,optional" doc:"Days until a password that this step sets expires; 0 for never. PGO 4 only."`
	API          *API          `hcl:"api,block" doc:"How to reach the apiserver of PGO 4. Without it, and without the pgo client's settings, its database is changed in the primary's container."`
	ApplyTimeout time.Duration `hcl:"apply_timeout,optional" default:"3m" doc:"How long until the new password works and the old one does not."`

	Secret string `out:"secret" doc:"Name of the Secret that holds the password."`

	getenv func(string) string // os.Getenv when nil
	pace   time.Duration       // between two looks; half a second when 0
	// container opens the database container of a pod; by exec when nil
	container func(ctx context.Context, pod string) (conn.Runner, error)
	seen      *userState // at the last Check
}

func (*User) Info() module.Info {
	return module.Info{
		Name:    "pgo.user",
		Summary: "Keeps the password of a user that PGO made, in the database and in its Secret alike.",
		Doc: "Looks whether the user's Secret holds the password and whether a login with it works at the primary. Where one of them " +
			"does not, the password is changed through the operator's own way, so that the two never disagree for long: by its apiserver (PGO 4; " +
			"user calls of 4.2 and of 4.3 to 4.7), by the Secret alone (PGO 5 and 6, whose operator brings the database after it), or in the primary's " +
			"container and then in the Secret (PGO 4 where the apiserver is not to be had). The step ends when the Secret holds the new password, " +
			"a login with it works, and one with the old does not.\n\n" +
			"A run that is killed anywhere on that way, or an operator that is, leaves the database and the Secret apart: the next run sees " +
			"that and mends it, whichever of them is behind.\n\n" +
			"The password travels in request bodies and over stdin, never in arguments of a command; what SQL there is holds a verifier made of it.\n\n" +
			"`postgres` is changed by the apiserver only. `primaryuser`, which Patroni replicates as, is not changed at all: Patroni goes on with the " +
			"password that it read at its start, and the replicas would lose their primary. A user that PGO does not know is the business of sql.role.",
		On:      []string{conn.Kubernetes},
		Example: userExample,
		Outward: true,
	}
}

// managedName is what PGO takes as a user's name; the Secret is called by it.
var managedName = regexp.MustCompile(`^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$`)

// Validate has the rules of the operators.
func (u *User) Validate() error {
	switch {
	case u.User == "primaryuser":
		return module.At("user", errors.New("primaryuser is Patroni's own: it goes on with the password that it read at its start, and the replicas would lose their primary"))
	case !managedName.MatchString(u.User):
		return module.At("user", fmt.Errorf("%q is no name of a user that PGO makes: lower-case letters, digits, - and . only; sql.role keeps others", u.User))
	case u.Password.IsZero():
		return module.At("password", errors.New("the password is empty"))
	case u.ValidDays < 0 || u.ValidDays > forever:
		return module.At("valid_days", fmt.Errorf("%d is not between 0 (never expires) and %d days", u.ValidDays, forever))
	}
	return nil
}

// Check compares the Secret and the database with the runbook.
func (u *User) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	p, err := u.open(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	if u.seen, err = p.look(ctx); err != nil {
		return module.NoChange, err
	}
	u.Secret = p.secret
	return u.seen.wanted(p), nil
}

func (s *userState) wanted(p *userPlace) module.Change {
	var diff []module.Diff
	holds := "(another)"
	if !s.kept.found {
		holds = "(no Secret)"
	}
	if !s.holds {
		diff = append(diff, module.Diff{Path: "secret " + p.secret, Before: holds, After: secret.Hidden})
	}
	if !s.entry.admitted {
		diff = append(diff, module.Diff{Path: "password in the database", Before: "(another)", After: secret.Hidden})
	}
	switch {
	case len(diff) == 0:
		return module.NoChange
	case s.entry.admitted:
		return module.Change{Action: module.Update, Diff: diff, Summary: fmt.Sprintf("user %s of %s: the Secret lags behind the database", p.user, p.cluster)}
	case s.holds:
		return module.Change{Action: module.Update, Diff: diff, Summary: fmt.Sprintf("user %s of %s: the database lags behind the Secret", p.user, p.cluster)}
	}
	return module.Change{Action: module.Update, Diff: diff, Summary: fmt.Sprintf("user %s of %s: change the password (%s)", p.user, p.cluster, p.way.generation())}
}

// Apply changes the password and waits until it is the one.
func (u *User) Apply(ctx context.Context, env *module.Env) error {
	p, err := u.open(ctx, env)
	if err != nil {
		return err
	}
	env.Phase("change")
	// With postgres in the database already, the apiserver could not even log in
	// by its Secret: that is then all there is to mend.
	var refusal error
	if !u.seen.entry.admitted || p.user != superuser || p.way.follows() {
		if refusal = p.way.change(ctx, p, u.seen); refusal != nil && !errors.As(refusal, new(*Refusal)) {
			return refusal
		}
	}
	env.Phase("prove")
	return p.settle(ctx, u.seen.kept.password, u.ApplyTimeout, refusal)
}
