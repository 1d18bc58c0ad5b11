package pgo

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

func localEnv(t *testing.T) *module.Env { return moduletest.Env(t, local.New()) }

func TestCallsAreThoseOfThePgoClient(t *testing.T) {
	o := newOperator(t, recorded(t, "rest-traffic.txt", "rest-traffic-errors.txt"))
	a, err := o.client(t, nil)
	require.NoError(t, err)
	ctx := t.Context()

	version, err := a.version(ctx)
	require.NoError(t, err)
	require.Equal(t, Version, version)

	hippo := &Cluster{Name: "hippo", Image: "crunchydata/antdb-ha:latest", Autofail: true}
	workflow, err := a.create(ctx, hippo.request42("pgouser1", Version))
	require.NoError(t, err)
	require.Equal(t, "6dceec0b-3fbf-4685-a21b-3bcc85d9d172", workflow)

	for _, want := range []struct {
		state    string
		replicas int
	}{{"pgcluster Processed", 0}, {"pgcluster Processed", 0}, {"pgcluster Initialized", 1}} {
		found, err := a.show(ctx, "pgouser1", "hippo")
		require.NoError(t, err)
		require.Equal(t, want.state, found.Cluster.Status.State)
		require.Len(t, found.Replicas, want.replicas)
		require.Equal(t, "antdb-ha", found.Cluster.Spec.CCPImage)
		require.Equal(t, "hippo-testuser-secret", found.Cluster.Spec.UserSecretName)
	}
	_, err = a.create(ctx, hippo.request42("pgouser1", Version))
	requireAt(t, hippo.locate(err), "name", "pgcluster hippo was found so we will not create it")

	require.NoError(t, a.scale(ctx, "pgouser1", "hippo", 1))
	require.NoError(t, a.remove(ctx, "pgouser1", "hippo", true, true))
	require.NoError(t, a.remove(ctx, "pgouser1", "nosuch", true, true), "what is not there is gone")
	require.Empty(t, o.unknown, "every request is a recorded one, to the byte")
}

func TestRefusalsNameTheirArgument(t *testing.T) {
	refusals := map[string]string{
		`namespace [default] is not part of the Operator installation`:                     "namespace",
		`user [u] is not allowed access to namespace [x]`:                                  "namespace",
		`requested Namespace was not found to be in the list of Namespaces being watched.`: "namespace",
		`nosuch Storage config was not found `:                                             "storage_config",
		`nosuch ContainerResource config was not found `:                                   "resources_config",
		`nosuch configmap was not found `:                                                  "custom_config",
		`error ServiceType should be either ClusterIP or LoadBalancer `:                    "service_type",
		`invalid labels format`:                                                            "labels",
		`invalid cluster name format x`:                                                    "name",
	}
	for msg, arg := range refusals {
		requireAt(t, (&Cluster{Name: "c"}).locate(&Refusal{msg}), arg, msg)
	}
	other := errors.New("something else")
	require.Equal(t, other, (&Cluster{}).locate(other))
}

// Answers with Code "ok" that made nothing.
func TestOkIsNotEnough(t *testing.T) {
	for answer, text := range map[string]string{
		`{"results":[],"status":{"Code":"ok","Msg":""}}`:                                                                 "it created no cluster, and says nothing",
		`{"results":["pgtasks.crunchydata.com \"hippo-createcluster\" already exists"],"status":{"Code":"ok","Msg":""}}`: "already exists",
		`{"results":["created Pgcluster other","workflow id 1"],"status":{"Code":"ok","Msg":""}}`:                        "it created no cluster",
	} {
		c := &Cluster{Name: "hippo", Image: "antdb-ha"}
		a := oneAnswer(t, http.StatusOK, answer)
		_, err := a.create(t.Context(), c.request42("pgouser1", Version))
		require.ErrorContains(t, err, text)
	}
}

// oneAnswer is the client of an apiserver that says one thing only.
func oneAnswer(t *testing.T, status int, answer string) *api {
	t.Helper()
	o := newOperator(t, nil)
	o.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, answer)
	})
	a, err := o.client(t, nil)
	require.NoError(t, err)
	return a
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	for _, c := range []struct {
		status       int
		answer, text string
	}{
		{http.StatusOK, "<html>a proxy's page</html>", "something else than the JSON of a PGO apiserver"},
		{http.StatusBadGateway, "no upstream", "502 Bad Gateway: no upstream"},
		{http.StatusNotFound, "404 page not found", "404 Not Found"},
		{http.StatusForbidden, "Not authorized for this apiserver action", "Not authorized for this apiserver action"},
	} {
		_, err := oneAnswer(t, c.status, c.answer).show(t.Context(), "pgouser1", "hippo")
		requireAt(t, err, "api", c.text)
	}
}

