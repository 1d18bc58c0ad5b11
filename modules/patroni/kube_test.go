package patroni

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// pods are members in a real API server that has no nodes: what Patroni says
// comes from a fake, what Kubernetes says is real.
type pods struct {
	*fake
	t    *testing.T
	kube *kube.Cluster
}

const hippo = "hippo"

// pods4 are the pods of a cluster of PGO 4, labelled as recorded.
func pods4(t *testing.T) *pods {
	p := &pods{newFake(t, "hippo-54bf68fbd4-qzkbd", "hippo-rcan-5f5b7f4b97-vtvxp"), t, kubetest.Start(t).Cluster(t)}
	for i, role := range []string{"master", "replica"} {
		p.pod(p.members[i].name, map[string]string{"pg-cluster": hippo, "pgo-pg-database": "true", "crunchy-pgha-scope": hippo, "role": role})
	}
	p.configMap("hippo-config", nil)
	p.configMap("hippo-leader", map[string]string{"leader": p.lock, "transitions": "0", "ttl": "30"})
	return p
}

func (p *pods) pod(name string, labels map[string]string) {
	p.t.Helper()
	_, err := p.kube.Clientset().CoreV1().Pods(p.kube.Namespace()).Create(p.t.Context(), &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "collect", Image: "x"}, {Name: "database", Image: "x"}}},
	}, metav1.CreateOptions{})
	require.NoError(p.t, err)
}

func (p *pods) configMap(name string, annotations map[string]string) {
	p.t.Helper()
	_, err := p.kube.Clientset().CoreV1().ConfigMaps(p.kube.Namespace()).Create(p.t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}, metav1.CreateOptions{})
	require.NoError(p.t, err)
}

// reach takes the place of the port-forwards, for which there is no kubelet.
func (p *pods) reach(wanted int) reach {
	return func(ctx context.Context, pod *corev1.Pod, port int) (net.Conn, error) {
		for _, m := range p.members {
			if m.name == pod.Name && port == wanted {
				return (&net.Dialer{}).DialContext(ctx, "tcp", m.server.Listener.Addr().String())
			}
		}
		return nil, fmt.Errorf("nobody listens at port %d of pod %s", port, pod.Name)
	}
}

func (p *pods) env() *module.Env {
	env := moduletest.Env(p.t, p.kube)
	env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: p.kube.Namespace()}
	return env
}

func (p *pods) status(port int) *Status {
	p.t.Helper()
	s := &Status{Cluster: hippo, reach: p.reach(port)}
	_, err := s.Check(p.t.Context(), p.env())
	require.NoError(p.t, err)
	return s
}

func TestInKubernetesTheAnnotationIsHeldAgainstTheAPI(t *testing.T) {
	p := pods4(t)
	s := p.status(8009)
	require.Empty(t, s.Problems)
	require.Equal(t, p.members[0].name, s.Annotated)
	require.Equal(t, conn.Target{Kind: conn.Container, Name: s.Leader + "/database", Config: "lab", Namespace: p.kube.Namespace(), Pod: s.Leader,
		Container: "database", Labels: []string{}, Vars: map[string]string{}}, s.Primary)
	require.Len(t, s.Standbys, 1)

	p.promote("")
	require.Equal(t, []string{"the annotation of ConfigMap hippo-leader names hippo-54bf68fbd4-qzkbd as leader, Patroni's REST API hippo-rcan-5f5b7f4b97-vtvxp"}, p.status(8009).Problems)
	p.pod("hippo-new", map[string]string{"pg-cluster": hippo, "pgo-pg-database": "true", "role": "master"})
	s = p.status(8009)
	require.Contains(t, s.Problems, "2 pods are labelled as master, so the service leads to each of them: hippo-54bf68fbd4-qzkbd, hippo-new")
	require.Contains(t, s.Problems[len(s.Problems)-1], "hippo-new: Patroni does not answer there")
}

func TestAClusterThatIsNotThereIsNamed(t *testing.T) {
	p := &pods{newFake(t, "a"), t, kubetest.Start(t).Cluster(t)}
	_, err := (&Status{Cluster: "nosuch"}).Check(t.Context(), p.env())
	requireAt(t, err, "cluster", "namespace "+p.kube.Namespace()+" has no pod of a cluster nosuch")
	_, err = (&Status{}).Check(t.Context(), p.env())
	requireAt(t, err, "cluster", "name the cluster")
}

