package pgo

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// API says how to reach the apiserver. What is left out comes from where the
// pgo client looks: its environment variables and files.
type API struct {
	URL         string       `hcl:"url,optional" doc:"https://host:port. Without it, and without PGO_APISERVER_URL: a port-forward to the service."`
	Service     string       `hcl:"service,optional" default:"postgres-operator.pgo:8443" doc:"NAME.NAMESPACE:PORT of the apiserver's service, for the port-forward."`
	CA          string       `hcl:"ca,optional" doc:"File with the certificate to trust; else PGO_CA_CERT. The apiserver's own will do."`
	Cert        string       `hcl:"cert,optional" doc:"File with the client certificate; else PGO_CLIENT_CERT."`
	Key         string       `hcl:"key,optional" doc:"File with its key; else PGO_CLIENT_KEY."`
	User        string       `hcl:"user,optional" doc:"Name of the PGO user; else PGOUSERNAME."`
	Password    secret.Value `hcl:"password,optional" doc:"Password of the PGO user; else PGOUSERPASS."`
	PgouserFile string       `hcl:"pgouser_file,optional" doc:"File with one line user:password; else PGOUSER, ~/.pgouser, /etc/pgo/pgouser."`
}

// open prepares the client; nothing is sent yet.
func (c API) open(env *module.Env, getenv func(string) string) (*api, error) {
	for _, path := range []*string{&c.CA, &c.Cert, &c.Key, &c.PgouserFile} {
		if rest, ok := strings.CutPrefix(*path, "~/"); ok {
			*path = filepath.Join(getenv("HOME"), rest)
		}
		*path = env.Path(*path)
	}
	config, err := c.tls(getenv)
	if err != nil {
		return nil, module.At("api", err)
	}
	user, password, err := c.credentials(getenv)
	if err != nil {
		return nil, module.At("api", err)
	}
	transport := &http.Transport{TLSClientConfig: config, TLSHandshakeTimeout: 15 * time.Second, MaxIdleConnsPerHost: 1, IdleConnTimeout: 30 * time.Second}
	base := strings.TrimSuffix(firstOf(c.URL, getenv("PGO_APISERVER_URL")), "/")
	if base == "" {
		base = "https://" + c.Service
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return env.Dial(ctx, network, "svc/"+c.Service)
		}
	}
	if u, err := url.Parse(base); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, module.At("api", fmt.Errorf("the apiserver's url %q is not of the form https://host:port", base))
	}
	return &api{base: base, speaks: Version, user: user, password: password, http: &http.Client{Transport: transport}}, nil
}

func (c API) tls(getenv func(string) string) (*tls.Config, error) {
	ca := firstOf(c.CA, getenv("PGO_CA_CERT"))
	cert := firstOf(c.Cert, getenv("PGO_CLIENT_CERT"))
	key := firstOf(c.Key, getenv("PGO_CLIENT_KEY"))
	for _, need := range []struct{ what, value, arg, variable string }{
		{"certificate to trust", ca, "ca", "PGO_CA_CERT"},
		{"client certificate", cert, "cert", "PGO_CLIENT_CERT"},
		{"key of the client certificate", key, "key", "PGO_CLIENT_KEY"},
	} {
		if need.value == "" {
			return nil, fmt.Errorf("no %s for the PGO apiserver: set api.%s or %s", need.what, need.arg, need.variable)
		}
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("client certificate of the PGO apiserver: %w", err)
	}
	trusted, err := certificates(ca)
	if err != nil {
		return nil, fmt.Errorf("certificate of the PGO apiserver to trust: %w", err)
	}
	return &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{pair},
		// The standard check wants a name that the operator's self-signed
		// certificate may lack; pinned makes a stricter one.
		InsecureSkipVerify: true,
		VerifyConnection:   pinned(trusted, c.Service),
	}, nil
}

// pinned accepts a server that shows one of the trusted certificates itself. A
// server that shows another must have it signed by a trusted one, and the name
// that was dialled, or that of the apiserver's service, must be in it if it
// has any names.
func pinned(trusted []*x509.Certificate, service string) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		leaf := state.PeerCertificates[0]
		roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
		for _, c := range trusted {
			roots.AddCert(c)
		}
		for _, c := range state.PeerCertificates[1:] {
			intermediates.AddCert(c)
		}
		_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: intermediates})
		if err != nil || slices.ContainsFunc(trusted, leaf.Equal) || len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 {
			return err
		}
		name, _, _ := strings.Cut(service, ":")
		for _, n := range []string{name, name + ".svc", "pgo-apiserver"} {
			if leaf.VerifyHostname(n) == nil {
				return nil
			}
		}
		return leaf.VerifyHostname(state.ServerName)
	}
}

func certificates(file string) ([]*x509.Certificate, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s holds no certificate", file)
	}
	return all, nil
}

// credentials looks where the pgo client does, in its order, after the
// arguments.
func (c API) credentials(getenv func(string) string) (string, secret.Value, error) {
	switch {
	case c.User != "" && !c.Password.IsZero():
		return c.User, c.Password, nil
	case c.User != "" || !c.Password.IsZero():
		return "", secret.Value{}, errors.New("api.user and api.password belong together: one is missing")
	case c.PgouserFile != "":
		return readPgouser(c.PgouserFile)
	case getenv("PGOUSER") != "":
		return readPgouser(getenv("PGOUSER"))
	case getenv("PGOUSERNAME") != "" && getenv("PGOUSERPASS") != "":
		return getenv("PGOUSERNAME"), secret.New(getenv("PGOUSERPASS")), nil
	}
	for _, file := range []string{filepath.Join(getenv("HOME"), ".pgouser"), "/etc/pgo/pgouser"} {
		if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
			return readPgouser(file)
		}
	}
	return "", secret.Value{}, errors.New("no PGO user: set api.user and api.password, or api.pgouser_file, or PGOUSERNAME and PGOUSERPASS")
}

func readPgouser(file string) (string, secret.Value, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", secret.Value{}, fmt.Errorf("credentials of the PGO user: %w", err)
	}
	line := strings.TrimRight(string(text), "\r\n")
	user, password, ok := strings.Cut(line, ":")
	if !ok || user == "" || password == "" || strings.Contains(line, "\n") {
		return "", secret.Value{}, fmt.Errorf("%s must hold exactly one line, user:password", file)
	}
	return user, secret.New(password), nil
}

// unreached explains why there was no answer.
func (a *api) unreached(err error) error {
	said := (*url.Error)(nil)
	if errors.As(err, &said) {
		err = said.Err // without the method and address, which the message has
	}
	hint, text := "", err.Error()
	switch {
	case errors.As(err, new(x509.CertificateInvalidError)):
		hint = "compare the clocks, or renew the Secret pgo.tls and hand out its certificate"
	case errors.As(err, new(x509.UnknownAuthorityError)), errors.As(err, new(x509.HostnameError)):
		hint = "api.ca must hold the certificate that the apiserver shows (tls.crt of the Secret pgo.tls in the operator's namespace)"
	case strings.Contains(text, "remote error: tls"):
		hint = "the apiserver does not accept the client certificate: api.cert must be its own, or one that it signed"
	case strings.Contains(text, "server gave HTTP response"), strings.Contains(text, "does not look like a TLS handshake"):
		hint = "something that speaks no TLS listens there: check api.url, or DISABLE_TLS of the operator"
	case strings.Contains(text, "connection refused"):
		hint = "is the operator's apiserver running? It listens some seconds after it started"
	}
	return module.At("api", &conn.Unreachable{Target: "the PGO apiserver at " + a.base, Err: err, Hint: hint})
}

func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