func TestOtherVersionIsNamed(t *testing.T) {
	o := newOperator(t, []exchange{
		{request: "POST /showclusters", body: showHippo, status: 200, answer: `{"Results":[],"Code":"error","Msg":"pgo client and server version mismatch"}`},
		{request: "GET /version", status: 200, answer: `{"Version":"4.3.0","Code":"ok","Msg":"apiserver version"}`},
	})
	a, err := o.client(t, nil)
	require.NoError(t, err)
	_, err = a.show(t.Context(), "pgouser1", "hippo")
	requireAt(t, err, "api", "the PGO apiserver is 4.3.0, and was spoken to as 4.2.1")
}

func TestTurnedAway(t *testing.T) {
	o := newOperator(t, recorded(t, "rest-traffic.txt"))
	other := newOperator(t, nil) // its certificate is nobody's
	for name, c := range map[string]struct {
		change func(*API)
		text   string
	}{
		"wrong password":  {func(a *API) { a.User, a.Password = pgoUser, secret.New("wr0ng") }, "401 Unauthorized: Not authenticated in apiserver"},
		"other authority": {func(a *API) { a.CA = other.file("ca.crt") }, "certificate signed by unknown authority"},
		"other client":    {func(a *API) { a.Cert, a.Key = other.file("ca.crt"), other.file("client.key") }, "remote error: tls"},
		"nothing listens": {func(a *API) { a.URL = closedPort(t) }, "connection refused"},
		"no TLS":          {func(a *API) { a.URL = plainServer(t) }, "HTTP response to HTTPS"},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := o.client(t, c.change)
			require.NoError(t, err)
			_, err = a.version(t.Context())
			requireAt(t, err, "api", "")
			require.Regexp(t, c.text, err.Error())
			require.NotContains(t, err.Error(), "wr0ng")
			if lost := (*conn.Unreachable)(nil); errors.As(err, &lost) {
				require.NotEmpty(t, lost.Hint)
			}
		})
	}
}

func TestAnExpiredCertificateIsNamed(t *testing.T) {
	o := newOperator(t, nil)
	expired := selfSignedUntil(t, time.Now().Add(-time.Minute))
	late := httptest.NewUnstartedServer(http.NotFoundHandler())
	late.TLS = &tls.Config{Certificates: []tls.Certificate{expired}}
	late.Config.ErrorLog = log.New(io.Discard, "", 0)
	late.StartTLS()
	t.Cleanup(late.Close)
	ca := filepath.Join(t.TempDir(), "ca.crt")
	require.NoError(t, os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: expired.Certificate[0]}), 0o600))
	a, err := o.client(t, func(access *API) { access.URL, access.CA = late.URL, ca })
	require.NoError(t, err)
	_, err = a.version(t.Context())
	requireAt(t, err, "api", "certificate has expired or is not yet valid")
	lost := (*conn.Unreachable)(nil)
	require.ErrorAs(t, err, &lost)
	require.Contains(t, lost.Hint, "renew the Secret pgo.tls")
}

// The real apiserver tells a client without certificate so after the handshake.
func TestNoClientCertificateIsTold(t *testing.T) {
	o := newOperator(t, nil)
	a, err := o.client(t, nil)
	require.NoError(t, err)
	a.http.Transport.(*http.Transport).TLSClientConfig.Certificates = nil
	_, err = a.version(t.Context())
	requireAt(t, err, "api", "403 Forbidden: Forbidden: Client Certificate Required")
}

func TestATrustedCertificateNeedsNoName(t *testing.T) {
	for _, names := range [][]string{nil, {"some.other.name"}} {
		o := newOperator(t, recorded(t, "rest-traffic.txt"), names...)
		a, err := o.client(t, nil)
		require.NoError(t, err)
		_, err = a.version(t.Context())
		require.NoError(t, err, "it shows the trusted certificate itself: %v", names)
	}
}