// PGO 5 and later: Endpoints in place of ConfigMaps, TLS with a client
// certificate out of a Secret, port 8008, and a configuration of its own.
func TestClustersOfPGO5AreSeenByTheirOwnCertificatesAndNotConfigured(t *testing.T) {
	authority, files := certificates(t)
	pair, err := tls.X509KeyPair(files["patroni.crt-combined"], files["patroni.crt-combined"])
	require.NoError(t, err)
	p := &pods{newFakeTLS(t, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority}, "hippo-db-6246-0"), t, kubetest.Start(t).Cluster(t)}
	const prefix = "postgres-operator.crunchydata.com/"
	p.pod("hippo-db-6246-0", map[string]string{prefix + "cluster": hippo, prefix + "data": "postgres", prefix + "instance": "hippo-db-6246",
		prefix + "patroni": "hippo-ha", prefix + "role": "master"})
	core := p.kube.Clientset().CoreV1()
	//nolint:staticcheck // Patroni itself keeps its lock in Endpoints
	_, err = core.Endpoints(p.kube.Namespace()).Create(t.Context(), &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: "hippo-ha",
		Annotations: map[string]string{"leader": "hippo-db-6246-0"}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	s := &Status{Cluster: hippo, reach: p.reach(8008)}
	_, err = s.Check(t.Context(), p.env())
	requireAt(t, err, "api", "read Secret hippo-db-6246-certs")

	_, err = core.Secrets(p.kube.Namespace()).Create(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Name: "hippo-db-6246-certs"}, Data: files}, metav1.CreateOptions{})
	require.NoError(t, err)
	s = p.status(8008)
	require.Equal(t, "hippo-db-6246-0", s.Annotated)
	require.Empty(t, s.Problems)

	c := &Config{Cluster: hippo, reach: p.reach(8008)}
	_, err = c.Check(t.Context(), p.env())
	requireAt(t, err, "cluster", "is kept by PGO 5 or later, which overwrites Patroni's configuration")

	_, strangers := certificates(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/ca.crt", strangers["patroni.ca-roots"], 0o600))
	s = &Status{Cluster: hippo, reach: p.reach(8008), API: &API{CA: dir + "/ca.crt"}}
	_, err = s.Check(t.Context(), p.env())
	require.ErrorAs(t, err, &x509.UnknownAuthorityError{})
}

func TestADrillThatIsRecordedIsNotRepeated(t *testing.T) {
	p := pods4(t)
	drill := func() *Drill {
		return &Drill{Cluster: hippo, By: "pod", Every: 720 * time.Hour, MaxDowntime: time.Minute, reach: p.reach(8009)}
	}
	d := drill()
	change, err := d.Check(t.Context(), p.env())
	require.NoError(t, err)
	require.Equal(t, module.Update, change.Action)
	require.Equal(t, "delete pod hippo-54bf68fbd4-qzkbd, the primary of hippo, under writes (never drilled); hippo-rcan-5f5b7f4b97-vtvxp can take over", change.Summary)

	r := &record{At: time.Now().Add(-time.Hour), By: "pod", DowntimeMS: 9040, Acknowledged: 355, OldLeader: "a", NewLeader: "b", TimelineBefore: 1, TimelineAfter: 2}
	require.NoError(t, d.place.keep(t.Context(), r))
	d = drill()
	change, err = d.Check(t.Context(), p.env())
	require.NoError(t, err)
	require.Equal(t, module.NoChange, change)
	require.True(t, d.Passed && d.FailedOver)
	require.Equal(t, "passed: b took over after 9.04s without a write, 0 of 355 acknowledged writes lost", d.Verdict)
	require.Equal(t, Fact{"longest time without an acknowledged write", "9.04s", "1m0s", true}, d.Facts[1])

	d = drill()
	d.MaxDowntime = 5 * time.Second
	change, err = d.Check(t.Context(), p.env())
	require.NoError(t, err)
	require.Contains(t, change.Summary, "the last drill broke the limits: 9.04s without an acknowledged write")
}

func TestADrillThatWouldBeAnOutageIsRefusedInThePlan(t *testing.T) {
	p := pods4(t)
	refusal := func() error {
		d := &Drill{Cluster: hippo, By: "pod", Every: time.Hour, MaxDowntime: time.Minute, reach: p.reach(8009)}
		_, err := d.Check(t.Context(), p.env())
		return err
	}
	p.pause = true
	require.ErrorContains(t, refusal(), "Patroni is paused on cluster hippo: nothing would fail over")
	p.pause, p.members[1].state = false, "start failed"
	require.ErrorContains(t, refusal(), "has no replica that could take over: the drill would be a real outage")
	p.members[1].state, p.members[1].role = "running", "master"
	require.ErrorContains(t, refusal(), "has 2 primaries")
	p.members[1].role, p.lock = "replica", ""
	require.ErrorContains(t, refusal(), "has no leader now")
}
