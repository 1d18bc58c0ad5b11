package kube_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
)

func TestAContainerOfAPodIsAHost(t *testing.T) {
	c := kubetest.Lab(t)
	kubetest.LabPod(t, c, "db", "database", "sidecar")
	open := func(t *testing.T) conn.Host {
		h, err := c.Container(t.Context(), "", "db", "")
		require.NoError(t, err)
		return h
	}
	conntest.Suite(t, open, conntest.LacksKill, conntest.LacksDial)

	t.Run("a program that is not there is exit status 127", func(t *testing.T) {
		_, err := open(t).Run(t.Context(), conn.Command("no-such-program"))
		code, ok := conn.ExitCode(err)
		require.True(t, ok, "%v", err)
		require.Equal(t, 127, code)
		require.ErrorContains(t, err, "executable file not found")
	})
	t.Run("a container that the pod has not names those it has", func(t *testing.T) {
		_, err := c.Container(t.Context(), "", "db", "databse")
		var u *conn.Unreachable
		require.ErrorAs(t, err, &u)
		require.Equal(t, "its containers: database, sidecar", u.Hint)
	})
	t.Run("a cancelled command returns at once", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		begin := time.Now()
		_, err := open(t).Run(ctx, conn.Command("sleep", "20"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Less(t, time.Since(begin), 15*time.Second)
	})
}

func TestAContainerTargetIsOpenedThroughItsCluster(t *testing.T) {
	c := kubetest.Lab(t)
	kubetest.LabPod(t, c, "db", "database")
	pool := conn.NewPool(map[string]conn.Opener{conn.Kubernetes: kube.Open, conn.Container: kube.OpenContainer},
		map[string]conn.Settings{"lab": {Kind: conn.Kubernetes, Kubeconfig: kubetest.LabFile(t, "kubeconfig"), Namespace: c.Namespace()}})
	defer pool.Close()
	h, err := pool.Dial(t.Context(), conn.Target{Kind: conn.Container, Name: "db/database", Config: "lab", Pod: "db"})
	require.NoError(t, err)
	res, err := h.Run(t.Context(), conn.Command("hostname"))
	require.NoError(t, err)
	require.Equal(t, "db\n", res.Stdout)
}

func TestAPodThatHasGoneIsUnreachable(t *testing.T) {
	c := kubetest.Lab(t)
	kubetest.LabPod(t, c, "db", "database")
	h, err := c.Container(t.Context(), "", "db", "")
	require.NoError(t, err)
	require.NoError(t, c.Clientset().CoreV1().Pods(c.Namespace()).Delete(t.Context(), "db", metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	_, err = h.Run(t.Context(), conn.Command("true"))
	require.EqualError(t, err, "cannot reach pod db in "+c.Namespace()+": there is no such pod")
}

func TestPortsOfPodsAndServicesAreForwarded(t *testing.T) {
	c := kubetest.Lab(t)
	kubetest.LabPod(t, c, "db", "database")
	h, err := c.Container(t.Context(), "", "db", "")
	require.NoError(t, err)
	go func() { // an echo server in the pod, for as long as the test runs
		_, _ = h.Run(t.Context(), conn.Command("perl", "-e", echo))
	}()
	service := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "db"}, Spec: corev1.ServiceSpec{Selector: map[string]string{"app": "db"},
		Ports: []corev1.ServicePort{{Name: "echo", Port: 80, TargetPort: intstr.FromInt32(7777)}}}}
	_, err = c.Clientset().CoreV1().Services(c.Namespace()).Create(t.Context(), service, metav1.CreateOptions{})
	require.NoError(t, err)

	says := func(dial func() (io.ReadWriteCloser, error)) string {
		conn, err := dial()
		if err != nil {
			return err.Error()
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("hello\n")); err != nil {
			return err.Error()
		}
		got := make([]byte, 6)
		if _, err = io.ReadFull(conn, got); err != nil {
			return err.Error()
		}
		return string(got)
	}
	for _, addr := range []string{"pod/db." + c.Namespace() + ":7777", "svc/db:80", "svc/db:echo"} {
		kubetest.Eventually(t, addr, func() bool {
			return says(func() (io.ReadWriteCloser, error) { return c.Dial(t.Context(), "tcp", addr) }) == "hello\n"
		})
	}
	require.Equal(t, "hello\n", says(func() (io.ReadWriteCloser, error) { return h.Dial(t.Context(), "tcp", "127.0.0.1:7777") }))
	_, err = h.Dial(t.Context(), "tcp", "10.0.0.1:80")
	require.ErrorContains(t, err, "only the pod's own ports")

	t.Run("a read deadline ends a read", func(t *testing.T) {
		conn, err := c.Dial(t.Context(), "tcp", "pod/db:7777")
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err = conn.Read(make([]byte, 1))
		require.ErrorContains(t, err, "timeout")
	})
	t.Run("a port where nobody listens is refused by the pod", func(t *testing.T) {
		conn, err := c.Dial(t.Context(), "tcp", "pod/db:9")
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Read(make([]byte, 1))
		require.ErrorContains(t, err, "refused")
	})
}

const echo = `use IO::Socket::INET; my $l = IO::Socket::INET->new(LocalPort => 7777, Listen => 5, ReuseAddr => 1) or die $!;
while (my $c = $l->accept) { while (<$c>) { print $c $_; } }`

// An API server before 1.30, or a proxy before it, that speaks no WebSocket.
func TestExecAndForwardFallBackToSPDY(t *testing.T) {
	lab := kubetest.Lab(t)
	kubetest.LabPod(t, lab, "db", "database")
	upstream, err := url.Parse(lab.REST().Host)
	require.NoError(t, err)
	plain := rest.CopyConfig(lab.REST())
	plain.TLSClientConfig.NextProtos = []string{"http/1.1"} // HTTP/2 has no upgrades
	transport, err := rest.TransportFor(plain)
	require.NoError(t, err)
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(upstream)
		r.Out.Header.Del("Authorization")
	}}
	refused := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.EqualFold(r.Header.Get("Upgrade"), "websocket") {
			refused++
			http.Error(w, "no websocket here", http.StatusBadRequest)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer server.Close()
	c, err := kube.New(t.Context(), "old", &rest.Config{Host: server.URL}, lab.Namespace())
	require.NoError(t, err)
	h, err := c.Container(t.Context(), "", "db", "")
	require.NoError(t, err)
	cmd := conn.Script(`cat; exit 3`)
	cmd.Stdin = strings.NewReader("over SPDY")
	res, err := h.Run(t.Context(), cmd)
	code, _ := conn.ExitCode(err)
	require.Equal(t, 3, code)
	require.Equal(t, "over SPDY", res.Stdout)
	require.Equal(t, 1, refused)

	forwarded, err := c.Dial(t.Context(), "tcp", "pod/db:9")
	require.NoError(t, err)
	defer forwarded.Close()
	_, err = forwarded.Read(make([]byte, 1))
	require.ErrorContains(t, err, "refused")
}
