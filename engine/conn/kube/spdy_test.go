package kube_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// execServer stands in for an API server with one pod, whose commands are all
// echo: it speaks SPDY, and no WebSocket.
type execServer struct {
	version      string
	sockets, all atomic.Int32
}

func (s *execServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/version":
		fmt.Fprintf(w, `{"gitVersion":%q}`, s.version)
	case !strings.HasSuffix(r.URL.Path, "/exec"):
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(corev1.Pod{TypeMeta: metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"}, ObjectMeta: metav1.ObjectMeta{Name: "db"},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{
				{Name: "c", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}}})
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		s.sockets.Add(1)
		s.all.Add(1)
		http.Error(w, "unable to upgrade", http.StatusForbidden)
	default:
		s.all.Add(1)
		s.echo(w, r)
	}
}

// echo speaks version 4 of the protocol of exec.
func (s *execServer) echo(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{"v4.channel.k8s.io"}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream, 4)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		streams <- stream
		return nil
	})
	if connection == nil {
		return
	}
	defer connection.Close()
	byType := map[string]httpstream.Stream{}
	for range 3 {
		stream := <-streams
		byType[stream.Headers().Get(corev1.StreamType)] = stream
	}
	fmt.Fprintln(byType[corev1.StreamTypeStdout], strings.Join(r.URL.Query()["command"][1:], " "))
	_ = byType[corev1.StreamTypeStdout].Close()
	_ = byType[corev1.StreamTypeStderr].Close()
	_ = json.NewEncoder(byType[corev1.StreamTypeError]).Encode(metav1.Status{Status: metav1.StatusSuccess})
	_ = byType[corev1.StreamTypeError].Close()
	_, _ = io.Copy(io.Discard, byType[corev1.StreamTypeError]) // until the client goes
}

func TestCommandsGoOverSPDYWhereAServerSpeaksNoWebSocket(t *testing.T) {
	for _, c := range []struct {
		version       string
		sockets, asks int32
	}{
		{"v1.13.12", 0, 3}, // known not to
		{"v1.34.2", 1, 4},  // a proxy before it refuses, once
	} {
		t.Run(c.version, func(t *testing.T) {
			handler := &execServer{version: c.version}
			server := httptest.NewServer(handler)
			defer server.Close()
			cluster, err := kube.New(t.Context(), "old", &rest.Config{Host: server.URL}, "default")
			require.NoError(t, err)
			h, err := cluster.Container(t.Context(), "", "db", "")
			require.NoError(t, err)
			for range 3 {
				res, err := h.Run(t.Context(), conn.Command("echo", "over", "SPDY"))
				require.NoError(t, err)
				require.Equal(t, "over SPDY\n", res.Stdout)
			}
			require.Equal(t, c.sockets, handler.sockets.Load())
			require.Equal(t, c.asks, handler.all.Load())
		})
	}
}
