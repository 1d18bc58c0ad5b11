package patroni

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestTheExampleOfCollectIsWellFormed(t *testing.T) { moduletest.Example(t, module.Of[Collect]()) }

// collect gathers from the pods as a diagnosis does.
func (p *pods) collect(what *Collect) *evidence.InMemory {
	p.t.Helper()
	what.reach = p.reach(8009)
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(p.t, what.Collect(p.t.Context(), p.env(), m))
	return m
}

// seen is the fact of its type and name.
func seen[T any](t *testing.T, m *evidence.InMemory, name string) (*T, evidence.Place) {
	t.Helper()
	for f, err := range m.Facts() {
		require.NoError(t, err)
		if data, ok := f.Data.(*T); ok && f.Name == name {
			return data, f.Place
		}
	}
	require.Fail(t, "no such fact is called "+name)
	return nil, evidence.Place{}
}

// keep gives a ConfigMap the labels and annotations that Patroni gives it.
func (p *pods) keep(name, scope string, annotations map[string]string) {
	p.t.Helper()
	maps := p.kube.Clientset().CoreV1().ConfigMaps(p.kube.Namespace())
	_ = maps.Delete(p.t.Context(), name, metav1.DeleteOptions{}) // there may be none
	_, err := maps.Create(p.t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations,
		Labels: map[string]string{"crunchy-pgha-scope": scope, "vendor": "crunchydata"}}}, metav1.CreateOptions{})
	require.NoError(p.t, err)
}

func TestAClusterIsCollectedWithItsMembersAndHistory(t *testing.T) {
	p := pods4(t)
	stamp := func(ago time.Duration) string {
		return time.Now().Add(-ago).UTC().Format("2006-01-02T15:04:05.000000+00:00")
	}
	p.keep("hippo-config", hippo, map[string]string{"initialize": "7711121326432919651", "config": `{"ttl": 20, "pause": true, "postgresql": {}}`,
		"history": `[[1,50332848,"no recovery target specified","` + stamp(30*time.Hour) + `","a"],[2,67109024,"no recovery target specified","` + stamp(2*time.Hour) + `","b"],[3,1,"old"]]`})
	p.keep("hippo-leader", hippo, map[string]string{"leader": p.lock, "renewTime": stamp(time.Hour), "ttl": "20"})
	p.keep("hippo-pgha-default-config", hippo, nil) // PGO's own
	p.keep("gone-config", "gone", map[string]string{"initialize": "1"})
	p.members[1].pending, p.members[1].lag = true, 4096
	m := p.collect(&Collect{})

	c, place := seen[evidence.Patroni](t, m, hippo)
	require.Equal(t, evidence.Place{Namespace: p.kube.Namespace(), Cluster: hippo}, place)
	require.InDelta(t, 10, c.LeaderAge, 20, "a leader whose clock is an hour behind has renewed its lock just now")
	c.LeaderAge = 0
	require.Equal(t, evidence.Patroni{Leader: p.lock, Initialize: "7711121326432919651", Paused: true, TTL: 20, LoopWait: 10, RetryTimeout: 10, Timeline: 1, Failovers: 1, MaxLag: 1 << 20}, *c)

	leader, place := seen[evidence.Member](t, m, p.members[0].name)
	require.Equal(t, p.members[0].name, place.Pod)
	require.Equal(t, evidence.Member{Role: "leader", State: "running", Timeline: 1, Reachable: true, HoldsLock: true}, *leader)
	replica, _ := seen[evidence.Member](t, m, p.members[1].name)
	require.Equal(t, evidence.Member{Role: "replica", State: "running", Timeline: 1, Lag: 4096, PendingRestart: true, Reachable: true}, *replica)

	config, _ := seen[evidence.Record](t, m, "hippo-config")
	require.Equal(t, []any{"config", false, "7711121326432919651"}, []any{config.Purpose, config.Orphan, config.Annotations["initialize"]})
	stale, place := seen[evidence.Record](t, m, "gone-config")
	require.True(t, stale.Orphan)
	require.Equal(t, "gone", place.Cluster)
	for f := range m.Facts() {
		require.NotEqual(t, "hippo-pgha-default-config", f.Name)
		require.False(t, f.Kind == "patroni.cluster" && f.Name == "gone", "what is left of a cluster is none")
	}
	require.Empty(t, m.Gaps())
}

func TestWhereTheServerMakesNoNoteTheLeadersOwnCounts(t *testing.T) {
	at := time.Now().Add(-40 * time.Second).UTC().Truncate(time.Microsecond)
	for _, text := range []string{at.Format("2006-01-02T15:04:05.000000+00:00"), at.Format("2006-01-02T15:04:05.000000")} {
		s := &scoped{objects: []object{{purpose: "leader", meta: metav1.ObjectMeta{Annotations: map[string]string{"renewTime": text}}}}}
		require.Equal(t, at, s.renewed().UTC())
	}
	require.Zero(t, (&scoped{}).renewed())
}

