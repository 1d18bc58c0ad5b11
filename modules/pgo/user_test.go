package pgo

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestUserExampleFitsTheModule(t *testing.T) { moduletest.Example(t, module.Of[User]()) }

func TestUserUpdateIsTheRecordedRequest(t *testing.T) {
	o := newOperator(t, recorded(t, "rest-traffic.txt", "rest-traffic-errors.txt"))
	a, err := o.client(t, nil)
	require.NoError(t, err)
	p := &userPlace{cluster: "hippo", namespace: "pgouser1", user: "testuser", password: secret.New("newPass22"), validDays: 30}
	require.NoError(t, a.updateUser42(t.Context(), p))
	require.Empty(t, o.unknown, "the request is the recorded one, to the byte")
}

// No update was recorded of 4.7; its fields are those of its source, in the
// order in which the recorded /usercreate has those that both have.
func TestUserUpdate47HasTheFieldsOfItsSource(t *testing.T) {
	text, err := json.Marshal(updateUser47{ClientVersion: "4.7.10", Clusters: []string{"hippo47"}, Namespace: "pguser47", Username: "appuser", ManagedUser: true})
	require.NoError(t, err)
	require.Equal(t, `{"AllFlag":false,"ClientVersion":"4.7.10","Clusters":["hippo47"],"Expired":0,"ExpireUser":false,"LoginState":0,"ManagedUser":true,`+
		`"Namespace":"pguser47","Password":"","PasswordAgeDays":0,"PasswordLength":0,"PasswordType":"","PasswordValidAlways":false,"RotatePassword":false,`+
		`"Selector":"","SetSystemAccountPassword":false,"Username":"appuser"}`, string(text))
	var create, update map[string]any
	require.NoError(t, json.Unmarshal([]byte(recorded47(t, "create-user")[1].body), &create))
	require.NoError(t, json.Unmarshal(text, &update))
	for field, value := range create {
		require.Contains(t, update, field)
		require.Equal(t, value, update[field], field)
	}
}

// The recorded answers of 4.7 about users: Code is "ok" in all of them.
func TestErrorsOf47StandInTheResults(t *testing.T) {
	p := &userPlace{cluster: "hippo47", namespace: "pguser47", user: "appuser", password: secret.New("x")}
	want := []string{`primary pod not found for selector "pg-cluster=hippo47,role=master"`, "", "", `ERROR:  role "appuser" already exists`}
	for i, e := range recorded47(t, "create-user") {
		err := oneAnswer(t, e.status, e.answer).updateUser47(t.Context(), p, authMD5)
		if want[i] == "" {
			require.NoError(t, err)
			continue
		}
		no := (*Refusal)(nil)
		require.ErrorAs(t, err, &no)
		require.Equal(t, want[i], no.Msg)
		require.NotContains(t, fmt.Sprint(err), "PE<SB", "the password that was never set goes nowhere")
	}
	err := oneAnswer(t, 200, `{"Results":[],"Code":"ok","Msg":""}`).updateUser47(t.Context(), p, authMD5)
	require.ErrorContains(t, err, "it changed no password of appuser, though it says ok")
}

// After a failover the Deployments may lack the label that 4.2 goes by.
func TestOkWithoutResultsIsNoChange(t *testing.T) {
	p := &userPlace{cluster: "hippo", user: "testuser", password: secret.New("x")}
	err := oneAnswer(t, 200, `{"Results":[],"Code":"ok","Msg":""}`).updateUser42(t.Context(), p)
	require.ErrorContains(t, err, "it changed no password of testuser, though it says ok")
}

func TestUserRules(t *testing.T) {
	good := User{Cluster: "hippo", User: "app-1.x", Password: secret.New("x")}
	require.NoError(t, good.Validate())
	for arg, change := range map[string]func(*User){
		"user":       func(u *User) { u.User = "primaryuser" },
		"user ":      func(u *User) { u.User = "App" },
		"user  ":     func(u *User) { u.User = "a_b" },
		"password":   func(u *User) { u.Password = secret.New("") },
		"valid_days": func(u *User) { u.ValidDays = -1 },
	} {
		u := good
		change(&u)
		requireAt(t, u.Validate(), strings.TrimSpace(arg), "")
	}
}
