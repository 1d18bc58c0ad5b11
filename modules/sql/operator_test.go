package sql

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// estate is a real API server with the objects that the operators make, as
// recorded, beside a real PostgreSQL that stands in for what runs in the pod.
type estate struct {
	*server
	cluster *kube.Cluster
	seen    conn.Host // what Dial gives: the cluster, or a user who may do less
}

func (e *estate) Dial(context.Context, conn.Target) (conn.Host, error) { return e.seen, nil }

func (e *estate) pod(t *testing.T, name string, labels map[string]string) {
	t.Helper()
	pods := e.cluster.Clientset().CoreV1().Pods(e.cluster.Namespace())
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{
		{Name: "database", Image: "crunchydata/antdb-ha:1a2b3c4", Env: []corev1.EnvVar{{Name: "PATRONI_POSTGRESQL_DATA_DIR", Value: e.dir + "/data"}}}}}}
	kubetest.Eventually(t, "the namespace's service account", func() bool {
		_, err := e.cluster.Clientset().CoreV1().ServiceAccounts(e.cluster.Namespace()).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	made, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	made.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "database", Image: "crunchydata/antdb-ha:1a2b3c4",
		ImageID: "docker-pullable://crunchydata/antdb-ha@sha256:ab5a0b02", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}}
	_, err = pods.UpdateStatus(t.Context(), made, metav1.UpdateOptions{})
	require.NoError(t, err)
}

func (e *estate) secret(t *testing.T, name string, labels, data map[string]string) {
	t.Helper()
	_, err := e.cluster.Clientset().CoreV1().Secrets(e.cluster.Namespace()).Create(t.Context(),
		&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels}, StringData: data}, metav1.CreateOptions{})
	require.NoError(t, err)
}

// inside is a step in the database container of a pod.
func (e *estate) inside(t *testing.T, pod string, entry module.Entry, args string) *moduletest.Step {
	t.Helper()
	step := e.step(t, entry, "%s", args)
	// The pod's container would run as postgres already; here it takes a sudo.
	step.Env().Host = asPostgres{e.host()}
	step.Env().Target = conn.Target{Kind: conn.Container, Name: pod + "/database", Config: "lab", Namespace: e.cluster.Namespace(), Pod: pod, Container: "database"}
	step.Env().Dialer = e
	return step
}

type asPostgres struct{ *socket }

func (h asPostgres) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	cmd.User = "postgres"
	return h.socket.Run(ctx, cmd)
}

func TestInAPodOfAnOperator(t *testing.T) {
	api := kubetest.Start(t)
	e := &estate{server: startServer(t), cluster: api.Cluster(t)}
	e.seen = e.cluster
	four := map[string]string{"vendor": "crunchydata", "pg-cluster": "antdb", "role": "master", "pgo-pg-database": "true"}
	five := map[string]string{"postgres-operator.crunchydata.com/cluster": "hippo", "postgres-operator.crunchydata.com/role": "master"}
	e.pod(t, "antdb-5c4", four)
	e.pod(t, "hippo-00-abcd-0", five)
	e.pod(t, "lonely", nil)
	e.secret(t, "antdb-testuser-secret", map[string]string{"pg-cluster": "antdb", "vendor": "crunchydata"}, map[string]string{"username": "testuser", "password": "fromPGO"})
	e.secret(t, "antdb-backrest-repo-config", map[string]string{"pg-cluster": "antdb"}, map[string]string{"config": "x"})
	e.secret(t, "other-testuser-secret", map[string]string{"pg-cluster": "other"}, map[string]string{"username": "testuser", "password": "elsewhere"})
	e.secret(t, "hippo-pguser-testuser", map[string]string{"postgres-operator.crunchydata.com/cluster": "hippo", "postgres-operator.crunchydata.com/pguser": "testuser"},
		map[string]string{"user": "testuser", "password": "fromPGO", "verifier": "SCRAM-SHA-256$…"})
	for name, test := range map[string]func(*testing.T, *estate){
		"a Secret that would be stale": testSecretStale,
		"a Secret that agrees":         testSecretAgrees,
		"a role that PGO did not make": testSecretNone,
		"by service and port-forward":  testSecretOfService,
		"where the primary is":         testPodLeader,
		"identity":                     testPodIdentity,
		"extension that is missing":    testPodExtension,
	} {
		t.Run(name, func(t *testing.T) { test(t, e) })
	}
	nobody, err := kube.New(t.Context(), "test", api.Nobody(), e.cluster.Namespace())
	require.NoError(t, err)
	e.seen = nobody
	t.Run("without the right to look", func(t *testing.T) { testSecretHidden(t, e) })
	e.letReadPods(t)
	t.Run("with the right to pods only", func(t *testing.T) { testSecretForbidden(t, e) })
}

