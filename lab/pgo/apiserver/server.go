// Package apiserver answers the REST calls of PGO 4.2.1 as the original was seen to: TLS with a client certificate,
// HTTP Basic against Secrets, status 200 for everything past authentication, and success told by Code alone.
package apiserver

import (
	"context"
	"crypto/subtle"
	"crypto/tls"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

// Server is the apiserver. Its fields are set once, before Handler is called.
type Server struct {
	Kube     kubernetes.Interface
	Dynamic  dynamic.Interface
	Settings settings.Settings
	SQL      Database     // how user calls reach a cluster's primary
	HTTP     *http.Client // for Patroni's REST interface
	Exec     Exec         // runs a command in the container database of a pod
	Now      func() time.Time
	Log      *log.Logger
}

// Exec copies what the command says to out; a status above 0 is an error.
type Exec func(ctx context.Context, namespace, pod string, command []string, out io.Writer) error

func (s *Server) clusters() crv1.Store[crv1.Cluster] { return crv1.ClusterStore(s.Dynamic) }
func (s *Server) replicas() crv1.Store[crv1.Replica] { return crv1.ReplicaStore(s.Dynamic) }
func (s *Server) tasks() crv1.Store[crv1.Task]       { return crv1.TaskStore(s.Dynamic) }

// call is one authenticated request.
type call struct {
	*http.Request
	user account
}

// route is one line of the API. text marks the answers whose content type the original leaves to sniffing, which
// makes text/plain of JSON.
type route struct {
	pattern    string
	permission string
	text       bool
	answer     func(*Server, *call) any
}

var routes = []route{
	{"/version", "Version", false, (*Server).version},
	{"/health", "", false, (*Server).health},
	{"POST /namespace", "ShowNamespace", true, (*Server).showNamespaces},
	{"POST /clusters", "CreateCluster", false, (*Server).createCluster},
	{"POST /showclusters", "ShowCluster", false, (*Server).showClusters},
	{"POST /testclusters", "TestCluster", false, (*Server).testClusters},
	{"POST /clustersdelete", "DeleteCluster", false, (*Server).deleteClusters},
	{"/clusters/scale/{name}", "ScaleCluster", true, (*Server).scaleCluster},
	{"GET /scale/{name}", "ScaleCluster", false, (*Server).queryScale},
	{"GET /scaledown/{name}", "ScaleCluster", false, (*Server).scaleDown},
	{"POST /clustersupdate", "UpdateCluster", false, (*Server).updateClusters},
	{"POST /upgrades", "CreateUpgrade", false, (*Server).upgradeClusters},
	{"POST /failover", "CreateFailover", false, (*Server).failover},
	{"GET /failover/{name}", "CreateFailover", false, (*Server).queryFailover},
	{"POST /backrestbackup", "CreateBackup", false, (*Server).createBackup},
	{"GET /backrest/{name}", "ShowBackup", false, (*Server).showBackup},
	{"POST /schedule", "CreateSchedule", false, (*Server).createSchedule},
	{"POST /scheduledelete", "DeleteSchedule", false, (*Server).deleteSchedule},
	{"GET /workflow/{id}", "ShowWorkflow", false, (*Server).showWorkflow},
	{"POST /usershow", "ShowSecrets", false, (*Server).showUsers},
	{"POST /usercreate", "CreateUser", false, (*Server).createUser},
	{"POST /userupdate", "UpdateUser", false, (*Server).updateUser},
	{"POST /userdelete", "DeleteUser", false, (*Server).deleteUser},
}

// Handler returns the whole API behind the client-certificate check.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	for _, r := range routes {
		mux.Handle(r.pattern, s.serve(r))
	}
	return requireClientCertificate(mux)
}

// Call is an authenticated request of another generation.
type Call = call

// Caller is who calls.
func (c *call) Caller() string { return c.user.name }

// Sees tells whether the caller has access to the namespace.
func (c *call) Sees(namespace string) bool { return c.user.sees(namespace) }

// Read decodes the body of a call as this API does: what is no JSON leaves the zero value.
func Read[T any](c *Call) T { return read[T](c) }

