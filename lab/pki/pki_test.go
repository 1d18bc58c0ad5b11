package pki

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
)

func issued(t *testing.T, a *Authority, name string) *x509.Certificate {
	t.Helper()
	file, _ := a.Files(name)
	der, err := readPEM(file)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

func TestCertificatesServeAndIdentify(t *testing.T) {
	a, err := Open(filepath.Join(t.TempDir(), "pki"))
	require.NoError(t, err)
	require.NoError(t, a.Issue("server", Subject{User: "s", Names: []string{"kubernetes"}, IPs: []string{"10.96.0.1"}}))
	require.NoError(t, a.Issue("client", Subject{User: "system:node:node1", Groups: []string{"system:nodes"}}))

	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	server := issued(t, a, "server")
	_, err = server.Verify(x509.VerifyOptions{Roots: roots, DNSName: "kubernetes", KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	require.NoError(t, err)
	require.NoError(t, server.VerifyHostname("10.96.0.1"))

	client := issued(t, a, "client")
	require.Equal(t, []string{"system:nodes"}, client.Subject.Organization)
	_, err = client.Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	require.Error(t, err, "a client's certificate must not serve")
}

func TestSecondOpenKeepsAuthorityAndCertificates(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir)
	require.NoError(t, err)
	require.NoError(t, a.Issue("x", Subject{User: "x"}))
	before := issued(t, a, "x")

	b, err := Open(dir)
	require.NoError(t, err)
	require.NoError(t, b.Issue("x", Subject{User: "x"}))
	require.Equal(t, a.cert.Raw, b.cert.Raw)
	require.Equal(t, before.Raw, issued(t, b, "x").Raw)
}

func TestKeysAreTheOwnersOnly(t *testing.T) {
	a, err := Open(t.TempDir())
	require.NoError(t, err)
	file, err := a.Key("service-account")
	require.NoError(t, err)
	for _, path := range []string{file, a.file("ca.key")} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
}

func TestKubeconfigLoads(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir)
	require.NoError(t, err)
	require.NoError(t, a.Issue("admin", Subject{User: "lab-admin"}))
	path := filepath.Join(dir, "kubeconfig")
	require.NoError(t, a.Kubeconfig(path, "https://10.213.0.1:16443", "admin"))

	config, err := clientcmd.BuildConfigFromFlags("", path)
	require.NoError(t, err)
	require.Equal(t, "https://10.213.0.1:16443", config.Host)
	require.NotEmpty(t, config.CertData)
	require.ErrorContains(t, a.Kubeconfig(path, "https://x", "nobody"), "nobody")
}
