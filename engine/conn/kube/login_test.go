package kube_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
)

// certificate makes one that signs itself, valid between two times from now.
func certificate(t *testing.T, from, until time.Duration) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "admin"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: now.Add(from), NotAfter: now.Add(until), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	raw, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})
}

// secured is a server with a certificate of its own, and how to reach it.
func secured(t *testing.T, from, until time.Duration, handler http.HandlerFunc) (*httptest.Server, *rest.Config) {
	cert, key := certificate(t, from, until)
	pair, err := tls.X509KeyPair(cert, key)
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequestClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server, &rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: cert}}
}

func unauthorized(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`))
}

func TestCertificatesOutOfDateAreToldFromThoseThatAreWrong(t *testing.T) {
	const day = 24 * time.Hour
	t.Run("of the user", func(t *testing.T) {
		for name, c := range map[string]struct {
			from, until time.Duration
			says        string
		}{
			"expired":       {-10 * day, -day, "the client certificate in the kubeconfig has expired on "},
			"not yet valid": {day, 10 * day, "set this machine's clock"},
			"unknown":       {-day, day, "renew the certificate or token"},
		} {
			_, config := secured(t, -day, day, unauthorized)
			config.TLSClientConfig.CertData, config.TLSClientConfig.KeyData = certificate(t, c.from, c.until)
			require.Contains(t, refusal(t, config).Hint, c.says, name)
		}
	})
	t.Run("of the user, refused by a proxy that breaks the handshake off", func(t *testing.T) {
		server, config := secured(t, -day, day, unauthorized)
		server.TLS.ClientAuth, server.TLS.ClientCAs = tls.RequireAndVerifyClientCert, x509.NewCertPool()
		config.TLSClientConfig.CertData, config.TLSClientConfig.KeyData = certificate(t, -10*day, -day)
		require.Contains(t, refusal(t, config).Hint, "the client certificate in the kubeconfig has expired on ")
	})
	t.Run("of the server", func(t *testing.T) {
		_, config := secured(t, -10*day, -day, unauthorized)
		require.Contains(t, refusal(t, config).Hint, "the server's certificate has expired on ")
		_, config = secured(t, day, 10*day, unauthorized)
		require.Contains(t, refusal(t, config).Hint, "set this machine's clock, or the server's")
	})
}

func refusal(t *testing.T, config *rest.Config) *conn.Unreachable {
	t.Helper()
	_, err := kube.New(t.Context(), "lab", config, "default")
	var u *conn.Unreachable
	require.ErrorAs(t, err, &u)
	return u
}

func TestAKubeconfigThatCannotWorkFromHereSaysSoBeforeItIsTried(t *testing.T) {
	plugin := func(version, command string) string {
		return fmt.Sprintf("{exec: {apiVersion: client.authentication.k8s.io/%s, command: %s, interactiveMode: Never}}", version, command)
	}
	failing := filepath.Join(t.TempDir(), "plugin")
	require.NoError(t, os.WriteFile(failing, []byte("#!/bin/sh\nexit 3\n"), 0o755))
	cases := map[string]struct{ user, context, says, hint string }{
		"unknown context":         {"{token: x}", "prod", `the kubeconfig has no context "prod"`, "its contexts: lab, spare"},
		"plugin missing":          {plugin("v1", "no-such-plugin"), "", "gets its credentials from the program no-such-plugin", "install that program"},
		"plugin of another age":   {plugin("v1alpha1", "sh"), "", "is asked for client.authentication.k8s.io/v1alpha1", "v1beta1"},
		"plugin that fails":       {plugin("v1", failing), "", "failed with exit code 3", "by hand"},
		"auth-provider":           {"{auth-provider: {name: oidc}}", "", `logs in by auth-provider "oidc"`, "give the user a token"},
		"certificate not to read": {"{client-certificate: /nowhere.crt, client-key: /nowhere.key}", "", "unable to read client-cert /nowhere.crt", ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "kubeconfig")
			require.NoError(t, os.WriteFile(path, []byte(`apiVersion: v1
kind: Config
current-context: lab
contexts: [{name: lab, context: {cluster: lab, user: admin}}, {name: spare, context: {cluster: lab, user: admin}}]
clusters: [{name: lab, cluster: {server: "https://127.0.0.1:1"}}]
users: [{name: admin, user: `+c.user+`}]
`), 0o600))
			_, err := kube.Open(t.Context(), conn.Target{Kind: conn.Kubernetes, Name: "lab"}, conn.Settings{Kubeconfig: path, Context: c.context}, nil)
			var u *conn.Unreachable
			require.ErrorAs(t, err, &u)
			require.Equal(t, "lab", u.Target)
			require.ErrorContains(t, err, c.says)
			require.Contains(t, u.Hint, c.hint)
		})
	}
}

func TestAServerThatGoesInTheMiddleOfARunIsUnreachableWithAHint(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	old.Close()
	_, err := c.Clientset().CoreV1().Pods("default").List(t.Context(), metav1.ListOptions{})
	require.Error(t, err)
	var u *conn.Unreachable
	require.ErrorAs(t, c.Fault(fmt.Errorf("list pods: %w", err)), &u)
	require.Contains(t, u.Hint, "is the API server up")
	require.True(t, strings.HasPrefix(u.Err.Error(), "list pods: "), u.Err.Error())

	answer := apierrors.NewNotFound(schema.GroupResource{Resource: "pods"}, "x")
	require.Equal(t, error(answer), c.Fault(answer))
	require.NoError(t, c.Fault(nil))
}
