package pgo_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
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
}

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
	l := &live{t: t, lab: lab, engine: docker.New(lab), kube: kube, dyn: dyn, config: config}
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
	t.Run("create, scale out, fail over, change a password, delete", l.life)
	t.Run("a PostgresCluster: create, tune, fail over, delete", l.five)
	t.Run("without pgaudit the container completes, and the deletion fails", l.broken)
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

func (l *live) life(t *testing.T) {
	ctx := t.Context()
	store := crv1.ClusterStore(l.dyn)
	l.post(t, "/clusters", `{"Name":"optest","Namespace":"pgouser1","CCPImage":"antdb-ha","CCPImageTag":"operator-test",
		"Series":1,"ReplicaCount":1,"AutofailFlag":true,"ClientVersion":"4.2.1"}`)
	t.Cleanup(func() { l.sweep("optest") })
	l.eventually(t, 2*time.Minute, "the first backup", func() bool {
		c, err := store.Get(ctx, "pgouser1", "optest")
		return err == nil && c.Status.State == crv1.ClusterInitialized
	})
	l.eventually(t, time.Minute, "a ready replica", func() bool { return l.ready("pg-cluster=optest,role=replica") })

	replicas, err := crv1.ReplicaStore(l.dyn).List(ctx, "pgouser1", "pg-cluster=optest")
	require.NoError(t, err)
	require.Len(t, replicas, 1)
	l.post(t, "/failover", `{"Namespace":"pgouser1","ClusterName":"optest","Target":"`+replicas[0].Name+`","ClientVersion":"4.2.1"}`)
	l.eventually(t, time.Minute, "the new primary", func() bool {
		return l.ready("pg-cluster=optest,role=master,deployment-name=" + replicas[0].Name)
	})

	// The call goes through the Service, whose endpoints follow the role a moment later.
	l.eventually(t, 30*time.Second, "a changed password", func() bool {
		answer := l.send(t, "/userupdate", `{"Clusters":["optest"],"Namespace":"pgouser1","ClientVersion":"4.2.1",
			"Username":"postgres","Password":"changedPass1","PasswordAgeDays":30}`)
		return answer.Code == "ok"
	})
	service, err := l.kube.CoreV1().Services("pgouser1").Get(ctx, "optest", metav1.GetOptions{})
	require.NoError(t, err)
	address := net.JoinHostPort(service.Spec.ClusterIP, "5432")
	require.NoError(t, apiserver.Postgres{}.Exec(ctx, address, "changedPass1", "SELECT 1"))
	require.ErrorContains(t, apiserver.Postgres{}.Exec(ctx, address, "wrong", "SELECT 1"), "password authentication failed")

	l.delete(t, "optest")
	l.eventually(t, time.Minute, "the claims to go", func() bool {
		list, err := l.kube.CoreV1().PersistentVolumeClaims("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: "pg-cluster=optest"})
		return err == nil && len(list.Items) == 0
	})
}

func (l *live) broken(t *testing.T) {
	ctx := t.Context()
	l.post(t, "/clusters", `{"Name":"opbroken","Namespace":"pgouser1","CCPImage":"antdb-ha",
		"CCPImageTag":"operator-test-without-pgaudit","Series":1,"AutofailFlag":true,"ClientVersion":"4.2.1"}`)
	t.Cleanup(func() { l.sweep("opbroken") })
	l.eventually(t, time.Minute, "a completed database container", func() bool {
		pods, err := l.kube.CoreV1().Pods("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: "deployment-name=opbroken"})
		if err != nil || len(pods.Items) != 1 || len(pods.Items[0].Status.ContainerStatuses) != 1 {
			return false
		}
		end := pods.Items[0].Status.ContainerStatuses[0].LastTerminationState.Terminated
		return end != nil && end.Reason == "Completed" && end.ExitCode == 0
	})
	l.delete(t, "opbroken")
	l.eventually(t, time.Minute, "a failed removal", func() bool {
		list, err := l.kube.BatchV1().Jobs("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: "pg-cluster=opbroken,pgrmdata=true"})
		return err == nil && len(list.Items) == 1 && list.Items[0].Status.Failed == 1
	})
	_, err := crv1.ClusterStore(l.dyn).Get(ctx, "pgouser1", "opbroken")
	require.NoError(t, err)
}

func (l *live) ready(selector string) bool {
	list, err := l.kube.CoreV1().Pods("pgouser1").List(l.t.Context(), metav1.ListOptions{LabelSelector: selector})
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

func (l *live) delete(t *testing.T, cluster string) {
	t.Helper()
	l.post(t, "/clustersdelete", `{"Clustername":"`+cluster+`","Namespace":"pgouser1","ClientVersion":"4.2.1",
		"DeleteData":true,"DeleteBackups":true}`)
}

// sweep takes away by hand what a failed removal leaves, the operator's wishes before their results.
func (l *live) sweep(cluster string) {
	ctx := context.Background()
	background := metav1.DeletePropagationBackground
	_ = crv1.ClusterStore(l.dyn).Delete(ctx, "pgouser1", cluster)
	for _, kind := range []schema.GroupVersionResource{
		crv1.Tasks, crv1.Replicas,
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "batch", Version: "v1", Resource: "jobs"},
		{Version: "v1", Resource: "services"}, {Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "persistentvolumeclaims"},
	} {
		for _, selector := range []string{"pg-cluster=" + cluster, "crunchy-pgha-scope=" + cluster} {
			list, err := l.dyn.Resource(kind).Namespace("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				continue
			}
			for _, object := range list.Items {
				_ = l.dyn.Resource(kind).Namespace("pgouser1").
					Delete(ctx, object.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
			}
		}
	}
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
	file := func(name string) string { return l.lab.In("pgo", name) }
	pair, err := tls.LoadX509KeyPair(file("client.crt"), file("client.key"))
	require.NoError(t, err)
	ca, err := os.ReadFile(file("ca.crt"))
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(ca))
	line, err := os.ReadFile(file("pgouser"))
	require.NoError(t, err)
	user, password, _ := strings.Cut(strings.TrimSpace(string(line)), ":")
	service, err := l.kube.CoreV1().Services("pgo").Get(t.Context(), "postgres-operator", metav1.GetOptions{})
	require.NoError(t, err)

	request, err := http.NewRequest(http.MethodPost, "https://"+service.Spec.ClusterIP+":8443"+path, strings.NewReader(body))
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
