// Package pki makes the cluster's certificates: one authority, good for a throw-away lab only.
package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

const lifetime = 365 * 24 * time.Hour

// Authority signs everything in the cluster.
type Authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Subject is whom a certificate is for. With addresses or names it serves as a server's, always as a client's.
type Subject struct {
	User   string
	Groups []string
	Names  []string
	IPs    []string
}

// Open loads the authority in dir, or makes it.
func Open(dir string) (*Authority, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	a := &Authority{dir: dir}
	if _, err := os.Stat(a.CertFile()); err == nil {
		return a, a.load()
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template, err := a.template(Subject{User: "antdbctl-lab"})
	if err != nil {
		return nil, err
	}
	template.IsCA, template.BasicConstraintsValid, template.ExtKeyUsage = true, true, nil
	template.KeyUsage |= x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	if err := writeKey(a.file("ca.key"), key); err != nil {
		return nil, err
	}
	if err := writePEM(a.CertFile(), "CERTIFICATE", der, 0o644); err != nil {
		return nil, err
	}
	return a, a.load()
}

func (a *Authority) file(name string) string { return filepath.Join(a.dir, name) }

// CertFile is the authority's certificate.
func (a *Authority) CertFile() string { return a.file("ca.crt") }

// Files are where Issue keeps the pair of that name.
func (a *Authority) Files(name string) (cert, key string) {
	return a.file(name + ".crt"), a.file(name + ".key")
}

// Issue makes a certificate and its key under a name, unless they are there.
func (a *Authority) Issue(name string, s Subject) error {
	certFile, keyFile := a.Files(name)
	if _, err := os.Stat(certFile); err == nil {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template, err := a.template(s)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("issue certificate %s: %w", name, err)
	}
	if err := writeKey(keyFile, key); err != nil {
		return err
	}
	return writePEM(certFile, "CERTIFICATE", der, 0o644)
}

// Key makes a bare signing key (for service account tokens) unless it is there.
func (a *Authority) Key(name string) (string, error) {
	_, file := a.Files(name)
	if _, err := os.Stat(file); err == nil {
		return file, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return "", err
	}
	return file, writeKey(file, key)
}

// Kubeconfig writes a kubeconfig with the certificate of that name in it.
func (a *Authority) Kubeconfig(path, server, name string) error {
	certFile, keyFile := a.Files(name)
	var content [3][]byte
	for i, file := range []string{a.CertFile(), certFile, keyFile} {
		var err error
		if content[i], err = os.ReadFile(file); err != nil {
			return fmt.Errorf("write kubeconfig for %s: %w", name, err)
		}
	}
	config := clientcmdapi.NewConfig()
	config.Clusters["lab"] = &clientcmdapi.Cluster{Server: server, CertificateAuthorityData: content[0]}
	config.AuthInfos[name] = &clientcmdapi.AuthInfo{ClientCertificateData: content[1], ClientKeyData: content[2]}
	config.Contexts["lab"] = &clientcmdapi.Context{Cluster: "lab", AuthInfo: name}
	config.CurrentContext = "lab"
	return clientcmd.WriteToFile(*config, path)
}

func (a *Authority) template(s Subject) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: s.User, Organization: s.Groups},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		DNSNames:     s.Names,
	}
	for _, address := range s.IPs {
		template.IPAddresses = append(template.IPAddresses, net.ParseIP(address))
	}
	if len(s.Names)+len(s.IPs) > 0 {
		template.ExtKeyUsage = append(template.ExtKeyUsage, x509.ExtKeyUsageServerAuth)
	}
	return template, nil
}

func (a *Authority) load() error {
	cert, err := readPEM(a.CertFile())
	if err != nil {
		return err
	}
	if a.cert, err = x509.ParseCertificate(cert); err != nil {
		return err
	}
	key, err := readPEM(a.file("ca.key"))
	if err != nil {
		return err
	}
	a.key, err = x509.ParseECPrivateKey(key)
	return err
}

func readPEM(path string) ([]byte, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return nil, fmt.Errorf("%s holds no PEM block", path)
	}
	return block.Bytes, nil
}

func writeKey(path string, key *ecdsa.PrivateKey) error {
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(path, "EC PRIVATE KEY", der, 0o600)
}

// writePEM renames into place: a half-written certificate must not look like a finished one to the next run.
func writePEM(path, kind string, der []byte, mode os.FileMode) error {
	part := path + ".part"
	if err := os.WriteFile(part, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), mode); err != nil {
		return err
	}
	return os.Rename(part, path)
}
