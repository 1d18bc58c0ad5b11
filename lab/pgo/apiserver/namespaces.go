package apiserver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

const versionMismatch = "pgo client and server version mismatch"

// check looks at the version first and the namespace then, so a wrong version hides a wrong namespace.
// It returns the message of the refusal, or "".
func (s *Server) check(c *call, version, namespace string) string {
	if version != settings.Version {
		return versionMismatch
	}
	return s.checkNamespace(c, namespace)
}

func (s *Server) checkNamespace(c *call, name string) string {
	if name == "" {
		return "empty namespace is not valid from pgo clients"
	}
	ns, err := s.Kube.CoreV1().Namespaces().Get(c.Context(), name, metav1.GetOptions{})
	if err != nil || !c.user.sees(name) {
		return fmt.Sprintf("user [%s] is not allowed access to namespace [%s]", c.user.name, name)
	}
	if !s.managed(ns) {
		return fmt.Sprintf("namespace [%s] is not part of the Operator installation", name)
	}
	return ""
}

func (a account) sees(namespace string) bool {
	return len(a.namespaces) == 0 || slices.Contains(a.namespaces, namespace)
}

func (s *Server) managed(ns *corev1.Namespace) bool {
	return ns.Labels[crv1.LabelVendor] == crv1.Vendor &&
		ns.Labels[crv1.LabelInstallation] == s.Settings.Installation
}

func (s *Server) showNamespaces(c *call) any {
	request := read[namespaceRequest](c)
	answer := namespaceAnswer{Username: c.user.name, Results: []namespaceDetail{}}
	if request.ClientVersion != settings.Version {
		answer.Status = failed(versionMismatch)
		return answer
	}
	list, err := s.Kube.CoreV1().Namespaces().List(c.Context(), metav1.ListOptions{})
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	slices.SortFunc(list.Items, func(a, b corev1.Namespace) int { return strings.Compare(a.Name, b.Name) })
	for i := range list.Items {
		ns := &list.Items[i]
		if request.AllFlag || slices.Contains(request.Args, ns.Name) {
			answer.Results = append(answer.Results, namespaceDetail{
				Namespace: ns.Name, InstallationAccess: s.managed(ns), UserAccess: c.user.sees(ns.Name),
			})
		}
	}
	answer.Status = ok("")
	return answer
}

// secret returns the data of a Secret as text.
func (s *Server) secret(ctx context.Context, namespace, name string) (map[string]string, error) {
	secret, err := s.Kube.CoreV1().Secrets(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	out := make(map[string]string, len(secret.Data))
	for k, v := range secret.Data {
		out[k] = string(v)
	}
	return out, nil
}

func newPool(cert tls.Certificate) *x509.CertPool {
	pool := x509.NewCertPool()
	if leaf, err := x509.ParseCertificate(cert.Certificate[0]); err == nil {
		pool.AddCert(leaf)
	}
	return pool
}
