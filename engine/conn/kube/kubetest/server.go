// Package kubetest gives tests a real API server: etcd, kube-apiserver and
// kube-controller-manager, from the lab's cache of binaries. There is no node
// and no scheduler: pods stay Pending, and tests write their status as a
// kubelet would.
//
// A test package shares one server:
//
//	func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }
package kubetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// Server is a running API server.
type Server struct {
	URL string
	dir string
}

var (
	mu     sync.Mutex
	shared *Server
	broken error // why it does not start; the second test need not try again
	daemon processes
)

// Run runs the tests of a package and then ends the server, if a test started it.
func Run(m *testing.M) int {
	code := m.Run()
	daemon.stop()
	if shared != nil {
		_ = os.RemoveAll(shared.dir)
	}
	return code
}

// Start gives the package's server; the first call starts it.
func Start(t testing.TB) *Server {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a kube-apiserver")
	}
	mu.Lock()
	defer mu.Unlock()
	if shared == nil && broken == nil {
		shared, broken = start()
	}
	require.NoError(t, broken)
	return shared
}

// Admin is how the cluster's administrator connects.
func (s *Server) Admin() *rest.Config { return s.config(adminToken) }

// Nobody is a user who may do nothing, and Stranger one whom the server does
// not know.
func (s *Server) Nobody() *rest.Config   { return s.config(nobodyToken) }
func (s *Server) Stranger() *rest.Config { return s.config("wrong") }

// Kubeconfig is a file for the administrator.
func (s *Server) Kubeconfig() string { return filepath.Join(s.dir, "kubeconfig") }

func (s *Server) config(token string) *rest.Config {
	return &rest.Config{Host: s.URL, BearerToken: token, QPS: 100, Burst: 200, WarningHandler: rest.NoWarnings{},
		TLSClientConfig: rest.TLSClientConfig{CAFile: filepath.Join(s.dir, "apiserver.crt")}}
}

// Cluster connects the administrator to a namespace of the test's own.
func (s *Server) Cluster(t testing.TB) *kube.Cluster {
	t.Helper()
	admin, err := kube.New(t.Context(), "test", s.Admin(), "default")
	require.NoError(t, err)
	return s.ClusterIn(t, s.Namespace(t, admin))
}

// ClusterIn connects the administrator to a namespace.
func (s *Server) ClusterIn(t testing.TB, namespace string) *kube.Cluster {
	t.Helper()
	c, err := kube.New(t.Context(), "test", s.Admin(), namespace)
	require.NoError(t, err)
	return c
}

// Namespace makes a namespace for one test, and removes it when the test ends.
func (s *Server) Namespace(t testing.TB, admin *kube.Cluster) string {
	t.Helper()
	name := strings.Trim(strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(t.Name())), "-")
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: name[:min(len(name), 50)] + "-"}}
	made, err := admin.Clientset().CoreV1().Namespaces().Create(t.Context(), ns, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		_ = admin.Clientset().CoreV1().Namespaces().Delete(ctx, made.Name, metav1.DeleteOptions{})
	})
	return made.Name
}

// Eventually polls until done, and fails the test when it takes too long.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	require.Eventually(t, done, 60*time.Second, 50*time.Millisecond, what)
}

const (
	adminToken  = "admin-of-the-test-server"
	nobodyToken = "nobody-of-the-test-server"
)

func start() (*Server, error) {
	bin, err := binaries()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "kubetest-")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(4)
	if err != nil {
		return nil, err
	}
	s := &Server{URL: fmt.Sprintf("https://127.0.0.1:%d", ports[2]), dir: dir}
	if err := s.prepare(); err != nil {
		return nil, err
	}
	if err := s.bringUp(s.daemons(bin, ports)); err != nil {
		err = fmt.Errorf("%w\n%s", err, daemon.logs(dir))
		daemon.stop()
		return nil, err
	}
	return s, nil
}

// bringUp starts etcd and the server, and the controllers once that serves:
// they give up when they find none.
func (s *Server) bringUp(argv [][]string) error {
	for _, a := range argv[:2] {
		if err := daemon.start(s.dir, a); err != nil {
			return err
		}
	}
	if err := s.wait(s.serves); err != nil {
		return err
	}
	if err := daemon.start(s.dir, argv[2]); err != nil {
		return err
	}
	return s.wait(s.controlled)
}

func (s *Server) wait(done func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	for {
		err := done(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the test's API server does not come up: %w", err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *Server) serves(ctx context.Context) error {
	_, err := kube.New(ctx, "test", s.Admin(), "default")
	return err
}

// controlled holds when the controllers have given a namespace its account.
func (s *Server) controlled(ctx context.Context) error {
	c, err := kube.New(ctx, "test", s.Admin(), "default")
	if err != nil {
		return err
	}
	_, err = c.Clientset().CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{})
	return err
}
