package postgrescluster

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// authority signs the certificates of one namespace's clusters.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	text []byte // of the certificate
}

// pair is a certificate with its key, both as text.
type pair struct{ cert, key []byte }

func newAuthority(now time.Time) (authority, []byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return authority{}, nil, err
	}
	template, err := certificate("postgres-operator-ca", now)
	if err != nil {
		return authority{}, nil, err
	}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return authority{}, nil, err
	}
	keyText, err := encodeKey(key)
	if err != nil {
		return authority{}, nil, err
	}
	a, err := loadAuthority(pair{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: keyText})
	return a, keyText, err
}

func loadAuthority(p pair) (authority, error) {
	certBlock, _ := pem.Decode(p.cert)
	keyBlock, _ := pem.Decode(p.key)
	if certBlock == nil || keyBlock == nil {
		return authority{}, fmt.Errorf("the root certificate's Secret holds no certificate or no key")
	}
	cert, err := x509.ParseCertificate(certBlock.Bytes)
	if err != nil {
		return authority{}, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	return authority{cert: cert, key: key, text: p.cert}, err
}

// issue makes a leaf for a common name. The first DNS name is common name and name alike where no user is meant.
func (a authority) issue(now time.Time, commonName string, dnsNames ...string) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	template, err := certificate(commonName, now)
	if err != nil {
		return pair{}, err
	}
	template.DNSNames = dnsNames
	template.KeyUsage = x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return pair{}, err
	}
	text, err := encodeKey(key)
	return pair{cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key: text}, err
}

func certificate(commonName string, now time.Time) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	return &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: commonName},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
	}, nil
}

func encodeKey(key *ecdsa.PrivateKey) ([]byte, error) {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), nil
}

// combined is key and certificate in one file, as Patroni takes it.
func (p pair) combined() []byte { return bytes.Join([][]byte{p.key, p.cert}, nil) }
