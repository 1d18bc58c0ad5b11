package kube

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/adbsql/antdbctl/engine/conn"
)

// unknownContext is about a context that the kubeconfig does not have; nil when
// it has it, or when none is named.
func unknownContext(client clientcmd.ClientConfig, name string) error {
	raw, err := client.RawConfig()
	if err != nil || name == "" || raw.Contexts[name] != nil || len(raw.Contexts) == 0 {
		return nil // other faults have their own words
	}
	return &conn.Unreachable{Err: fmt.Errorf("the kubeconfig has no context %q", name),
		Hint: "its contexts: " + strings.Join(slices.Sorted(maps.Keys(raw.Contexts)), ", ")}
}

// loginFlaw is about a user of the kubeconfig who cannot log in from here,
// whatever the server says.
func loginFlaw(config *rest.Config) error {
	if p := config.AuthProvider; p != nil {
		return &conn.Unreachable{Err: fmt.Errorf("the kubeconfig's user logs in by auth-provider %q, which antdbctl does not speak", p.Name),
			Hint: "give the user a token, a client certificate, or an exec credential plugin"}
	}
	p := config.ExecProvider
	if p == nil {
		return nil
	}
	if strings.HasSuffix(p.APIVersion, "/v1alpha1") {
		return &conn.Unreachable{Err: fmt.Errorf("the credential plugin %s of the kubeconfig is asked for %s, which Kubernetes clients have given up", p.Command, p.APIVersion),
			Hint: "write apiVersion: client.authentication.k8s.io/v1beta1 there; an old plugin may have to be renewed for it"}
	}
	if _, err := exec.LookPath(p.Command); err != nil {
		return &conn.Unreachable{Err: fmt.Errorf("the kubeconfig's user gets its credentials from the program %s: %w", p.Command, missing(err)),
			Hint: orElse(strings.TrimSpace(p.InstallHint), "install that program on this machine, or use a kubeconfig with a token or certificate")}
	}
	return nil
}

// missing is the reason alone: the program is named before it.
func missing(err error) error {
	var named *exec.Error
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

// outdated says that the client certificate is not valid now, which a server
// answers like any other unknown user; empty when that is not the cause.
func outdated(config *rest.Config, now time.Time) string {
	if config.TLSClientConfig.CertFile == "" && len(config.TLSClientConfig.CertData) == 0 {
		return ""
	}
	copied := rest.CopyConfig(config)
	if err := rest.LoadTLSFiles(copied); err != nil {
		return ""
	}
	pair, err := tls.X509KeyPair(copied.TLSClientConfig.CertData, copied.TLSClientConfig.KeyData)
	if err != nil {
		return ""
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return ""
	}
	switch {
	case now.After(leaf.NotAfter):
		return fmt.Sprintf("the client certificate in the kubeconfig has expired on %s: renew it (kubeadm certs renew admin.conf), or fetch the kubeconfig again", day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		return fmt.Sprintf("the client certificate in the kubeconfig is valid from %s on, and here it is %s: set this machine's clock", day(leaf.NotBefore), day(now))
	}
	return ""
}

// datesHint tells an expired certificate of the server from one that a wrong
// clock makes look too young.
func datesHint(err x509.CertificateInvalidError, now time.Time) string {
	switch {
	case err.Reason != x509.Expired || err.Cert == nil:
		return "look at the server's certificate and at the kubeconfig's certificate-authority-data"
	case now.Before(err.Cert.NotBefore):
		return fmt.Sprintf("the server's certificate is valid from %s on, and here it is %s: set this machine's clock, or the server's", day(err.Cert.NotBefore), day(now))
	}
	return fmt.Sprintf("the server's certificate has expired on %s: renew it (kubeadm certs renew apiserver); and look at this machine's clock", day(err.Cert.NotAfter))
}

func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