// letReadPods gives the user who may do nothing the right to look at pods.
func (e *estate) letReadPods(t *testing.T) {
	t.Helper()
	roles := e.cluster.Clientset().RbacV1()
	_, err := roles.Roles(e.cluster.Namespace()).Create(t.Context(), &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "pods"},
		Rules: []rbacv1.PolicyRule{{APIGroups: []string{""}, Resources: []string{"pods"}, Verbs: []string{"get", "list"}}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = roles.RoleBindings(e.cluster.Namespace()).Create(t.Context(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "pods"},
		Subjects: []rbacv1.Subject{{Kind: "User", APIGroup: "rbac.authorization.k8s.io", Name: "nobody"}},
		RoleRef:  rbacv1.RoleRef{Kind: "Role", APIGroup: "rbac.authorization.k8s.io", Name: "pods"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	kubetest.Eventually(t, "the right", func() bool {
		where, err := siteIn(t.Context(), e.seen, e.cluster.Namespace(), "pod/antdb-5c4")
		return err == nil && where.pod != nil
	})
}

func testSecretStale(t *testing.T, e *estate) {
	for pod, secret := range map[string]string{"antdb-5c4": "antdb-testuser-secret", "hippo-00-abcd-0": "hippo-pguser-testuser"} {
		e.sql(t, "drop role if exists testuser; create role testuser login password 'fromPGO'")
		full := e.cluster.Namespace() + "/" + secret
		change, _, err := e.inside(t, pod, roleEntry, "role = \"testuser\"\npassword = \"mine\"\noperator_secret = \"warn\"").Check()
		require.NoError(t, err)
		require.Contains(t, change.Summary, "Secret "+full+" will tell another (pgo.user keeps both alike)")
		require.Contains(t, change.Diff, module.Diff{Path: "Secret " + full, Before: "as the database", After: "stale"})

		refusing := e.inside(t, pod, roleEntry, "role = \"testuser\"\npassword = \"mine\"")
		_, _, err = refusing.Check()
		requireAt(t, err, "password", "in Secret "+full+", which would then be stale")
		require.Contains(t, remedyOf(t, err), "pgo.user")
		require.ErrorAs(t, err, new(*module.Refusal))

		e.inside(t, pod, roleEntry, "role = \"testuser\"\npassword = \"mine\"\noperator_secret = \"ignore\"").Converge(module.Update)
		e.mustLogin(t, "testuser", "mine")
		refusing.Converge(module.None)
	}
}

func testSecretAgrees(t *testing.T, e *estate) {
	e.sql(t, "drop role if exists testuser; create role testuser login password 'changedByHand'")
	e.inside(t, "antdb-5c4", roleEntry, "role = \"testuser\"\npassword = \"fromPGO\"").Converge(module.Update)
	e.mustLogin(t, "testuser", "fromPGO")
}

func testSecretNone(t *testing.T, e *estate) {
	e.inside(t, "antdb-5c4", roleEntry, "role = \"reporting\"\npassword = \"r\"").Converge(module.Create)
	e.sql(t, "drop role if exists testuser; create role testuser login")
	change, _, err := e.inside(t, "lonely", roleEntry, "role = \"testuser\"\npassword = \"mine\"").Check()
	require.NoError(t, err, "no operator made this pod")
	require.True(t, change.Wanted())
}

// testSecretOfService: the step works on the cluster, by port-forward. There is
// no kubelet to forward, so only the look at the operator is tried.
func testSecretOfService(t *testing.T, e *estate) {
	_, err := e.cluster.Clientset().CoreV1().Services(e.cluster.Namespace()).Create(t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "antdb", Labels: map[string]string{"pg-cluster": "antdb"}},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Port: 5432}}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	env := moduletest.Env(t, e.cluster)
	env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab"}
	for _, host := range []string{"svc/antdb", "svc/antdb." + e.cluster.Namespace(), "pod/antdb-5c4"} {
		r := &Role{Role: "testuser", Host: host, OperatorSecret: "warn"}
		change, err := r.askOperator(t.Context(), env, module.Change{Action: module.Update})
		require.NoError(t, err, host)
		require.Len(t, change.Diff, 1, host)
	}
}

// A replica's refusal names the pod that Patroni labelled.
func testPodLeader(t *testing.T, e *estate) {
	step := e.inside(t, "antdb-5c4", roleEntry, `role = "x"`)
	err := onReplica(t.Context(), step.Env(), login{}, "10.0.0.5:5432", errors.New("read-only"))
	require.Equal(t, "point the step at the primary: pod antdb-5c4", remedyOf(t, err))
	err = onReplica(t.Context(), e.inside(t, "lonely", roleEntry, `role = "x"`).Env(), login{}, "10.0.0.5:5432", errors.New("read-only"))
	require.Equal(t, "point the step at the primary: this one follows 10.0.0.5:5432", remedyOf(t, err))
}

func testPodIdentity(t *testing.T, e *estate) {
	_, out, err := e.inside(t, "antdb-5c4", identityEntry, "expect_cluster = \"antdb\"\nexpect_image_id = \"sha256:ab5a0b02\"\nexpect_role = \"primary\"").Check()
	require.NoError(t, err)
	for output, want := range map[string]string{"cluster": "antdb", "pod": "antdb-5c4", "image": "crunchydata/antdb-ha:1a2b3c4",
		"image_id": "docker-pullable://crunchydata/antdb-ha@sha256:ab5a0b02", "data_directory": e.dir + "/data"} {
		require.Equal(t, want, out.GetAttr(output).AsString(), output)
	}

	// The story: a container of mycluster, and of another image, taken for antdb's.
	_, _, err = e.inside(t, "hippo-00-abcd-0", identityEntry, "expect_cluster = \"antdb\"\nexpect_image_id = \"docker://sha256:0c3a5a666929\"").Check()
	requireAt(t, err, "expect_cluster", "the database cluster of the pod is hippo, and antdb was expected")
	require.ErrorContains(t, err, "the image that runs is docker-pullable://crunchydata/antdb-ha@sha256:ab5a0b02, and docker://sha256:0c3a5a666929 was expected")

	// A PGHOST in the container that leads to another server.
	other := &estate{server: startServer(t), cluster: e.cluster, seen: e.seen}
	_, _, err = other.inside(t, "antdb-5c4", identityEntry, "").Check()
	require.ErrorContains(t, err, "the server's data directory is "+other.dir+"/data, and the container of pod antdb-5c4 was given "+e.dir+"/data")

	// Two that take themselves for the primary: one is labelled a replica.
	e.pod(t, "antdb-zzz", map[string]string{"pg-cluster": "antdb", "role": "replica"})
	_, _, err = e.inside(t, "antdb-zzz", identityEntry, `expect_role = "primary"`).Check()
	requireAt(t, err, "expect_role", "the server of pod antdb-zzz is a primary, and its label role says replica")
}

func testPodExtension(t *testing.T, e *estate) {
	_, _, err := e.inside(t, "antdb-5c4", extensionEntry, `name = "postgis"`).Check()
	requireAt(t, err, "name", "there is no postgis.control")
	require.Contains(t, remedyOf(t, err), "build it into the image crunchydata/antdb-ha:1a2b3c4")
}

// Who may not even read the pod sees nothing of an operator.
func testSecretHidden(t *testing.T, e *estate) {
	e.sql(t, "drop role if exists testuser; create role testuser login")
	change, _, err := e.inside(t, "antdb-5c4", roleEntry, "role = \"testuser\"\npassword = \"mine\"").Check()
	require.NoError(t, err)
	require.Len(t, change.Diff, 1)
}

// Who may read the pod and not the Secret is told so; the operator's own roles
// are then left alone.
func testSecretForbidden(t *testing.T, e *estate) {
	change, _, err := e.inside(t, "antdb-5c4", roleEntry, "role = \"testuser\"\npassword = \"mine\"").Check()
	require.NoError(t, err)
	require.Contains(t, change.Diff, module.Diff{Path: "operator's Secret", After: "not looked for: this user of Kubernetes may not read it"})
	_, _, err = e.inside(t, "antdb-5c4", roleEntry, "role = \"postgres\"\npassword = \"mine\"").Check()
	requireAt(t, err, "password", "postgres is a role of the operator's own in cluster antdb")
}
