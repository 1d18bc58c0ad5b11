// Package live_test breaks the lab for real, one way after the other, and asks
// `antdbctl diagnose` what is wrong without telling it.
package live_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8s "k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
)

const (
	namespace = "pgouser1"
	image     = "crunchydata/antdb-ha:dx"
	bare      = "crunchydata/antdb-ha:dx-nopgaudit"
)

// lab is the site that `make lab` brings up.
type lab struct {
	t       *testing.T
	dir     string
	program string
	book    string
	vars    []string // of the runbook, beside the lab's site file
	kube    *kube.Cluster
}

// openLab takes the place of the operator's colleague: it has the program, a
// runbook that names no more than the targets, and the lab's site file.
func openLab(t *testing.T) *lab {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the lab")
	}
	l := &lab{t: t, dir: os.Getenv("ANTDBCTL_LAB_DIR")}
	if l.dir == "" {
		l.dir = "/run/antdbctl-lab"
	}
	require.FileExists(t, filepath.Join(l.dir, "site.hcl"), "the lab is not up: make lab")
	work := t.TempDir()
	l.program, l.book = filepath.Join(work, "antdbctl"), filepath.Join(work, "site.hcl")
	out, err := exec.Command("go", "build", "-o", l.program, "../../../cmd/antdbctl").CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile("site.hcl")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(l.book, text, 0o600))
	host, err := kube.Open(t.Context(), conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: namespace},
		conn.Settings{Kubeconfig: filepath.Join(l.dir, "kubeconfig")}, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, host.Close()) })
	l.kube, err = kube.Of(host)
	require.NoError(t, err)
	return l
}

// docker talks to the lab's engine.
func (l *lab) docker(stdin io.Reader, args ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "docker", append([]string{"-H", "unix://" + filepath.Join(l.dir, "docker.sock")}, args...)...)
	cmd.Stdin = stdin
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	require.NoError(l.t, cmd.Run(), "docker %v: %s", args, &complaints)
	return out.String()
}

// node runs a script on a machine from outside, past its sshd.
func (l *lab) node(name, script string) string {
	l.t.Helper()
	return l.docker(nil, "exec", name, "sh", "-c", script)
}

// images are the database image of this repository and the same without
// pgaudit, on every machine.
func (l *lab) images() {
	l.t.Helper()
	built := l.docker(nil, "build", "-q", "--network=host", "--build-arg=PG_MAJOR=15", "--build-arg=PG_LBL=15", "--build-arg=BACKREST_VER=2.45",
		"--build-arg=PGAUDIT_LBL=15", "--build-arg=PATRONI_VER=3.0.2", "-t", image, "../../../images/antdb-ha")
	without := "FROM " + image + "\nUSER 0\nRUN rm -f /usr/pgsql-15/lib/pgaudit.so \"$(pg_config --pkglibdir)/pgaudit.so\"\nUSER 26\n"
	built += l.docker(strings.NewReader(without), "build", "-q", "--network=host", "-t", bare, "-")
	for _, node := range l.nodes() {
		marker := l.node(node, "cat /run/dx-images 2>/dev/null || true")
		if marker == built {
			continue
		}
		archive := filepath.Join(l.t.TempDir(), "images.tar")
		l.docker(nil, "save", "-o", archive, image, bare)
		f, err := os.Open(archive)
		require.NoError(l.t, err)
		l.docker(f, "exec", "-i", node, "ctr", "-n", "k8s.io", "images", "import", "-")
		require.NoError(l.t, f.Close())
		l.docker(strings.NewReader(built), "exec", "-i", node, "sh", "-c", "cat >/run/dx-images")
	}
}

// log is what a pod's database wrote.
func (l *lab) log(p corev1.Pod) string {
	text, err := l.kube.Clientset().CoreV1().Pods(namespace).GetLogs(p.Name, &corev1.PodLogOptions{Container: "database"}).DoRaw(l.t.Context())
	if err != nil {
		return "" // it has not started yet
	}
	return string(text)
}

func (l *lab) nodes() []string {
	l.t.Helper()
	list, err := l.kube.Clientset().CoreV1().Nodes().List(l.t.Context(), metav1.ListOptions{})
	require.NoError(l.t, err)
	var names []string
	for _, n := range list.Items {
		names = append(names, n.Name)
	}
	return names
}

// with are fields of a request to make a cluster.
type with map[string]any

// create asks the operator for a cluster, as its client does.
func (l *lab) create(name string, fields with) {
	l.t.Helper()
	l.sweep(name) // of a run that was cut off
	l.keep(name, fields)
}

