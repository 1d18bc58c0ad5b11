package patroni

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificates makes a CA and what the operator's Secret has of an instance:
// the CA's certificate, and certificate and key in one text.
func certificates(t *testing.T) (authority *x509.CertPool, secret map[string][]byte) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		return k
	}
	sign := func(template, parent *x509.Certificate, public any, signer any) []byte {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
		der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
		require.NoError(t, err)
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	caKey, own := key(), key()
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "postgres-operator-ca"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	root := sign(ca, ca, &caKey.PublicKey, caKey)
	leaf := sign(&x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{"hippo-db-6246-0.hippo-pods"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, ca, &own.PublicKey, caKey)
	der, err := x509.MarshalPKCS8PrivateKey(own)
	require.NoError(t, err)
	authority = x509.NewCertPool()
	require.True(t, authority.AppendCertsFromPEM(root))
	return authority, map[string][]byte{"patroni.ca-roots": root, "patroni.crt-combined": append(leaf, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})...)}
}
