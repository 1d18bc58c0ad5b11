package pgo

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

// world is a cluster "hippo" with its users: the database is a real PostgreSQL,
// the API server keeps objects, and the operator is a fake that does what its
// generation was seen, or read, to do with users.
type world struct {
	*server
	*store
	operator *operator
	env      *module.Env

	logged  int    // by the server, before the test
	version string // of the apiserver
	asked   []updateAsked
	dies    string // where the operator is killed: "after the database", "without the Secret"
	says    string // an answer instead of all work
	event   bool   // there is no EVENT_ADDR: the work is done and answered with an error
	warns   bool   // 4.7 cannot write the Secret, and only logs that
}

type updateAsked struct {
	Clusters                              []string
	Namespace, Username, Password         string
	ClientVersion, PasswordType           string
	PasswordAgeDays                       int
	PasswordValidAlways                   bool
	SetSystemAccountPassword, ManagedUser bool
}

func userSecret(name, user, password string) object {
	b64 := base64.StdEncoding.EncodeToString
	return object{"apiVersion": "v1", "kind": "Secret", "metadata": object{"name": name, "namespace": "pgouser1",
		"labels": object{"pg-cluster": "hippo", "vendor": "crunchydata"}}, "data": object{"username": b64([]byte(user)), "password": b64([]byte(password))}}
}

func readyPod(name string, labels object) object {
	return object{"apiVersion": "v1", "kind": "Pod", "metadata": object{"name": name, "namespace": "pgouser1", "labels": labels},
		"spec":   object{"containers": []any{object{"name": "database", "ports": []any{object{"containerPort": int64(5432)}}}}},
		"status": object{"phase": "Running", "conditions": []any{object{"type": "Ready", "status": "True"}}}}
}

// newWorld has the user testuser with the password Old1, in the database and in
// its Secret.
func newWorld(t *testing.T, s *server, version string) *world {
	t.Helper()
	w := &world{server: s, version: version, operator: newOperator(t, nil)}
	w.sql(t, "drop role if exists testuser, strict, open, barred; create role testuser login password 'Old1'; "+
		"create role strict login; create role open login; create role barred login; alter role postgres password 'Root1' valid until 'infinity'")
	w.logged = len(w.log(t))
	w.store = newStore(readyPod("hippo-1", object{"pg-cluster": "hippo", "role": "master"}),
		userSecret("hippo-testuser-secret", "testuser", "Old1"), userSecret("hippo-postgres-secret", "postgres", "Root1"))
	if strings.HasPrefix(version, "4.") {
		w.put(object{"apiVersion": "crunchydata.com/v1", "kind": "Pgcluster",
			"metadata": object{"name": "hippo", "namespace": "pgouser1", "labels": object{"pgo-version": version}}})
	}
	w.operator.Config.Handler = w
	cluster := w.cluster(t, "pgouser1")
	w.env = moduletest.Env(t, &worldHost{Cluster: cluster, to: w.server.dial})
	w.env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Namespace: "pgouser1"}
	return w
}

type worldHost struct {
	*kube.Cluster
	to func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (h *worldHost) Unwrap() conn.Host { return h.Cluster }

func (h *worldHost) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !strings.HasPrefix(addr, "pod/hippo-1.pgouser1:5432") {
		return nil, fmt.Errorf("%s is not the primary", addr)
	}
	return h.to(ctx, network, addr)
}

// user is a step's module; rest gives it the apiserver.
func (w *world) user(name, password string, rest bool) *User {
	u := &User{Cluster: "hippo", User: name, Password: secret.New(password), ApplyTimeout: 10 * time.Second, pace: time.Millisecond,
		getenv:    noVariables,
		container: func(context.Context, string) (conn.Runner, error) { return w.server, nil }}
	if rest {
		o := w.operator
		u.API = &API{URL: o.URL, CA: o.file("ca.crt"), Cert: o.file("ca.crt"), Key: o.file("client.key"), PgouserFile: o.file("pgouser")}
	}
	return u
}

// apply does what the engine does.
func (w *world) apply(t *testing.T, u *User) (module.Change, error) {
	t.Helper()
	change, err := u.Check(t.Context(), w.env)
	if err != nil || !change.Wanted() {
		return change, err
	}
	if err := u.Apply(t.Context(), w.env); err != nil {
		return change, err
	}
	again, err := u.Check(t.Context(), w.env)
	require.NoError(t, err)
	require.False(t, again.Wanted(), "did not converge: %s", again.Summary)
	return change, nil
}

// agree requires that database and Secret have the one password, and not the other.
func (w *world) agree(t *testing.T, user, password, old string) {
	t.Helper()
	require.True(t, w.logsIn(t, user, password), "the new password works")
	require.False(t, w.logsIn(t, user, old), "the old password does not")
	require.Equal(t, password, w.kept(t, user))
	require.NotContains(t, w.log(t)[w.logged:], password, "the server's log has no password")
}

