package pgo_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
)

const (
	goodImage   = "crunchydata/antdb-ha:operator-test"
	brokenImage = "crunchydata/antdb-ha:operator-test-without-pgaudit"
)

// live is the running lab, as a client of the operator sees it.
type live struct {
	t      *testing.T
	lab    layout.Lab
	engine docker.Engine
	kube   kubernetes.Interface
	dyn    dynamic.Interface
	config *rest.Config
	nodes  []string
	door   door
}

// door is where the apiserver is, and the folder with what it takes to enter.
type door struct{ namespace, certs string }

func connectLive(t *testing.T) *live {
	t.Helper()
	lab, err := layout.Locate("..")
	require.NoError(t, err)
	config, err := clientcmd.BuildConfigFromFlags("", lab.Kubeconfig())
	require.NoError(t, err, "this test needs a running lab: lab up")
	kube, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	dyn, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	list, err := kube.CoreV1().Nodes().List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err, "this test needs a running lab: lab up")
	l := &live{t: t, lab: lab, engine: docker.New(lab), kube: kube, dyn: dyn, config: config, door: door{"pgo", lab.In("pgo")}}
	for _, n := range list.Items {
		l.nodes = append(l.nodes, n.Name)
	}
	return l
}

// TestOperatorOnTheLab takes clusters through their life on real nodes, with the image that the rollout builds.
func TestOperatorOnTheLab(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a running lab")
	}
	l := connectLive(t)
	l.images()
	// two at a time: most of it is waiting
	t.Run("first", func(t *testing.T) {
		t.Run("PGO 4.2: create, fail over in three ways, change a password, back up, scale, delete", l.parallel(l.life))
		t.Run("PGO 6: create, tune, fail over, delete", l.parallel(l.five))
	})
	t.Run("then", func(t *testing.T) {
		t.Run("PGO 4.7: create by resource, scale and change a password by REST, delete the resource", l.parallel(l.fortySeven))
		t.Run("PGO 4.2 without pgaudit: the container completes, and the deletion fails", l.parallel(l.broken))
	})
}

func (l *live) parallel(test func(*testing.T)) func(*testing.T) {
	return func(t *testing.T) {
		t.Parallel()
		test(t)
	}
}

// images builds both images and loads them on every node.
func (l *live) images() {
	l.t.Helper()
	ctx := l.t.Context()
	_, err := l.engine.Do(ctx, "build", "--network=none", "--build-arg=PG_MAJOR=15", "--build-arg=PG_LBL=15",
		"--build-arg=BACKREST_VER=2.45", "--build-arg=PGAUDIT_LBL=17_15", "--build-arg=PATRONI_VER=3.0.2",
		"--tag="+goodImage, filepath.Join("..", "..", "images", "antdb-ha"))
	require.NoError(l.t, err)
	dockerfile := "FROM " + goodImage + "\nUSER 0\nRUN rm /usr/pgsql-15/lib/pgaudit.so\nUSER 26\n"
	_, err = l.engine.Feed(ctx, strings.NewReader(dockerfile), "build", "--network=none", "--tag="+brokenImage, "-")
	require.NoError(l.t, err)
	for _, name := range l.nodes {
		machine := node.Machine{Lab: l.lab, Node: layout.Node{Name: name}, Engine: l.engine}
		require.NoError(l.t, machine.Import(ctx, goodImage, brokenImage))
	}
	l.t.Cleanup(func() {
		ctx := context.Background()
		for _, name := range l.nodes {
			_, _ = l.engine.Do(ctx, "exec", name, "ctr", "--namespace=k8s.io", "images", "rm",
				"docker.io/"+goodImage, "docker.io/"+brokenImage)
		}
		_, _ = l.engine.Do(ctx, "image", "rm", goodImage, brokenImage)
	})
}

func (l *live) ready(selector string) bool { return l.readyIn("pgouser1", selector) }

// readyIn tells whether there is one pod, and it is ready.
func (l *live) readyIn(namespace, selector string) bool {
	list, err := l.kube.CoreV1().Pods(namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil || len(list.Items) != 1 {
		return false
	}
	for _, c := range list.Items[0].Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

func (l *live) eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	begin := time.Now()
	err := wait.PollUntilContextTimeout(t.Context(), 500*time.Millisecond, limit, true,
		func(context.Context) (bool, error) { return holds(), nil })
	require.NoError(t, err, "waiting for "+what)
	t.Logf("%s after %s", what, time.Since(begin).Round(time.Second))
}

type answer struct {
	Code, Msg string
	Status    struct{ Code, Msg string }
}

// post demands success, wherever the answer keeps its status.
func (l *live) post(t *testing.T, path, body string) {
	t.Helper()
	a := l.send(t, path, body)
	require.Equal(t, "ok", a.Code+a.Status.Code, a.Msg+a.Status.Msg)
}

func (l *live) send(t *testing.T, path, body string) answer {
	t.Helper()
	return l.request(t, http.MethodPost, path, body)
}

func (l *live) request(t *testing.T, method, path, body string) answer {
	t.Helper()
	file := func(name string) string { return filepath.Join(l.door.certs, name) }
	pair, err := tls.LoadX509KeyPair(file("client.crt"), file("client.key"))
	require.NoError(t, err)
	ca, err := os.ReadFile(file("ca.crt"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	line, err := os.ReadFile(file("pgouser"))
	require.NoError(t, err)
	user, password, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
	service, err := l.kube.CoreV1().Services(l.door.namespace).Get(t.Context(), "postgres-operator", metav1.GetOptions{})
	require.NoError(t, err)

	request, err := http.NewRequest(method, "https://"+service.Spec.ClusterIP+":8443"+path, strings.NewReader(body))
	require.NoError(t, err)
	request.SetBasicAuth(user, password)
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{
		RootCAs: pool, Certificates: []tls.Certificate{pair}, ServerName: "pgo-apiserver",
	}}}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode, string(text))
	var a answer
	require.NoError(t, json.Unmarshal(text, &a))
	return a
}
