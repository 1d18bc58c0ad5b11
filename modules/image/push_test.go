package image

import (
	"encoding/base64"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	ggcr "github.com/google/go-containerregistry/pkg/registry"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// registryWith is a registry that wants a password.
func registryWith(t *testing.T, password string) (url string) {
	t.Helper()
	server := httptest.NewServer(guarded(password))
	t.Cleanup(server.Close)
	return server.URL
}

func guarded(password string) http.Handler {
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, got, _ := r.BasicAuth(); got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="site"`)
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

func TestANodePullsFromTheSitesRegistry(t *testing.T) {
	b := at(t, "builder")
	const password = "it's \"Pa$$word\" of the site"
	url := registryWith(t, password)
	everyEngine(t, func(t *testing.T, engine string, n place, names func() string) {
		image(t, b, "bysite-"+engine+":1", layered("bysite"+engine))
		seen := &watched{place: n}
		source := &watched{place: b}
		args := `image = "bysite-` + engine + `:1"
			namespace = "pulled"
			ref       = "corp/bysite-` + engine + `:4.1"
			runtime   = "` + engine + `"
			registry  = "` + url + `/antdb"
			registry_user     = "robot$ship"
			registry_password = "` + strings.ReplaceAll(password, `"`, `\"`) + `"`
		stop := commandLines()
		_, err := pulled(t, seen, source, args)
		require.NoError(t, err)
		require.Contains(t, names(), "corp/bysite-"+engine+":4.1")
		require.NotContains(t, names(), "127.0.0.1", "no interim name may stay")
		require.NotContains(t, b.do(t, "docker", "image", "ls", "--format", "{{.Repository}}"), "127.0.0.1")
		lines := stop()
		require.Contains(t, lines, "127.0.0.1", "the pull was seen")
		require.NotContains(t, lines, password)
		encoded := basic("robot$ship", secret.New(password)).Reveal()
		require.NotContains(t, lines, encoded)
		require.Contains(t, seen.stdin[0], encoded)
		require.Equal(t, []string{encoded}, source.stdin)
	})
}

// tokens is a registry, like Harbor before its version 2, that takes no
// credentials but tokens made for them.
func tokens(t *testing.T, password string) (url string) {
	t.Helper()
	inner := ggcr.New(ggcr.Logger(log.New(io.Discard, "", 0)))
	var server *httptest.Server
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		refuse := func() {
			w.Header().Set("WWW-Authenticate", `Bearer realm="`+server.URL+`/token",service="site"`)
			w.Header().Set("Docker-Distribution-Api-Version", "registry/2.0")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}`)
		}
		_, got, _ := r.BasicAuth()
		scope := strings.Join(r.URL.Query()["scope"], " ")
		switch {
		case r.URL.Path == "/token" && r.Method == http.MethodGet && got == password:
			_, _ = io.WriteString(w, `{"token":"for-`+base64.RawURLEncoding.EncodeToString([]byte(scope))+`","expires_in":300}`)
		case r.URL.Path == "/token":
			refuse()
		default:
			bearer, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer for-")
			granted, _ := base64.RawURLEncoding.DecodeString(bearer)
			parts := strings.Split(r.URL.Path, "/") // /v2/antdb/NAME/…
			if bearer == "" && r.Header.Get("Authorization") != "Bearer for-" || len(parts) > 3 && !strings.Contains(string(granted), "repository:"+parts[2]+"/"+parts[3]+":") {
				refuse()
				return
			}
			inner.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestANodePullsFromARegistryThatWantsTokens(t *testing.T) {
	b := at(t, "builder")
	url := tokens(t, "right")
	everyEngine(t, func(t *testing.T, engine string, n place, names func() string) {
		image(t, b, "tokens-"+engine+":1", layered("tokens"+engine))
		args := `image = "tokens-` + engine + `:1"
			namespace = "pulled"
			ref       = "corp/tokens-` + engine + `:4.1"
			runtime   = "` + engine + `"
			registry  = "` + url + `/antdb"
			registry_user     = "robot"
			registry_password = "right"`
		_, err := pulled(t, n, b, args)
		require.NoError(t, err)
		require.Contains(t, names(), "corp/tokens-"+engine+":4.1")
		require.NotContains(t, names(), "127.0.0.1")
	})
	image(t, b, "tokens:2", layered("tokens two"))
	_, err := pulled(t, b, b, `image = "tokens:2"
		namespace = "pulled"
		runtime   = "containerd"
		registry  = "`+url+`/antdb"
		registry_user     = "robot"
		registry_password = "wrong"`)
	require.ErrorContains(t, err, "refuses these credentials")
}

// trusted makes the engines of this machine trust a registry of the test's.
func trusted(t *testing.T, server *httptest.Server) {
	t.Helper()
	dir := filepath.Join("/etc/docker/certs.d", strings.TrimPrefix(server.URL, "https://"))
	require.NoError(t, os.MkdirAll(dir, 0o755))
	t.Cleanup(func() {
		require.NoError(t, os.RemoveAll(dir))
		_ = os.Remove("/etc/docker/certs.d") // where nothing else is in it
	})
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	require.NoError(t, os.WriteFile(filepath.Join(dir, "ca.crt"), text, 0o644))
}

func TestANodePullsOverTLSFromARegistryItTrusts(t *testing.T) {
	b := at(t, "builder")
	server := httptest.NewUnstartedServer(guarded("right"))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "https://")
	step := func(engine string) string {
		return `image = "tls-` + engine + `:1"
			namespace = "pulled"
			ref       = "corp/tls-` + engine + `:4.1"
			runtime   = "` + engine + `"
			registry  = "` + host + `/antdb"
			registry_user     = "robot"
			registry_password = "right"`
	}
	image(t, b, "tls-containerd:1", layered("tls"))
	_, err := pulled(t, b, b, step("containerd")) // Docker itself trusts all of loopback
	require.ErrorContains(t, err, "does not trust the certificate of "+host)
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, "/etc/docker/certs.d/"+host+"/ca.crt")

	trusted(t, server)
	everyEngine(t, func(t *testing.T, engine string, n place, names func() string) {
		image(t, b, "tls-"+engine+":1", layered("tls"+engine))
		_, err := pulled(t, n, b, step(engine))
		require.NoError(t, err)
		require.Contains(t, names(), "corp/tls-"+engine+":4.1")
	})
}

