package pgo

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// forever is what a password's age may be at most: the apiserver of 4.2 counts
// days from today, and 0 days end it today. This is a hundred years.
const forever = 36500

type updateUser42 struct {
	Clusters []string
	Selector string

	AllFlag, ExpireUser bool

	Namespace             string
	PasswordAgeDays       int
	PasswordAgeDaysUpdate bool

	Username, Password, DeleteUser, ValidDays, UserDBAccess, AddUser, Expired string

	ManagedUser    bool
	ClientVersion  string
	PasswordLength int
}

// wayREST changes passwords through the apiserver of PGO 4.
type wayREST struct {
	names4
	api   *api
	minor int // of the version that the cluster's record has; 0 where it has none
}

func (w wayREST) generation() string {
	if w.minor == 0 {
		return "PGO 4 REST"
	}
	return fmt.Sprintf("4.%d REST", w.minor)
}

func (w wayREST) change(ctx context.Context, p *userPlace, s *userState) error {
	minor, err := w.api.meet(ctx)
	switch {
	case err != nil:
		return err
	case minor == 2:
		return w.api.updateUser42(ctx, p)
	}
	return w.api.updateUser47(ctx, p, s.entry.asked)
}

// updateUser42 has the apiserver of 4.2 set the role's password, as md5, delete
// the Secret and make it anew.
func (a *api) updateUser42(ctx context.Context, p *userPlace) error {
	in := updateUser42{
		Clusters: []string{p.cluster}, Namespace: p.namespace, Username: p.user, Password: p.password.Reveal(),
		PasswordAgeDays: cmp.Or(p.validDays, forever), ClientVersion: a.speaks, PasswordLength: passwordLength,
	}
	var out struct{ Results []string }
	if err := a.call(ctx, http.MethodPost, "/userupdate", in, &out); err != nil {
		return err
	}
	for _, line := range out.Results {
		if strings.HasPrefix(line, "changing password of user "+p.user+" on ") {
			return nil
		}
	}
	// It goes by the Deployments with the label service-name, and says ok when it finds none.
	return &Refusal{fmt.Sprintf("it changed no password of %s, though it says ok", p.user)}
}

// passwordLength is what the pgo client sends; it matters only where the
// apiserver is to invent a password.
const passwordLength = 22

type updateUser47 struct {
	AllFlag                  bool
	ClientVersion            string
	Clusters                 []string
	Expired                  int
	ExpireUser               bool
	LoginState               int
	ManagedUser              bool
	Namespace                string
	Password                 string
	PasswordAgeDays          int
	PasswordLength           int
	PasswordType             string
	PasswordValidAlways      bool
	RotatePassword           bool
	Selector                 string
	SetSystemAccountPassword bool
	Username                 string
}

// userResult is what the apiserver of 4.3 to 4.7 says of one user on one
// cluster. It has a field Password too, which is not read: with Error it holds
// one that was never set.
type userResult struct {
	ClusterName, Username, ErrorMessage string
	Error                               bool
}

// updateUser47 has the apiserver of 4.3 to 4.7 run psql in the primary's
// container, then write the Secret; where that fails, it only logs a warning.
func (a *api) updateUser47(ctx context.Context, p *userPlace, asked authentication) error {
	in := updateUser47{
		ClientVersion: a.speaks, Clusters: []string{p.cluster}, Namespace: p.namespace,
		Username: p.user, Password: p.password.Reveal(), PasswordAgeDays: p.validDays, PasswordValidAlways: p.validDays == 0,
		SetSystemAccountPassword: p.user == superuser,
	}
	if asked == authSASL { // else the apiserver keeps md5, which could not log in here
		in.PasswordType = "scram-sha-256"
	}
	var out struct{ Results []userResult }
	if err := a.call(ctx, http.MethodPost, "/userupdate", in, &out); err != nil {
		return err
	}
	for _, r := range out.Results {
		switch {
		case r.Error:
			return &Refusal{strings.TrimSpace(r.ErrorMessage)}
		case r.ClusterName == p.cluster && r.Username == p.user:
			return nil
		}
	}
	return &Refusal{fmt.Sprintf("it changed no password of %s, though it says ok", p.user)}
}