func (w *world) kept(t *testing.T, user string) string {
	t.Helper()
	name := "hippo-" + user + "-secret"
	if w.version == "5" {
		name = "hippo-pguser-" + user
	}
	s := w.find("secrets", name)
	if s == nil {
		return "(no Secret)"
	}
	text, err := base64.StdEncoding.DecodeString(s["data"].(object)["password"].(string))
	require.NoError(t, err)
	return string(text)
}

// ServeHTTP is the apiserver's part that knows users.
func (w *world) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	var in updateAsked
	switch r.URL.Path {
	case "/version":
		reply(out, 200, object{"Version": w.version, "Code": "ok", "Msg": "apiserver version"})
		return
	case "/userupdate":
		_ = json.NewDecoder(r.Body).Decode(&in)
	default:
		http.NotFound(out, r)
		return
	}
	w.asked = append(w.asked, in)
	if w.says != "" {
		_, _ = out.Write([]byte(w.says))
		return
	}
	if in.ClientVersion != w.version {
		reply(out, 200, object{"Results": nil, "Code": "error", "Msg": "pgo client and server version mismatch"})
		return
	}
	if strings.HasPrefix(w.version, "4.2.") {
		w.update42(out, in)
		return
	}
	w.update47(out, in)
}

// update42 logs in as postgres with the password of its Secret, by an old lib/pq.
func (w *world) update42(out http.ResponseWriter, in updateAsked) {
	answer := object{"Results": []string{}, "Code": "ok", "Msg": ""}
	fail := func(msg string) { answer["Code"], answer["Msg"] = "error", msg; reply(out, 200, answer) }
	root, _ := base64.StdEncoding.DecodeString(w.find("secrets", "hippo-postgres-secret")["data"].(object)["password"].(string))
	e, err := door{dial: w.server.dial, user: "postgres"}.knock(context.Background(), secret.New(string(root)))
	answer["Results"] = []string{"changing password of user " + in.Username + " on hippo"}
	switch {
	case err != nil:
		fail(err.Error())
	case e.asked == authSASL:
		fail("pq: unknown authentication response: 10")
	case !e.admitted:
		fail(`pq: password authentication failed for user "postgres"`)
	default:
		until := time.Now().AddDate(0, 0, in.PasswordAgeDays).Format(time.DateOnly)
		if said := w.set(in.Username, md5Of(in.Username, secret.New(in.Password)).Reveal(), until); said != "" {
			fail("pq: " + said)
			return
		}
		if w.dies == "after the database" {
			panic(http.ErrAbortHandler)
		}
		name := "hippo-" + in.Username + "-secret"
		if w.find("secrets", name) != nil {
			w.drop(name)
			if w.dies == "without the Secret" {
				panic(http.ErrAbortHandler)
			}
			w.keep(userSecret(name, in.Username, in.Password))
		}
		if w.event {
			fail("EVENT_ADDR not set")
			return
		}
		reply(out, 200, answer)
	}
}

// update47 runs psql in the primary's container.
func (w *world) update47(out http.ResponseWriter, in updateAsked) {
	result := object{"ClusterName": "hippo", "Error": false, "ErrorMessage": "", "Password": in.Password, "Username": in.Username, "ValidUntil": ""}
	answer := object{"Results": []any{result}, "Code": "ok", "Msg": ""}
	if in.Username == "postgres" && !in.SetSystemAccountPassword {
		reply(out, 200, object{"Results": []any{}, "Code": "error", "Msg": `"postgres" is a system account and cannot be modified. You can override this with the "--set-system-account-password" flag.`})
		return
	}
	verifier, until := md5Of(in.Username, secret.New(in.Password)), "infinity"
	if in.PasswordType == "scram-sha-256" {
		verifier, _ = scramOf(secret.New(in.Password))
	}
	if !in.PasswordValidAlways {
		until = time.Now().AddDate(0, 0, in.PasswordAgeDays).Format(time.DateOnly)
	}
	if said := w.set(in.Username, verifier.Reveal(), until); said != "" {
		result["Error"], result["ErrorMessage"] = true, "ERROR:  "+said+"\n"
		reply(out, 200, answer)
		return
	}
	if w.dies == "after the database" {
		panic(http.ErrAbortHandler)
	}
	if name := "hippo-" + in.Username + "-secret"; w.find("secrets", name) != nil && !w.warns {
		w.keep(userSecret(name, in.Username, in.Password))
	}
	reply(out, 200, answer)
}

// set changes a role, and gives the server's complaint.
func (w *world) set(user, verifier, until string) string {
	text := fmt.Sprintf("alter role %s password '%s' valid until '%s'", quoted(`"`, user), verifier, until)
	res, err := w.server.Run(context.Background(), conn.Cmd{Args: []string{"psql", "-XqAt", "-v", "ON_ERROR_STOP=1"}, Stdin: strings.NewReader(text)})
	if err == nil {
		return ""
	}
	_, said, _ := strings.Cut(strings.TrimSpace(res.Stderr), "ERROR:  ")
	return said
}

func (w *world) drop(secret string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.objects, "/api/v1/namespaces/pgouser1/secrets/"+secret)
}

func (w *world) keep(o object) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.put(o)
}