func TestRegistriesThatRefuseAreExplained(t *testing.T) {
	b := at(t, "builder")
	url := registryWith(t, "right")
	host := strings.TrimPrefix(url, "http://")
	image(t, b, "refused:1", layered("refused"))
	for name, c := range map[string]struct{ args, says, remedy string }{
		"wrong password": {`registry = "` + url + `/a"
			registry_user = "u"
			registry_password = "wrong"`, "refuses these credentials", "registry_user"},
		"nobody there": {`registry = "127.0.0.1:9/a"`, "cannot be reached", "firewalls"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := pulled(t, b, b, "image = \"refused:1\"\nruntime = \"containerd\"\nnamespace = \"refused\"\n"+c.args)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), "%!")
			var explained *module.Explained
			require.ErrorAs(t, err, &explained)
			require.Contains(t, explained.Remedy, c.remedy)
			var arg *module.ArgError
			require.ErrorAs(t, err, &arg)
			require.Equal(t, "registry", arg.Arg)
		})
	}
	require.NotContains(t, b.do(t, "docker", "image", "ls", "--format", "{{.Repository}}"), host, "the name of a failed push goes, too")
}

func TestNamesOfRegistries(t *testing.T) {
	for text, want := range map[string]site{
		"harbor.site:5000/antdb":    {"https", "harbor.site:5000", "/antdb"},
		"http://10.0.0.9:5000/":     {"http", "10.0.0.9:5000", ""},
		"https://registry.corp/a/b": {"https", "registry.corp", "/a/b"},
		"localhost/x":               {"https", "localhost", "/x"},
	} {
		got, err := parseSite(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"antdb", "antdb/x", "ftp://a.b/c", "a.b/UPPER", "a.b/c:tag", "user@a.b/c", "a.b:x/c", "a.b/c d"} {
		_, err := parseSite(text)
		require.ErrorContains(t, err, "is no registry", text)
	}
	at := site{"https", "harbor.site:5000", "/antdb"}
	require.Equal(t, "harbor.site:5000/antdb/antdb-ha:4.1", at.name("docker.io/crunchydata/antdb-ha:4.1"))
	require.Equal(t, "harbor.site:5000/antdb/corp/antdb-ha:4.1", at.name("harbor.site:5000/antdb/corp/antdb-ha:4.1"))

	require.ErrorContains(t, (&Ship{RegistryUser: "u"}).validateRegistry(), "no registry")
	require.ErrorContains(t, (&Ship{Registry: "a.b/c", RegistryUser: "u"}).validateRegistry(), "come together")
	require.NoError(t, (&Ship{}).validateRegistry())
}

func TestWhatEnginesSayOfRegistriesIsExplained(t *testing.T) {
	for stderr, want := range map[string]struct{ says, remedy string }{
		`Error response from daemon: Get "https://10.0.0.9:5000/v2/": http: server gave HTTP response to HTTPS client`: {
			"the registry 10.0.0.9:5000 speaks plain http", `add "10.0.0.9:5000" to insecure-registries`},
		`ctr: failed to resolve reference "10.0.0.9:5000/a@sha256:1": failed to do request: Head "https://10.0.0.9:5000/v2/a": tls: failed to verify certificate: x509: certificate signed by unknown authority`: {
			"does not trust the certificate of 10.0.0.9:5000", "/etc/containerd/certs.d/10.0.0.9:5000/ca.crt"},
		"Incorrect Usage: flag provided but not defined: -hosts-dir": {"this ctr is older than 1.5", "update containerd"},
		`Error: initializing source docker://10.0.0.9:5000/a@sha256:1: pinging container registry 10.0.0.9:5000: Get "https://10.0.0.9:5000/v2/": dial tcp 10.0.0.9:5000: connect: connection refused`: {
			"10.0.0.9:5000 cannot be reached from there", "firewalls"},
		"Error response from daemon: pull access denied for 10.0.0.9:5000/a, repository does not exist or may require 'docker login'": {
			"refuses these credentials", "registry_password"},
		"write /var/lib/docker/tmp/x: no space left on device": {"the disk is full", "free space"},
	} {
		err := explainPull(&conn.ExitError{Cmd: conn.Command("docker"), Code: 1, Stderr: stderr}, "pull a", "10.0.0.9:5000")
		require.ErrorContains(t, err, "pull a: ")
		require.ErrorContains(t, err, want.says)
		var explained *module.Explained
		require.ErrorAs(t, err, &explained)
		require.Contains(t, explained.Remedy, want.remedy)
		require.NotContains(t, err.Error()+explained.Remedy, "%!")
	}
}
