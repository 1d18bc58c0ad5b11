package pgo

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// exchange is one request and its answer, as recorded between the pgo client
// and a running PGO 4.2.1.
type exchange struct {
	request, body string // "POST /clusters", {"Name":…}
	header        http.Header
	status        int
	answer        string
	then          func() // happens with the answer
}

// recorded reads a recording: ">>>" begins a request, "<<<" its answer, an empty
// line ends the headers of either.
func recorded(t *testing.T, files ...string) []exchange {
	t.Helper()
	var all []exchange
	for _, file := range files {
		text, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
		for _, part := range strings.Split(string(text), "\n>>> ")[1:] {
			asked, answered, ok := strings.Cut(part, "\n<<< ")
			require.True(t, ok, part)
			head, body, _ := strings.Cut(asked, "\n\n")
			words := strings.Fields(head)
			answerHead, answer, _ := strings.Cut(answered, "\n\n")
			answer, _, _ = strings.Cut(answer, "\n###")
			status, err := strconv.Atoi(strings.Fields(answerHead)[0])
			require.NoError(t, err)
			e := exchange{request: words[0] + " " + words[1], body: strings.TrimSpace(body), header: http.Header{}, status: status, answer: strings.TrimSpace(answer)}
			for _, line := range strings.Split(answerHead, "\n")[1:] {
				if name, value, _ := strings.Cut(line, ": "); name == "Content-Type" {
					e.header.Set(name, value)
				}
			}
			all = append(all, e)
		}
	}
	return all
}

// operator is a fake PGO apiserver. It has the transport of the real one (TLS,
// client certificate, basic authentication) and answers a request that is the
// recorded one to the byte by the recorded answer; the last one again when it
// has no more.
type operator struct {
	*httptest.Server
	config string // the answer to /config
	dir    string // certificate, key and credentials, as a user has them

	mu      sync.Mutex
	script  []exchange
	unknown []string // requests that were never recorded
	asked   []string
}

// The recording's user.
const pgoUser, pgoPassword = "pgoadmin", "examplepassword"

func newOperator(t *testing.T, script []exchange, names ...string) *operator {
	t.Helper()
	o := &operator{dir: t.TempDir(), script: script}
	pair := selfSigned(t, names...)
	write := func(name string, blocks ...*pem.Block) {
		var text []byte
		for _, b := range blocks {
			text = append(text, pem.EncodeToMemory(b)...)
		}
		require.NoError(t, os.WriteFile(filepath.Join(o.dir, name), text, 0o600))
	}
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	require.NoError(t, err)
	write("ca.crt", &pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})
	write("client.key", &pem.Block{Type: "PRIVATE KEY", Bytes: key})
	require.NoError(t, os.WriteFile(filepath.Join(o.dir, "pgouser"), []byte(pgoUser+":"+pgoPassword+"\n"), 0o600))

	clients := x509.NewCertPool()
	clients.AddCert(pair.Leaf)
	o.Server = httptest.NewUnstartedServer(o)
	o.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.VerifyClientCertIfGiven, ClientCAs: clients}
	o.Config.ErrorLog = log.New(io.Discard, "", 0) // refused handshakes are what is tested
	o.StartTLS()
	t.Cleanup(o.Close)
	return o
}

// selfSigned is server certificate, client certificate and authority in one, as
// the operator's own pgo.tls.
func selfSigned(t *testing.T, names ...string) tls.Certificate {
	t.Helper()
	return selfSignedUntil(t, time.Now().Add(time.Hour), names...)
}

func selfSignedUntil(t *testing.T, end time.Time, names ...string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: names,
		NotBefore: end.Add(-2 * time.Hour), NotAfter: end, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

func (o *operator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "Forbidden: Client Certificate Required", http.StatusForbidden)
		return
	}
	if user, password, _ := r.BasicAuth(); user != pgoUser || password != pgoPassword {
		http.Error(w, "Not authenticated in apiserver", http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	request := r.Method + " " + r.URL.RequestURI()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked = append(o.asked, request+" "+string(body))
	for i, e := range o.script {
		if e.request != request || e.body != string(body) {
			continue
		}
		if more := o.next(i); more > 0 {
			o.script = append(o.script[:i:i], o.script[i+1:]...)
		}
		for name, values := range e.header {
			w.Header()[name] = values
		}
		if e.then != nil {
			e.then()
		}
		w.WriteHeader(e.status)
		_, _ = io.WriteString(w, e.answer+"\n")
		return
	}
	if strings.HasPrefix(request, "GET /config") && o.config == "" { // not for the role of this user
		http.Error(w, "Not authorized for this apiserver action", http.StatusForbidden)
		return
	}
	if strings.HasPrefix(request, "GET /config") {
		_, _ = io.WriteString(w, o.config)
		return
	}
	o.unknown = append(o.unknown, request+" "+string(body))
	http.NotFound(w, r)
}

// next is a later exchange with the same request; 0 when there is none.
func (o *operator) next(i int) int {
	for j := i + 1; j < len(o.script); j++ {
		if o.script[j].request == o.script[i].request && o.script[j].body == o.script[i].body {
			return j
		}
	}
	return 0
}

// answers sets what is said to /showclusters about the recorded cluster.
func (o *operator) answers(show ...string) {
	var script []exchange
	for _, text := range show {
		script = append(script, exchange{request: "POST /showclusters", body: showHippo, status: http.StatusOK, answer: text})
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range o.script {
		if e.body != showHippo {
			script = append(script, e)
		}
	}
	o.script = script
}

const showHippo = `{"clustername":"hippo","selector":"","ccpimagetag":"","clientversion":"4.2.1","namespace":"pgouser1","allflag":false}`

// file is one of the user's files.
func (o *operator) file(name string) string { return filepath.Join(o.dir, name) }

func (o *operator) client(t *testing.T, change func(*API)) (*api, error) {
	t.Helper()
	access := API{URL: o.URL, Service: "postgres-operator.pgo:8443", CA: o.file("ca.crt"), Cert: o.file("ca.crt"), Key: o.file("client.key"), PgouserFile: o.file("pgouser")}
	if change != nil {
		change(&access)
	}
	return access.open(localEnv(t), noVariables)
}

func noVariables(string) string { return "" }

// plainServer is something that is no apiserver.
func plainServer(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return "https://" + s.Listener.Addr().String()
}

func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return "https://" + l.Addr().String()
}
