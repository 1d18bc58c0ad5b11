package pgo

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	pair, err := newCertificate("pgo", time.Now())
	require.NoError(t, err)
	cert, err := tls.X509KeyPair(pair["tls.crt"], pair["tls.key"])
	require.NoError(t, err)
	return cert
}

// client trusts the server's certificate and shows its own, if it has one.
func client(t *testing.T, server tls.Certificate, own ...tls.Certificate) *http.Client {
	t.Helper()
	leaf, err := x509.ParseCertificate(server.Certificate[0])
	require.NoError(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{
		RootCAs: pool, ServerName: "pgo-apiserver", Certificates: own,
	}}}
}

func TestTransport(t *testing.T) {
	cert := certificate(t)
	kube := fake.NewSimpleClientset(
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "pgouser-u", Namespace: "pgo"},
			Data: map[string][]byte{"password": []byte("p"), "roles": []byte("r")}},
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "pgorole-r", Namespace: "pgo"},
			Data: map[string][]byte{"permissions": []byte("Version")}})
	api := &apiserver.Server{
		Kube: kube, Settings: settings.FromEnv(func(string) string { return "" }), Log: log.New(io.Discard, "", 0),
	}
	server := httptest.NewUnstartedServer(api.Handler())
	server.TLS = apiserver.TLS(cert)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	get := func(c *http.Client, path string) (*http.Response, string, error) {
		request, err := http.NewRequest(http.MethodGet, server.URL+path, nil)
		require.NoError(t, err)
		request.SetBasicAuth("u", "p")
		response, err := c.Do(request)
		if err != nil {
			return nil, "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return response, string(text), err
	}

	response, text, err := get(client(t, cert, cert), "/version")
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	require.Equal(t, `{"Version":"4.2.1","Code":"ok","Msg":"apiserver version"}`+"\n", text)

	response, text, err = get(client(t, cert), "/version")
	require.NoError(t, err)
	require.Equal(t, 403, response.StatusCode)
	require.Equal(t, "Forbidden: Client Certificate Required\n", text)
	require.Equal(t, "text/plain; charset=utf-8", response.Header.Get("Content-Type"))
	require.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"))

	_, text, err = get(client(t, cert), "/healthz")
	require.NoError(t, err)
	require.Equal(t, "ok", text)

	_, _, err = get(client(t, cert, certificate(t)), "/version")
	require.ErrorContains(t, err, "tls: ")
}

func TestManifestsRender(t *testing.T) {
	opts, err := Options{CertDir: "x"}.withDefaults()
	require.NoError(t, err)
	crds, err := renderManifest("1-crds.yaml", map[string]any{"Kinds": kinds})
	require.NoError(t, err)
	require.Len(t, crds, 3)
	operator, err := renderManifest("2-operator.yaml", struct {
		Options
		Roles          []string
		CertificateSum string
	}{opts, []string{"apiserver", "operator"}, "abc"})
	require.NoError(t, err)
	require.Equal(t, "postgres-operator", operator[len(operator)-1].GetName())
	_, err = Options{}.withDefaults()
	require.ErrorContains(t, err, "CertDir")
}

func TestOnlySixServesTheVersionV1(t *testing.T) {
	for release, want := range map[string][]string{"5.8.9": {"v1beta1"}, "6.0.3": {"v1", "v1beta1"}} {
		require.Equal(t, want, servedBy(release))
		objects, err := renderManifest("5-postgrescluster-crd.yaml", map[string]any{"Served": want, "Release": release})
		require.NoError(t, err)
		require.Len(t, objects, 1)
		versions := objects[0].Object["spec"].(map[string]any)["versions"].([]any)
		require.Len(t, versions, len(want))
		for i, v := range versions {
			version := v.(map[string]any)
			require.Equal(t, want[i], version["name"])
			require.Equal(t, want[i] == "v1beta1", version["storage"])
		}
	}
}

func TestInstallationsShareNothingButTheKinds(t *testing.T) {
	names := map[string]bool{}
	for _, opts := range []Options{{CertDir: "x"}, FortySeven("x", "")} {
		opts, err := opts.withDefaults()
		require.NoError(t, err)
		objects, err := renderManifest("2-operator.yaml", struct {
			Options
			Roles          []string
			CertificateSum string
		}{opts, []string{"apiserver", "operator"}, ""})
		require.NoError(t, err)
		for _, o := range objects {
			key := o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
			require.False(t, names[key], key)
			names[key] = true
		}
	}
}