func TestMembersThatDoNotAnswerAreFactsWithTheirErrors(t *testing.T) {
	p := pods4(t)
	p.keep("hippo-leader", hippo, map[string]string{"leader": "hippo-dead"})
	p.pod("hippo-dead", map[string]string{"pg-cluster": hippo, "pgo-pg-database": "true"})
	m := p.collect(&Collect{Patience: 2 * time.Second})
	dead, _ := seen[evidence.Member](t, m, "hippo-dead")
	require.Equal(t, []any{false, true, int64(-1)}, []any{dead.Reachable, dead.HoldsLock, dead.Lag})
	require.Contains(t, dead.Error, "nobody listens at port 8009")

	require.NoError(t, p.kube.Clientset().CoreV1().Pods(p.kube.Namespace()).Delete(t.Context(), p.members[1].name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)}))
	lost, _ := seen[evidence.Member](t, p.collect(&Collect{}), p.members[1].name)
	require.Equal(t, "the store lists it, and there is no such pod", lost.Error)
	require.False(t, lost.Reachable)
}

func TestWhatTimeWasTooShortForIsNoFact(t *testing.T) {
	p := pods4(t)
	c := &Collect{reach: func(ctx context.Context, _ *corev1.Pod, _ int) (net.Conn, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	m := evidence.NewMemory(time.Now(), 0)
	require.NoError(t, c.Collect(ctx, p.env(), m))
	require.Len(t, m.Gaps(), 2)
	for f := range m.Facts() {
		require.NotEqual(t, "patroni.member", f.Kind)
	}
}

func TestWhereTheObjectsMayNotBeReadTheMembersTell(t *testing.T) {
	p := pods4(t) // its ConfigMaps lack Patroni's label, so they are not found
	p.answers["GET /history"] = answer{200, `[[1,1,"x","` + time.Now().Format(time.RFC3339) + `"]]`}
	c, _ := seen[evidence.Patroni](t, p.collect(&Collect{}), hippo)
	require.Equal(t, []any{p.lock, "7711121326432919651", int64(1), int64(-1)}, []any{c.Leader, c.Initialize, c.Failovers, c.LeaderAge})
}

func TestOnlyTheClustersThatAreNamedAreAsked(t *testing.T) {
	p := pods4(t)
	facts := 0
	for range p.collect(&Collect{Clusters: []string{"other"}}).Facts() {
		facts++
	}
	require.Zero(t, facts)
}

func TestPatroniWithoutRightsOrServerIsAGap(t *testing.T) {
	server := kubetest.Start(t)
	nobody, err := kube.New(t.Context(), "lab", server.Nobody(), "default")
	require.NoError(t, err)
	m := evidence.NewMemory(time.Now(), 0)
	require.NoError(t, (&Collect{}).Collect(t.Context(), moduletest.Env(t, nobody), m))
	require.NotEmpty(t, m.Gaps())
	for _, gap := range m.Gaps() {
		require.Contains(t, gap.Reason, "forbidden")
	}
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	old.Close()
	m = evidence.NewMemory(time.Now(), 0)
	require.NoError(t, (&Collect{}).Collect(t.Context(), moduletest.Env(t, c), m))
	require.Len(t, m.Gaps(), 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m = evidence.NewMemory(time.Now(), 0)
	require.NoError(t, (&Collect{}).Collect(ctx, moduletest.Env(t, nobody), m))
	require.Len(t, m.Gaps(), 1)
}

func TestAStepOfCollectGivesFacts(t *testing.T) {
	p := pods4(t)
	c := &Collect{reach: p.reach(8009)}
	_, err := c.Check(t.Context(), p.env())
	require.NoError(t, err)
	var roles []string
	for _, m := range c.Facts.GetAttr("patroni_member").AsValueSlice() {
		roles = append(roles, m.GetAttr("role").AsString())
	}
	require.Equal(t, "leader replica", strings.Join(roles, " "))
}

func TestWhyAMemberDoesNotAnswerIsToldInFewWords(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("GET /leader: forward: IPv4: dial tcp4 127.0.0.1:8009: connect: connection refused IPv6: %w", io.EOF), "connection refused: Patroni does not listen there"},
		{fmt.Errorf("GET /leader: %w", context.DeadlineExceeded), "no answer in time"},
		{fmt.Errorf("GET /leader: %w", io.ErrClosedPipe), "connection closed before Patroni has answered"},
		{io.ErrUnexpectedEOF, "unexpected EOF"},
	} {
		require.Equal(t, c.want, why(c.err))
	}
}
