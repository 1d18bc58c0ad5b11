package kube

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"
)

// Greeting is what one answer of the API server tells beside its text.
type Greeting struct {
	Offset      time.Duration     // of the server's clock from ours; 0 when too small to tell
	Certificate *x509.Certificate // that the server shows; nil without TLS
}

// dateJitter is what the header Date, in whole seconds, cannot tell.
const dateJitter = 2 * time.Second

// Greet makes one small request on a connection of its own. It fails when the
// server does not answer, or does not know the user.
func (c *Cluster) Greet(ctx context.Context) (Greeting, error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var g Greeting
	client, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return g, err
	}
	base, _, err := rest.DefaultServerUrlFor(c.config)
	if err != nil {
		return g, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base.JoinPath("version").String(), nil)
	if err != nil {
		return g, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return g, c.Fault(fmt.Errorf("greet the API server: %w", err))
	}
	defer resp.Body.Close()
	at := time.Now()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection can be used again
	if resp.StatusCode == http.StatusUnauthorized {
		return g, c.Fault(apierrors.NewUnauthorized("the server does not know the user"))
	}
	if said, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if offset := said.Sub(at); offset < -dateJitter || offset > dateJitter {
			g.Offset = offset
		}
	}
	if resp.TLS != nil && len(resp.TLS.PeerCertificates) > 0 {
		g.Certificate = resp.TLS.PeerCertificates[0]
	}
	return g, nil
}
