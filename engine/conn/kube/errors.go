package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/adbsql/antdbctl/engine/conn"
)

// unreachable explains why the API server of a target could not be asked.
func unreachable(target, server string, err error) error {
	var (
		unknownCA x509.UnknownAuthorityError
		hostname  x509.HostnameError
		expired   x509.CertificateInvalidError
		dns       *net.DNSError
		op        *net.OpError
		hint      string
	)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case apierrors.IsUnauthorized(err):
		hint = "the API server does not know this user: renew the certificate or token in the kubeconfig"
		err = fmt.Errorf("%s refuses the credentials (401): %w", server, err)
	case apierrors.IsForbidden(err):
		hint = "ask the cluster's administrator for the permission that the message names"
	case errors.As(err, &unknownCA):
		hint = "the kubeconfig's certificate-authority-data belongs to another cluster, or the cluster was made anew: fetch its kubeconfig again"
	case errors.As(err, &hostname):
		hint = "the server's certificate is for other names: use one of them as the kubeconfig's server, or set tls-server-name"
	case errors.As(err, &expired):
		hint = "look at the certificate's dates and at this machine's clock"
	case errors.As(err, &dns):
		hint = "the name of the API server does not resolve on this machine"
	case errors.As(err, &op), errors.Is(err, context.DeadlineExceeded):
		hint = fmt.Sprintf("is the API server up, and can this machine connect to %s?", server)
	}
	return &conn.Unreachable{Target: target, Err: err, Hint: hint}
}

// podUnreachable explains why a pod could not be reached through the server.
func (c *Cluster) podUnreachable(namespace, pod string, err error) error {
	name := "pod " + pod + " in " + namespace
	err = cause(err)
	switch {
	case apierrors.IsNotFound(err):
		return &conn.Unreachable{Target: name, Err: errors.New("there is no such pod"),
			Hint: "it may have been replaced since the target was known; apply again"}
	case apierrors.IsForbidden(err), strings.Contains(err.Error(), "forbidden"): // SPDY gives only text
		return &conn.Unreachable{Target: name, Err: err,
			Hint: "this user needs the verbs get and create on pods/exec and pods/portforward"}
	}
	return unreachable(name, c.config.Host, err)
}
