package kube

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn"
)

// unreachable explains why the API server of a target could not be asked.
func unreachable(target string, config *rest.Config, err error) error {
	var (
		unknownCA x509.UnknownAuthorityError
		hostname  x509.HostnameError
		invalid   x509.CertificateInvalidError
		dns       *net.DNSError
		op        *net.OpError
		hint      string
	)
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case apierrors.IsUnauthorized(err):
		hint = orElse(outdated(config, time.Now()), "the API server does not know this user: renew the certificate or token in the kubeconfig")
		err = fmt.Errorf("%s refuses the credentials (401): %w", config.Host, err)
	case apierrors.IsForbidden(err):
		hint = "ask the cluster's administrator for the permission that the message names"
	case errors.As(err, &unknownCA):
		hint = "the kubeconfig's certificate-authority-data belongs to another cluster, or the cluster was made anew: fetch its kubeconfig again"
	case errors.As(err, &hostname):
		hint = "the server's certificate is for other names: use one of them as the kubeconfig's server, or set tls-server-name"
	case errors.As(err, &invalid):
		hint = datesHint(invalid, time.Now())
	case errors.As(err, &dns):
		hint = "the name of the API server does not resolve on this machine"
	case errors.As(err, &op) && op.Op == "remote error": // the server's end broke the TLS handshake off
		hint = orElse(outdated(config, time.Now()), "what stands before the API server refuses this user's certificate: fetch the kubeconfig again")
	case pluginFailed.MatchString(err.Error()):
		hint = "run the program that the kubeconfig's user names under exec by hand, and see what it says"
	case errors.As(err, &op), errors.Is(err, context.DeadlineExceeded), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		hint = fmt.Sprintf("is the API server up, and can this machine connect to %s?", config.Host)
	}
	return &conn.Unreachable{Target: target, Err: err, Hint: hint}
}

// pluginFailed matches what client-go says of a credential plugin, as text alone.
var pluginFailed = regexp.MustCompile(`getting credentials: (exec: |decoding )`)

// Fault says what to do about an error of the connection that came up in the
// middle of a run: the server has gone, or refuses the credentials by now.
// Answers of the server stay as they are.
func (c *Cluster) Fault(err error) error {
	var u *conn.Unreachable
	if errors.As(err, &u) || !errors.As(err, new(*url.Error)) && !apierrors.IsUnauthorized(err) {
		return err
	}
	return c.unreachable(err)
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
	return unreachable(name, c.config, err)
}
