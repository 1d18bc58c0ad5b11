package pgcluster_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/pgcluster"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

const namespace = "pguser47"

// world is a fake cluster (client-go's in-memory objects; no controllers run in it) with the stand-in beside it.
type world struct {
	t        *testing.T
	kube     *fake.Clientset
	dyn      *dynamicfake.FakeDynamicClient
	api      *pgcluster.API
	operator *pgcluster.Operator
	says     string   // what the next command in a pod says
	fails    bool     // and whether it fails
	ran      []string // commands in pods, with their input
}

func newWorld(t *testing.T) *world {
	t.Helper()
	secret := func(name string, data map[string]string) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "pgo47"}, StringData: data, Data: bytesOf(data)}
	}
	w := &world{t: t, kube: fake.NewSimpleClientset(
		secret("pgouser-pgoadmin", map[string]string{"username": "pgoadmin", "password": "examplepassword", "roles": "pgoadmin"}),
		secret("pgorole-pgoadmin", map[string]string{"permissions": "*"}))}
	for _, name := range []string{"default", "kube-node-lease", "kube-public", "kube-system", "pgo", "pgo47", "pgo6", "pgouser1", "pgouser2", namespace, "pguser6"} {
		ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
		switch name {
		case namespace:
			ns.Labels = map[string]string{crv1.LabelVendor: crv1.Vendor, crv1.LabelInstallation: "lab47"}
		case "pgouser1": // of the other installation
			ns.Labels = map[string]string{crv1.LabelVendor: crv1.Vendor, crv1.LabelInstallation: "lab"}
		}
		require.NoError(t, w.kube.Tracker().Add(ns))
	}
	w.dyn = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), map[schema.GroupVersionResource]string{
		crv1.Clusters: "PgclusterList", crv1.Replicas: "PgreplicaList", crv1.Tasks: "PgtaskList",
	})
	conf := settings.FromEnv(func(name string) string {
		return map[string]string{"PGO_OPERATOR_NAMESPACE": "pgo47", "PGO_INSTALLATION_NAME": "lab47", "CCP_IMAGE_PREFIX": "lab47"}[name]
	})
	quiet := log.New(io.Discard, "", 0)
	w.operator = &pgcluster.Operator{Kube: w.kube, Dynamic: w.dyn, Settings: conf, Now: time.Now, Log: quiet}
	w.api = &pgcluster.API{
		Server: &apiserver.Server{Kube: w.kube, Dynamic: w.dyn, Settings: conf, Now: time.Now, Log: quiet},
		Exec: func(_ context.Context, _, pod, _ string, stdin io.Reader, out io.Writer, command ...string) error {
			input := ""
			if stdin != nil {
				text, err := io.ReadAll(stdin)
				require.NoError(t, err)
				input = string(text)
			}
			w.ran = append(w.ran, pod+": "+strings.Join(command, " ")+"\n"+input)
			_, _ = io.WriteString(out, w.says)
			if w.fails {
				return errors.New("command terminated with exit code 3")
			}
			return nil
		},
	}
	return w
}

func bytesOf(data map[string]string) map[string][]byte {
	out := map[string][]byte{}
	for k, v := range data {
		out[k] = []byte(v)
	}
	return out
}

// reconcile lets the operator look so often that nothing is left to do.
func (w *world) reconcile() {
	w.t.Helper()
	for range 4 {
		require.NoError(w.t, w.operator.Reconcile(w.t.Context()))
	}
}

func (w *world) operatorSecret() {
	w.t.Helper()
	_, err := w.kube.CoreV1().Secrets("pgo47").Create(w.t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: pgcluster.OperatorSecret, Namespace: "pgo47"}}, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

// ready lets a Deployment have its pod.
func (w *world) ready(deployment, pod, role string) {
	w.t.Helper()
	deployments := w.kube.AppsV1().Deployments(namespace)
	d, err := deployments.Get(w.t.Context(), deployment, metav1.GetOptions{})
	require.NoError(w.t, err)
	require.EqualValues(w.t, 1, *d.Spec.Replicas)
	d.Status.ReadyReplicas, d.Status.Replicas, d.Status.UpdatedReplicas = 1, 1, 1
	_, err = deployments.UpdateStatus(w.t.Context(), d, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: pod, Namespace: namespace, Labels: map[string]string{}}, Spec: d.Spec.Template.Spec}
	for k, v := range d.Spec.Template.Labels {
		p.Labels[k] = v
	}
	if role != "" {
		p.Labels[crv1.LabelRole] = role
	}
	p.Spec.NodeName = "node1"
	p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.88.0.82", ContainerStatuses: []corev1.ContainerStatus{{Name: "database", Ready: true}}}
	_, err = w.kube.CoreV1().Pods(namespace).Create(w.t.Context(), p, metav1.CreateOptions{})
	require.NoError(w.t, err)
	claims, err := w.kube.CoreV1().PersistentVolumeClaims(namespace).List(w.t.Context(), metav1.ListOptions{})
	require.NoError(w.t, err)
	for i := range claims.Items {
		claims.Items[i].Status.Capacity = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
		_, err := w.kube.CoreV1().PersistentVolumeClaims(namespace).UpdateStatus(w.t.Context(), &claims.Items[i], metav1.UpdateOptions{})
		require.NoError(w.t, err)
	}
}

