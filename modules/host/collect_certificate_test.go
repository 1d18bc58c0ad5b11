package host

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

func TestCollectTakesCertificatesAndLeavesKeys(t *testing.T) {
	now := time.Now()
	crt, key := certificate(t, "kube-apiserver", now.Add(-time.Hour), now.Add(48*time.Hour))
	ca, _ := certificate(t, "old-ca", now.Add(-time.Hour), now.Add(-time.Minute))
	dir := t.TempDir()
	write(t, dir+"/kubelet-client-current.pem", crt+ca+key, 0o600)
	write(t, dir+"/admin.conf", "users:\n- user:\n    client-certificate-data: "+base64.StdEncoding.EncodeToString([]byte(crt))+
		"\n    client-key-data: "+base64.StdEncoding.EncodeToString([]byte(key))+"\n", 0o600)
	write(t, dir+"/broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", 0o600)

	heard := &listening{Host: elsewhere{local.New(), dir}}
	c := collect(t, heard, Collect{Node: "node7"})
	both := fact[evidence.Certificate](c, dir+"/kubelet-client-current.pem")
	require.Equal(t, "CN=old-ca", both.Subject, "the first of them that ends counts")
	require.InDelta(t, -60, both.Left, 30)
	admin := fact[evidence.Certificate](c, dir+"/admin.conf")
	require.Equal(t, "CN=kube-apiserver", admin.Subject)
	require.InDelta(t, 48*3600, admin.Left, 30)
	require.InDelta(t, -3600, admin.Starts, 30)
	require.Contains(t, c.gaps(), "the certificate "+dir+"/broken.pem")

	secret := strings.Split(key, "\n")[1]
	require.Contains(t, heard.text.String(), strings.Split(crt, "\n")[1])
	require.NotContains(t, heard.text.String(), secret)
	require.NotContains(t, heard.text.String(), base64.StdEncoding.EncodeToString([]byte(key))[:40])
}

// elsewhere has Kubernetes' files in another folder.
type elsewhere struct {
	conn.Host
	dir string
}

func (e elsewhere) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	cmd.Args = slices.Clone(cmd.Args)
	cmd.Args[2] = strings.NewReplacer("/etc/kubernetes/ssl", e.dir, "/etc/kubernetes/*.conf", e.dir+"/*.conf").Replace(cmd.Args[2])
	return e.Host.Run(ctx, cmd)
}

// listening hears all that a command prints.
type listening struct {
	conn.Host
	text strings.Builder
}

func (l *listening) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if cmd.Stdout != nil {
		cmd.Stdout = io.MultiWriter(cmd.Stdout, &l.text)
	}
	return l.Host.Run(ctx, cmd)
}

func certificate(t *testing.T, name string, from, to time.Time) (crt, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}
