package patroni

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// API says how to reach the REST API where it is not Patroni's plain one.
type API struct {
	CA         string `hcl:"ca,optional" doc:"File with the certificate that signed the members' certificates. With it the API is spoken to by TLS."`
	Cert       string `hcl:"cert,optional" doc:"File with the client certificate, which Patroni asks for before it changes anything."`
	Key        string `hcl:"key,optional" doc:"File with the client certificate's key."`
	ServerName string `hcl:"server_name,optional" doc:"Name that the members' certificates must carry. Without it any certificate of that CA will do."`
	Port       int    `hcl:"port,optional" doc:"Port of the API in a pod; 8009 for PGO 4, otherwise 8008."`

	material *material // read from the cluster in place of the files
}

// material is what the files would hold.
type material struct{ ca, cert, key []byte }

func (a *API) validate() error {
	switch {
	case a == nil:
		return nil
	case (a.Cert == "") != (a.Key == ""):
		return module.At("api", errors.New("cert and key go together"))
	case a.CA == "" && (a.Cert != "" || a.ServerName != ""):
		return module.At("api", errors.New("a certificate is of no use without ca: the API would be spoken to without TLS"))
	}
	return nil
}

func (a *API) port(usual int) int {
	if a == nil || a.Port == 0 {
		return usual
	}
	return a.Port
}

// config is how TLS is spoken; nil for an API without it.
func (a *API) config(env *module.Env) (*tls.Config, error) {
	if a == nil || a.CA == "" && a.material == nil {
		return nil, nil
	}
	m := a.material
	if m == nil {
		m = &material{}
		for _, f := range []struct {
			path string
			into *[]byte
		}{{a.CA, &m.ca}, {a.Cert, &m.cert}, {a.Key, &m.key}} {
			if f.path == "" {
				continue
			}
			var err error
			if *f.into, err = os.ReadFile(env.Path(f.path)); err != nil {
				return nil, module.At("api", err)
			}
		}
	}
	config, err := m.config(a.ServerName)
	return config, module.At("api", err)
}

func (m *material) config(serverName string) (*tls.Config, error) {
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(m.ca) {
		return nil, errors.New("ca holds no certificate")
	}
	// The name is checked below when there is one: members are dialled by pod or
	// through a tunnel, so the address means nothing.
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, VerifyConnection: func(state tls.ConnectionState) error {
		between := x509.NewCertPool()
		for _, c := range state.PeerCertificates[1:] {
			between.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, DNSName: serverName})
		return err
	}}
	if len(m.cert) > 0 {
		pair, err := tls.X509KeyPair(m.cert, m.key)
		if err != nil {
			return nil, fmt.Errorf("client certificate: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// operatorAccess is what PGO 5 gives each instance to speak to its peers: the
// CA's certificate, and the instance's own with its key in one text. The
// Secret's name and keys are as PGO 5.8 and 6.0 make them.
func (p *place) operatorAccess(ctx context.Context, pod *corev1.Pod) (*API, error) {
	name := pod.Labels["postgres-operator.crunchydata.com/instance"] + "-certs"
	s, err := p.kube.Clientset().CoreV1().Secrets(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, module.At("api", module.Explain(fmt.Errorf("read Secret %s, which has the certificates of pod %s: %w", name, pod.Name, err),
			"give ca, cert and key in an api block, or the right to read that Secret"))
	}
	ca, pair := s.Data["patroni.ca-roots"], s.Data["patroni.crt-combined"]
	if len(ca) == 0 || len(pair) == 0 {
		return nil, module.At("api", fmt.Errorf("Secret %s has no patroni.ca-roots and patroni.crt-combined: give ca, cert and key in an api block", name))
	}
	return &API{material: &material{ca: ca, cert: pair, key: pair}}, nil
}