// Route is one line of another generation's API.
type Route struct {
	Pattern, Permission string
	Text                bool // the content type is left to sniffing
	Answer              func(*Call) any
}

// Door is the handler of another generation's API: certificate, credentials and permissions are looked at as here.
func (s *Server) Door(routes []Route) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok")) })
	for _, r := range routes {
		mux.Handle(r.Pattern, s.serve(route{r.Pattern, r.Permission, r.Text, func(_ *Server, c *call) any { return r.Answer(c) }}))
	}
	return requireClientCertificate(mux)
}

// TLS is the transport of the original: the one certificate is server certificate and the CA of its clients.
// A client without certificate passes the handshake, so that it can be told 403.
func TLS(cert tls.Certificate) *tls.Config {
	pool := newPool(cert)
	return &tls.Config{
		Certificates: []tls.Certificate{cert},
		ClientAuth:   tls.VerifyClientCertIfGiven,
		ClientCAs:    pool,
		MinVersion:   tls.VersionTLS12,
	}
}

func requireClientCertificate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" && (r.TLS == nil || len(r.TLS.PeerCertificates) == 0) {
			http.Error(w, "Forbidden: Client Certificate Required", http.StatusForbidden)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *Server) serve(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{Request: r}
		if rt.permission != "" {
			w.Header().Set("WWW-Authenticate", `Basic realm="Restricted"`)
			user, status, text := s.authenticate(r, rt.permission)
			if text != "" {
				s.Log.Printf("%s %s refused: %s", r.Method, r.URL.Path, text)
				http.Error(w, text, status)
				return
			}
			c.user = user
		}
		answer := rt.answer(s, c)
		s.Log.Printf("%s %s by %s", r.Method, r.URL.Path, c.user.name)
		if !rt.text {
			w.Header().Set("Content-Type", "application/json")
		}
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// account is what Secret pgouser-<name> and the Secrets of its roles say.
type account struct {
	name        string
	permissions []string
	namespaces  []string // empty: all
}

func (a account) may(permission string) bool {
	for _, p := range a.permissions {
		if p == "*" || p == permission {
			return true
		}
	}
	return false
}

// authenticate returns a status and text when the caller is turned away.
func (s *Server) authenticate(r *http.Request, permission string) (account, int, string) {
	name, password, given := r.BasicAuth()
	if !given {
		return account{}, http.StatusUnauthorized,
			"Not Authorized. Basic Authentication credentials must be provided according to RFC 7617, Section 2."
	}
	user, known, err := s.account(r.Context(), name)
	if err != nil {
		s.Log.Printf("read account %s: %v", name, err)
	}
	if !known.matches(password) {
		return account{}, http.StatusUnauthorized, "Not authenticated in apiserver"
	}
	if !user.may(permission) {
		return account{}, http.StatusForbidden, "Not authorized for this apiserver action"
	}
	return user, 0, ""
}

// credential is a stored password; nil matches nothing.
type credential []byte

func (c credential) matches(password string) bool {
	return len(c) > 0 && subtle.ConstantTimeCompare(c, []byte(password)) == 1
}

func (s *Server) account(ctx context.Context, name string) (account, credential, error) {
	secret, err := s.secret(ctx, s.Settings.Namespace, "pgouser-"+name)
	if err != nil {
		return account{}, nil, err
	}
	user := account{name: name, namespaces: splitList(secret["namespaces"])}
	for _, role := range splitList(secret["roles"]) {
		r, err := s.secret(ctx, s.Settings.Namespace, "pgorole-"+role)
		if err != nil {
			return account{}, nil, err
		}
		user.permissions = append(user.permissions, splitList(r["permissions"])...)
	}
	return user, credential(secret["password"]), nil
}

func splitList(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
}

func (s *Server) version(*call) any {
	return versionAnswer{Version: settings.Version, Status: ok("apiserver version")}
}

func (s *Server) health(*call) any {
	return versionAnswer{Version: "healthy", Status: ok("healthy")}
}