func TestASignedCertificateNeedsTheRightName(t *testing.T) {
	authority := selfSigned(t)
	check := pinned([]*x509.Certificate{authority.Leaf}, "postgres-operator.pgo:8443")
	for name, good := range map[string]bool{
		"pgo-apiserver": true, "postgres-operator.pgo.svc": true, "pgo.example.com": true, "other.example.com": false,
	} {
		leaf := signed(t, authority, name)
		err := check(tls.ConnectionState{ServerName: "pgo.example.com", PeerCertificates: []*x509.Certificate{leaf}})
		require.Equal(t, good, err == nil, "%s: %v", name, err)
	}
	stranger := signed(t, selfSigned(t), "pgo-apiserver")
	require.Error(t, check(tls.ConnectionState{PeerCertificates: []*x509.Certificate{stranger}}))
}

// signed is a server certificate by another hand.
func signed(t *testing.T, authority tls.Certificate, name string) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, authority.Leaf, authority.Leaf.PublicKey, authority.PrivateKey)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return leaf
}

func TestPortForwardIsTheWayWithoutURL(t *testing.T) {
	o := newOperator(t, recorded(t, "rest-traffic.txt"))
	host := &forwarding{Host: local.New(), to: o.Listener.Addr().String()}
	access := API{Service: "postgres-operator.pgo:8443", CA: o.file("ca.crt"), Cert: o.file("ca.crt"), Key: o.file("client.key"), PgouserFile: o.file("pgouser")}
	a, err := access.open(moduletest.Env(t, host), noVariables)
	require.NoError(t, err)
	_, err = a.version(t.Context())
	require.NoError(t, err)
	require.Equal(t, "svc/postgres-operator.pgo:8443", host.asked)
}

// forwarding stands in for a cluster's port-forward.
type forwarding struct {
	conn.Host
	to, asked string
}

func (f *forwarding) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	f.asked = addr
	return f.Host.Dial(ctx, network, f.to)
}

func TestCredentialsComeFromWhereThePgoClientLooks(t *testing.T) {
	home := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(home, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	file(".pgouser", "home:h0me\n")
	other, broken := file("other", "other:0ther"), file("broken", "a:b\nc:d\n")
	for _, c := range []struct {
		access         API
		variables      map[string]string
		user, password string
	}{
		{API{User: "arg", Password: secret.New("a:rg")}, map[string]string{"PGOUSER": other}, "arg", "a:rg"},
		{API{PgouserFile: other}, map[string]string{"PGOUSERNAME": "x", "PGOUSERPASS": "y"}, "other", "0ther"},
		{API{}, map[string]string{"PGOUSER": other, "PGOUSERNAME": "x", "PGOUSERPASS": "y"}, "other", "0ther"},
		{API{}, map[string]string{"PGOUSERNAME": "x", "PGOUSERPASS": "y"}, "x", "y"},
		{API{}, nil, "home", "h0me"},
	} {
		user, password, err := c.access.credentials(variables(home, c.variables))
		require.NoError(t, err)
		require.Equal(t, c.user, user)
		require.Equal(t, c.password, password.Reveal())
	}
	_, _, err := API{PgouserFile: broken}.credentials(noVariables)
	require.ErrorContains(t, err, "exactly one line")
	_, _, err = API{User: "u"}.credentials(noVariables)
	require.ErrorContains(t, err, "belong together")
	_, _, err = API{}.credentials(variables(t.TempDir(), nil))
	require.ErrorContains(t, err, "no PGO user")
	_, err = API{}.open(localEnv(t), noVariables)
	requireAt(t, err, "api", "set api.ca or PGO_CA_CERT")
}

func TestPathsStartAtTheRunbookOrAtHome(t *testing.T) {
	o := newOperator(t, recorded(t, "rest-traffic.txt"))
	env := localEnv(t)
	env.Dir = filepath.Dir(o.dir)
	here := filepath.Base(o.dir)
	access := API{URL: o.URL, CA: here + "/ca.crt", Cert: here + "/ca.crt", Key: "~/client.key", PgouserFile: "~/pgouser"}
	a, err := access.open(env, variables(o.dir, nil))
	require.NoError(t, err)
	_, err = a.version(t.Context())
	require.NoError(t, err)
}

func variables(home string, set map[string]string) func(string) string {
	return func(name string) string {
		if name == "HOME" {
			return home
		}
		return set[name]
	}
}

func TestPasswordIsSentAndNeverPrinted(t *testing.T) {
	c := &Cluster{Name: "hippo", Image: "antdb-ha", Password: secret.New("Sesame123")}
	text, err := json.Marshal(c.request42("pgouser1", Version))
	require.NoError(t, err)
	require.Contains(t, string(text), "Sesame123")
	require.NotContains(t, fmt.Sprintf("%v %+v", c, c), "Sesame123")
}
