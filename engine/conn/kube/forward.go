package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// Dial forwards a port of a pod ("pod/NAME.NAMESPACE:5432") or of a ready pod
// behind a service ("svc/NAME.NAMESPACE:5432", the service's own port). Without
// a namespace the cluster's is meant.
//
// That the pod listens is only known when the first byte travels: a refusal is
// the error of the first Read.
func (c *Cluster) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if !strings.HasPrefix(network, "tcp") {
		return nil, fmt.Errorf("forward %s: %s cannot be forwarded, only tcp", addr, network)
	}
	kind, name, namespace, port, err := c.parseAddress(addr)
	if err != nil {
		return nil, err
	}
	pod := name
	if kind == "svc" {
		if pod, port, err = c.backend(ctx, namespace, name, port); err != nil {
			return nil, fmt.Errorf("forward %s: %w", addr, err)
		}
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("forward %s: %q is no port number", addr, port)
	}
	return c.forward(ctx, namespace, pod, uint16(n))
}

// parseAddress takes the namespace from behind the last dot: names of pods may
// hold dots, names of namespaces may not.
func (c *Cluster) parseAddress(addr string) (kind, name, namespace, port string, err error) {
	kind, rest, ok := strings.Cut(addr, "/")
	host, port, splitErr := net.SplitHostPort(rest)
	if !ok || splitErr != nil || host == "" || kind != "pod" && kind != "svc" {
		return "", "", "", "", fmt.Errorf("forward %s: the address of a cluster is pod/NAME.NAMESPACE:PORT or svc/NAME.NAMESPACE:PORT", addr)
	}
	name, namespace = host, c.namespace
	if i := strings.LastIndexByte(host, '.'); i >= 0 {
		name, namespace = host[:i], host[i+1:]
	}
	return kind, name, namespace, port, nil
}

// forward opens one connection to a port of a pod, over WebSocket where the
// server can (1.31), else over SPDY.
func (c *Cluster) forward(ctx context.Context, namespace, pod string, port uint16) (net.Conn, error) {
	dialer, err := c.forwarder(namespace, pod)
	if err != nil {
		return nil, err
	}
	type dialed struct {
		conn httpstream.Connection
		err  error
	}
	done := make(chan dialed, 1)
	go func() {
		conn, _, err := dialer.Dial(portforward.PortForwardProtocolV1Name)
		done <- dialed{conn, err}
	}()
	select {
	case d := <-done:
		if d.err != nil {
			return nil, c.podUnreachable(namespace, pod, d.err)
		}
		return newForwarded(d.conn, namespace, pod, port)
	case <-ctx.Done():
		go func() { // the dialer takes no context; what it still opens is closed
			if d := <-done; d.err == nil {
				_ = d.conn.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

func (c *Cluster) forwarder(namespace, pod string) (httpstream.Dialer, error) {
	url := c.clientset.CoreV1().RESTClient().Post().Resource("pods").Namespace(namespace).Name(pod).SubResource("portforward").URL()
	transport, upgrader, err := spdy.RoundTripperFor(c.config)
	if err != nil {
		return nil, c.unreachable(err)
	}
	plain := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	if c.spdy.Load() {
		return plain, nil
	}
	over, err := portforward.NewSPDYOverWebsocketDialerForStreaming(url, c.config)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return portforward.NewFallbackDialerForStreaming(over, plain, canFallBack), nil
}

// canFallBack reports that the server, or a proxy before it, does not speak
// WebSocket here, and so has not begun anything yet. That there is no such pod
// needs no second opinion; a refused GET does, since roles written for SPDY
// allow only POST.
func canFallBack(err error) bool {
	return (httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)) && !apierrors.IsNotFound(cause(err))
}

// cause looks behind the failure of an upgrade, which does not unwrap.
func cause(err error) error {
	if u := (*httpstream.UpgradeFailureError)(nil); errors.As(err, &u) {
		return u.Cause
	}
	return err
}

// forwarded is a forwarded connection. The pipe between the caller and the
// stream gives it the deadlines that streams lack.
type forwarded struct {
	net.Conn // the caller's end of the pipe
	stream   httpstream.Connection
	local    address
	remote   address

	spoken  atomic.Bool   // the pod has sent something: it was not refused
	refusal chan struct{} // closed once problem is set
	problem error         // what the pod's end said, nil when nothing
	close   sync.Once
}

func newForwarded(conn httpstream.Connection, namespace, pod string, port uint16) (net.Conn, error) {
	headers := http.Header{}
	headers.Set(corev1.PortHeader, strconv.Itoa(int(port)))
	headers.Set(corev1.PortForwardRequestIDHeader, "0")
	headers.Set(corev1.StreamType, corev1.StreamTypeError)
	faults, err := conn.CreateStream(headers)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("forward port %d of pod %s: %w", port, pod, err)
	}
	_ = faults.Close() // only the pod's end writes to it
	headers.Set(corev1.StreamType, corev1.StreamTypeData)
	data, err := conn.CreateStream(headers)
	if err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("forward port %d of pod %s: %w", port, pod, err)
	}
	ours, theirs := net.Pipe()
	f := &forwarded{Conn: ours, stream: conn, refusal: make(chan struct{}),
		local: "port-forward", remote: address(fmt.Sprintf("pod/%s.%s:%d", pod, namespace, port))}
	go func() {
		defer close(f.refusal)
		if text, _ := io.ReadAll(faults); len(text) > 0 {
			f.problem = fmt.Errorf("forward to %s: %s", f.remote, strings.TrimSpace(string(text)))
			_ = theirs.Close()
		}
	}()
	go func() {
		_, _ = io.Copy(theirs, data)
		_ = theirs.Close()
	}()
	go func() {
		_, _ = io.Copy(data, theirs)
		_ = data.Close()
	}()
	return f, nil
}

// Read turns a bare end of a stream that never brought anything into what the
// pod's end said about it.
func (f *forwarded) Read(p []byte) (int, error) {
	n, err := f.Conn.Read(p)
	if n > 0 {
		f.spoken.Store(true)
	}
	if f.spoken.Load() {
		return n, err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrClosedPipe) {
		select {
		case <-f.refusal:
			if f.problem != nil {
				err = f.problem
			}
		case <-time.After(refusalWait):
		}
	}
	return n, err
}

// refusalWait is how long an ended stream may wait for the reason to arrive on
// the other stream of the same connection.
const refusalWait = time.Second

func (f *forwarded) Close() error {
	err := f.Conn.Close()
	f.close.Do(func() { err = errors.Join(err, f.stream.Close()) })
	return err
}

func (f *forwarded) LocalAddr() net.Addr  { return f.local }
func (f *forwarded) RemoteAddr() net.Addr { return f.remote }

// address names an end of a forwarded connection.
type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }
