// Package dns answers the names of Services and of the pods behind headless ones, for the pods of PGO 5 and 6: those know
// each other by name, and the lab has no name server for all. It asks the API server for every name and keeps nothing.
package dns

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

const (
	suffix = ".svc.cluster.local."
	ttl    = 2 // seconds; addresses change with the pods
)

// Server is the name server. Its fields are set once.
type Server struct {
	Kube kubernetes.Interface
	Log  *log.Logger
}

// Serve answers on the connection until ctx ends.
func (s Server) Serve(ctx context.Context, connection net.PacketConn) error {
	stop := context.AfterFunc(ctx, func() { connection.Close() })
	defer stop()
	for {
		packet := make([]byte, 1500)
		n, from, err := connection.ReadFrom(packet)
		if err != nil {
			if ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return nil
			}
			return err
		}
		go func() {
			ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
			defer cancel()
			answer, err := s.Answer(ctx, packet[:n])
			if err != nil {
				s.Log.Printf("name server: %v", err)
				return
			}
			_, _ = connection.WriteTo(answer, from)
		}()
	}
}

// Answer returns the reply to one question.
func (s Server) Answer(ctx context.Context, packet []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(packet)
	if err != nil {
		return nil, fmt.Errorf("question: %w", err)
	}
	question, err := parser.Question()
	if err != nil {
		return nil, fmt.Errorf("question: %w", err)
	}
	addresses, known, err := s.lookUp(ctx, strings.ToLower(question.Name.String()))
	reply := dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired}
	switch {
	case err != nil:
		s.Log.Printf("name server: %s: %v", question.Name, err)
		reply.RCode = dnsmessage.RCodeServerFailure
	case !known:
		reply.RCode = dnsmessage.RCodeNameError
	}
	builder := dnsmessage.NewBuilder(nil, reply)
	builder.EnableCompression()
	if err := builder.StartQuestions(); err != nil {
		return nil, err
	}
	if err := builder.Question(question); err != nil {
		return nil, err
	}
	if err := builder.StartAnswers(); err != nil {
		return nil, err
	}
	if question.Type == dnsmessage.TypeA {
		for _, address := range addresses {
			record := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET, TTL: ttl}
			if err := builder.AResource(record, dnsmessage.AResource{A: address.As4()}); err != nil {
				return nil, err
			}
		}
	}
	return builder.Finish()
}

// lookUp finds SERVICE.NAMESPACE.svc.cluster.local. and POD.SERVICE.NAMESPACE.svc.cluster.local.
func (s Server) lookUp(ctx context.Context, name string) ([]netip.Addr, bool, error) {
	inside, found := strings.CutSuffix(name, suffix)
	parts := strings.Split(inside, ".")
	if !found || len(parts) < 2 || len(parts) > 3 {
		return nil, false, nil
	}
	namespace, service, pod := parts[len(parts)-1], parts[len(parts)-2], ""
	if len(parts) == 3 {
		pod = parts[0]
	}
	object, err := s.Kube.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	if object.Spec.ClusterIP != corev1.ClusterIPNone {
		addresses := parse(nil, object.Spec.ClusterIP)
		return addresses, pod == "" && len(addresses) > 0, nil
	}
	endpoints, err := s.Kube.CoreV1().Endpoints(namespace).Get(ctx, service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, pod == "", nil
	}
	if err != nil {
		return nil, false, err
	}
	var addresses []netip.Addr
	for _, subset := range endpoints.Subsets {
		for _, a := range subset.Addresses {
			if pod == "" || a.Hostname == pod {
				addresses = parse(addresses, a.IP)
			}
		}
	}
	return addresses, pod == "" || len(addresses) > 0, nil
}

// parse keeps addresses of version 4: the lab has no others.
func parse(addresses []netip.Addr, text string) []netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil && a.Is4() {
		return append(addresses, a)
	}
	return addresses
}
