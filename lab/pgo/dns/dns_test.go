package dns_test

import (
	"context"
	"io"
	"log"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/adbsql/antdbctl/lab/pgo/dns"
)

func TestNamesOfServicesAndOfThePodsBehindThem(t *testing.T) {
	named := func(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name, Namespace: "ns"} }
	kube := fake.NewSimpleClientset(
		&corev1.Service{ObjectMeta: named("db-ha"), Spec: corev1.ServiceSpec{ClusterIP: "10.96.0.7"}},
		&corev1.Service{ObjectMeta: named("db-pods"), Spec: corev1.ServiceSpec{ClusterIP: corev1.ClusterIPNone}},
		&corev1.Endpoints{ObjectMeta: named("db-pods"), Subsets: []corev1.EndpointSubset{{Addresses: []corev1.EndpointAddress{
			{Hostname: "db-a-0", IP: "10.244.1.5"}, {Hostname: "db-repo-host-0", IP: "10.244.2.6"}, {IP: "10.244.2.7"},
		}}}})
	connection, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- dns.Server{Kube: kube, Log: log.New(io.Discard, "", 0)}.Serve(ctx, connection)
	}()
	resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", connection.LocalAddr().String())
	}}
	for name, want := range map[string][]string{
		"db-ha.ns.svc.cluster.local.":                  {"10.96.0.7"},
		"db-a-0.db-pods.ns.svc.cluster.local.":         {"10.244.1.5"},
		"DB-repo-host-0.db-pods.ns.svc.cluster.local.": {"10.244.2.6"},
		"db-pods.ns.svc.cluster.local.":                {"10.244.1.5", "10.244.2.6", "10.244.2.7"},
	} {
		got, err := resolver.LookupHost(t.Context(), name)
		require.NoError(t, err, name)
		require.ElementsMatch(t, want, got, name)
	}
	for _, name := range []string{"db-b-0.db-pods.ns.svc.cluster.local.", "other.ns.svc.cluster.local.", "db-ha.other.svc.cluster.local.", "example.invalid."} {
		_, err := resolver.LookupHost(t.Context(), name)
		var fault *net.DNSError
		require.ErrorAs(t, err, &fault, name)
		require.True(t, fault.IsNotFound, name)
	}
	cancel()
	require.NoError(t, <-ended)
}