// address gives a Service the address that the API server would, and its Endpoints object.
func (w *world) address(service, ip string) {
	w.t.Helper()
	services := w.kube.CoreV1().Services(namespace)
	s, err := services.Get(w.t.Context(), service, metav1.GetOptions{})
	require.NoError(w.t, err)
	s.Spec.ClusterIP = ip
	_, err = services.Update(w.t.Context(), s, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	_ = w.kube.Tracker().Add(&corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: service, Namespace: namespace}})
}

func (w *world) finish(job string) {
	w.t.Helper()
	jobs := w.kube.BatchV1().Jobs(namespace)
	j, err := jobs.Get(w.t.Context(), job, metav1.GetOptions{})
	require.NoError(w.t, err)
	j.Status.Succeeded = 1
	_, err = jobs.UpdateStatus(w.t.Context(), j, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	w.reconcile()
}

func (w *world) state(name string) crv1.Status {
	w.t.Helper()
	c, err := crv1.StoreOf[pgcluster.Cluster](w.dyn, crv1.Clusters, "Pgcluster").Get(w.t.Context(), namespace, name)
	require.NoError(w.t, err)
	return c.Status
}

// exchange is one recorded request with its answer.
type exchange struct {
	method, path, authorization, body string
	status                            int
	kind, answer                      string
}

// recording parses a file: ">>>" starts a request, "<<<" its answer; headers end at an empty line.
func recording(t *testing.T, name string) []exchange {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	require.NoError(t, err)
	defer file.Close()
	var all []exchange
	scanner := bufio.NewScanner(file)
	scanner.Buffer(nil, 1<<20)
	answering := false
	for scanner.Scan() {
		line := scanner.Text()
		switch {
		case strings.HasPrefix(line, ">>> "):
			words := strings.Fields(line)
			all, answering = append(all, exchange{method: words[1], path: words[2]}), false
		case len(all) == 0 || line == "":
		case strings.HasPrefix(line, "<<< "):
			answering = true
			all[len(all)-1].status = map[string]int{"200": 200, "401": 401}[strings.Fields(line)[1]]
		default:
			e := &all[len(all)-1]
			name, value, header := strings.Cut(line, ": ")
			switch {
			case header && !strings.HasPrefix(line, "{"):
				if name == "Authorization" {
					e.authorization = value
				} else if answering && name == "Content-Type" {
					e.kind = value
				}
			case answering:
				e.answer += line
			default:
				e.body += line
			}
		}
	}
	require.NoError(t, scanner.Err())
	return all
}

func (w *world) send(e exchange) *httptest.ResponseRecorder {
	r := httptest.NewRequest(e.method, e.path, strings.NewReader(e.body))
	r.Header.Set("Authorization", e.authorization)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{{}}}
	answer := httptest.NewRecorder()
	w.api.Handler().ServeHTTP(answer, r)
	return answer
}

// same sends a recorded request and holds the answer to the recorded one.
func (w *world) same(e exchange) {
	w.t.Helper()
	got := w.send(e)
	require.Equal(w.t, e.status, got.Code, e.path)
	require.Equal(w.t, normal(e.answer), normal(got.Body.String()), "%s %s", e.method, e.path)
	kind := got.Header().Get("Content-Type")
	if kind == "" { // a handler that sets no type leaves it to net/http, which looks at the body only in a real server
		kind = http.DetectContentType(got.Body.Bytes())
	}
	require.Equal(w.t, e.kind, kind, e.path)
}

var volatile = []struct {
	find    *regexp.Regexp
	replace string
}{
	{regexp.MustCompile(`"(uid|resourceVersion)":"[^"]*",`), ""},
	{regexp.MustCompile(`"generation":\d+,`), ""},
	{regexp.MustCompile(`"creationTimestamp":("[^"]*"|null),`), ""},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`), "TIME"},
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`"Password":"[^"]+"`), `"Password":"PASSWORD"`},
	{regexp.MustCompile(`created Pgreplica (\w+)-[a-z]{4}`), "created Pgreplica $1-XXXX"},
	{regexp.MustCompile(`ERROR:  ([^\\]*(\\"[^\\]*)*)\\n`), "ERROR:  $1"},
}

func normal(text string) string {
	text = withoutManagers(text)
	for _, v := range volatile {
		text = v.find.ReplaceAllString(text, v.replace)
	}
	return strings.TrimSpace(text)
}

// withoutManagers leaves out managedFields, which name the programs that wrote.
func withoutManagers(text string) string {
	begin := strings.Index(text, `,"managedFields":[`)
	if begin < 0 {
		return text
	}
	depth := 0
	for i := begin; i < len(text); i++ {
		switch text[i] {
		case '[':
			depth++
		case ']':
			if depth--; depth == 0 {
				return text[:begin] + withoutManagers(text[i+1:])
			}
		}
	}
	return text
}