// keep makes a cluster where something of its name is.
func (l *lab) keep(name string, fields with) {
	l.t.Helper()
	l.t.Cleanup(func() { l.sweep(name) })
	request := with{"Name": name, "Namespace": namespace, "ClientVersion": "4.2.1", "Series": 1, "AutofailFlag": true,
		"CCPImagePrefix": "crunchydata", "CCPImage": "antdb-ha", "CCPImageTag": "dx"}
	for field, value := range fields {
		request[field] = value
	}
	var answer struct {
		Status struct{ Code, Msg string } `json:"status"`
	}
	l.pgo("/clusters", request, &answer)
	require.Equal(l.t, "ok", answer.Status.Code, answer.Status.Msg)
}

func (l *lab) pgo(path string, request, answer any) {
	l.t.Helper()
	body, err := json.Marshal(request)
	require.NoError(l.t, err)
	text := l.call(path, body)
	require.NoError(l.t, json.Unmarshal(text, answer), string(text))
}

func (l *lab) call(path string, body []byte) []byte {
	l.t.Helper()
	site, err := os.ReadFile(filepath.Join(l.dir, "site.hcl"))
	require.NoError(l.t, err)
	url := regexp.MustCompile(`pgo_url\s*=\s*"(.*)"`).FindStringSubmatch(string(site))
	require.NotNil(l.t, url, "the lab has no operator")
	certs := filepath.Join(l.dir, "pgo")
	pair, err := tls.LoadX509KeyPair(filepath.Join(certs, "client.crt"), filepath.Join(certs, "client.key"))
	require.NoError(l.t, err)
	pool := x509.NewCertPool()
	ca, err := os.ReadFile(filepath.Join(certs, "ca.crt"))
	require.NoError(l.t, err)
	require.True(l.t, pool.AppendCertsFromPEM(ca))
	login, err := os.ReadFile(filepath.Join(certs, "pgouser"))
	require.NoError(l.t, err)
	user, password, _ := strings.Cut(strings.TrimSpace(string(login)), ":")

	r, err := http.NewRequestWithContext(l.t.Context(), http.MethodPost, url[1]+path, bytes.NewReader(body))
	require.NoError(l.t, err)
	r.SetBasicAuth(user, password)
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: "pgo-apiserver"}}}
	res, err := client.Do(r)
	require.NoError(l.t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	require.NoError(l.t, err)
	return text
}

// until polls what a break leads to.
func (l *lab) until(what string, is func() bool) {
	l.t.Helper()
	for end := time.Now().Add(5 * time.Minute); !is(); {
		require.False(l.t, time.Now().After(end), "waited in vain for: %s", what)
		poll := time.NewTimer(time.Second)
		select {
		case <-poll.C:
		case <-l.t.Context().Done():
			require.NoError(l.t, l.t.Context().Err())
		}
	}
}

func custom(kind string) k8s.GroupVersionResource {
	return k8s.GroupVersionResource{Group: "crunchydata.com", Version: "v1", Resource: kind}
}

// sweep takes a cluster away without the operator, which cannot delete one that
// never came up.
func (l *lab) sweep(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	client := l.kube.Clientset()
	now, foreground := int64(0), metav1.DeletePropagationForeground
	all := metav1.DeleteOptions{PropagationPolicy: &foreground}
	_ = l.kube.Dynamic().Resource(custom("pgclusters")).Namespace(namespace).Delete(ctx, name, all)
	for _, by := range []metav1.ListOptions{{LabelSelector: "pg-cluster=" + name}, {LabelSelector: "crunchy-pgha-scope=" + name}} {
		for _, kind := range []string{"pgtasks", "pgreplicas"} {
			_ = l.kube.Dynamic().Resource(custom(kind)).Namespace(namespace).DeleteCollection(ctx, all, by)
		}
		_ = client.AppsV1().Deployments(namespace).DeleteCollection(ctx, all, by)
		_ = client.BatchV1().Jobs(namespace).DeleteCollection(ctx, all, by)
		_ = client.CoreV1().Pods(namespace).DeleteCollection(ctx, metav1.DeleteOptions{GracePeriodSeconds: &now}, by)
		_ = client.CoreV1().Secrets(namespace).DeleteCollection(ctx, all, by)
		_ = client.CoreV1().ConfigMaps(namespace).DeleteCollection(ctx, all, by)
		_ = client.CoreV1().PersistentVolumeClaims(namespace).DeleteCollection(ctx, all, by)
		services, err := client.CoreV1().Services(namespace).List(ctx, by)
		if err != nil {
			continue
		}
		for _, s := range services.Items {
			_ = client.CoreV1().Services(namespace).Delete(ctx, s.Name, all)
		}
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: "pg-cluster=" + name})
		if err == nil && len(pods.Items) == 0 {
			return
		}
		<-time.After(time.Second)
	}
}
