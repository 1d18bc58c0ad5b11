package k8s

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

const (
	samples    = 5 // requests whose median is the latency
	sampleTime = 1500 * time.Millisecond
)

// meet asks the API server for its version, health and certificate, and learns
// its clock. It is false when there is no answer, and then a fact and a gap say
// so.
func (g *gatherer) meet(ctx context.Context) bool {
	fact := &evidence.APIServer{}
	if v, ok := g.Version(); ok {
		fact.Version = v.String()
	}
	greeting, err := g.Greet(ctx)
	if err != nil {
		fact.Error = err.Error()
		g.rec.Fact(g.REST().Host, evidence.Place{}, fact)
		g.rec.Gap("all of Kubernetes", evidence.Place{}, err)
		return false
	}
	g.offset = greeting.Offset
	if greeting.Certificate != nil {
		g.certificate("the API server "+g.REST().Host, evidence.Place{}, greeting.Certificate)
	}
	fact.Millis = g.latency(ctx)
	fact.Error = g.unhealthy(ctx)
	g.rec.Fact(g.REST().Host, evidence.Place{}, fact)
	g.ownCertificate()
	return true
}

// latency is the median of some small requests in milliseconds. They are for an
// object, so that the server has to ask its store. A server that is slow is not
// asked as often.
func (g *gatherer) latency(ctx context.Context) float64 {
	var took []float64
	ctx, cancel := context.WithTimeout(ctx, firstTime)
	defer cancel()
	for first := time.Now(); len(took) < samples && time.Since(first) < sampleTime; {
		begun := time.Now()
		_, err := g.Clientset().CoreV1().Namespaces().Get(ctx, g.namespace, metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) && ctx.Err() == nil {
			break
		}
		took = append(took, float64(time.Since(begun))/float64(time.Millisecond))
	}
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// unhealthy is which of its own checks the server fails. Servers before 1.16 do
// not tell, and some keep it to themselves: those count as healthy.
func (g *gatherer) unhealthy(ctx context.Context) string {
	raw, err := g.Clientset().Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	if err == nil || !apierrors.IsInternalError(err) && !apierrors.IsServiceUnavailable(err) {
		return ""
	}
	var failed []string
	for line := range strings.Lines(string(raw)) {
		if check, ok := strings.CutPrefix(line, "[-]"); ok {
			failed = append(failed, strings.TrimSpace(check))
		}
	}
	if len(failed) == 0 {
		return "it says that it is not ready"
	}
	return strings.Join(failed, "; ")
}

// ownCertificate is the client certificate of the kubeconfig.
func (g *gatherer) ownCertificate() {
	config := g.REST().TLSClientConfig
	text := config.CertData
	if len(text) == 0 && config.CertFile != "" {
		var err error
		if text, err = os.ReadFile(config.CertFile); err != nil {
			g.rec.Gap("the kubeconfig's certificate", evidence.Place{}, err)
			return
		}
	}
	if cert, err := firstCertificate(text); err == nil {
		g.certificate("the kubeconfig's user", evidence.Place{}, cert)
	}
}

func (g *gatherer) certificate(where string, place evidence.Place, cert *x509.Certificate) {
	now := g.now()
	g.rec.Fact(where, place, &evidence.Certificate{Where: where, Subject: holder(cert),
		Left: int64(cert.NotAfter.Sub(now) / time.Second), Starts: int64(cert.NotBefore.Sub(now) / time.Second)})
}

func holder(cert *x509.Certificate) string {
	if cert.Subject.String() == "" && len(cert.DNSNames) > 0 {
		return cert.DNSNames[0]
	}
	return cert.Subject.String()
}

var errNoCertificate = errors.New("no certificate in it")

// firstCertificate reads the first certificate of a PEM text, past keys.
func firstCertificate(text []byte) (*x509.Certificate, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			cert, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("read a certificate: %w", err)
			}
			return cert, nil
		}
	}
	return nil, errNoCertificate
}
