package k8s

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestWithoutRightsTheRestGoesOn(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	brokenSite(t, own)
	_, _, err := applying(t, own, `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: ["", apps], resources: [pods, persistentvolumeclaims, deployments], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{kind: User, name: nobody}]
`).Apply()
	require.NoError(t, err)
	nobody, err := kube.New(t.Context(), "lab", server.Nobody(), own.Namespace())
	require.NoError(t, err)
	kubetest.Eventually(t, "the right to list pods", func() bool {
		_, err := nobody.Clientset().CoreV1().Pods(own.Namespace()).List(t.Context(), metav1.ListOptions{})
		return err == nil
	})
	m := collecting(t, nobody, &Collect{})
	require.Equal(t, "Pending", fact[evidence.Claim](t, m, "antdb").Phase)
	require.Equal(t, "CrashLoopBackOff", fact[evidence.Container](t, m, "database").Reason)
	require.False(t, fact[evidence.Access](t, m, "create pods/exec").Allowed, "everybody may ask for his own rights")
	var gaps []string
	for _, gap := range m.Gaps() {
		require.Contains(t, gap.Reason, "forbidden", gap)
		gaps = append(gaps, gap.What+" "+gap.Place.Namespace)
	}
	for _, what := range []string{"nodes ", "volumes ", "events " + own.Namespace(), "secrets " + own.Namespace(), "the log " + own.Namespace(), "pods kube-system"} {
		require.Contains(t, gaps, what)
	}
	require.NotContains(t, gaps, "pods "+own.Namespace())
	for f := range m.Facts() {
		if r, ok := f.Data.(*evidence.Record); ok {
			require.False(t, r.Orphan, "what may not be read is not missing")
		}
		if a, ok := f.Data.(*evidence.Access); ok && a.Who != "" {
			t.Fatalf("nothing is known of %s", a.Who)
		}
	}
}

func TestAServerThatIsGoneIsOneGapAtOnce(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	old.Close()
	begun := time.Now()
	m := collecting(t, c, &Collect{})
	require.Less(t, time.Since(begun), 30*time.Second)
	require.Len(t, m.Gaps(), 1)
	require.Contains(t, m.Gaps()[0].Reason, "connection refused")
	require.Contains(t, fact[evidence.APIServer](t, m, c.REST().Host).Error, "connection refused")
}

// cut breaks a connection off.
func cut(w http.ResponseWriter) {
	hijacked, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = hijacked.Close()
	}
}

func TestAServerThatGoesAwayIsSaidOnce(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	var away atomic.Bool
	config := proxied(t, server, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/namespaces/"+own.Namespace()+"/") {
			away.Store(true)
		}
		if away.Load() {
			cut(w)
		}
		return away.Load()
	})
	c, err := kube.New(t.Context(), "lab", config, own.Namespace())
	require.NoError(t, err)
	m := collecting(t, c, &Collect{})
	require.Len(t, m.Gaps(), 1, m.Gaps())
	require.Regexp(t, `^\d+ looks at Kubernetes \(`, m.Gaps()[0].What)
	require.Contains(t, m.Gaps()[0].Reason, "EOF")
}

func TestAConnectionThatBreaksIsNotTheEnd(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	brokenSite(t, own)
	config := proxied(t, server, func(w http.ResponseWriter, r *http.Request) bool {
		broken := strings.HasSuffix(r.URL.Path, "/resourcequotas")
		if broken {
			cut(w)
		}
		return broken || lastWords(w, r)
	})
	c, err := kube.New(t.Context(), "lab", config, own.Namespace())
	require.NoError(t, err)
	m := collecting(t, c, &Collect{})
	require.Equal(t, "CrashLoopBackOff", fact[evidence.Container](t, m, "database").Reason)
	require.Len(t, m.Gaps(), 1, m.Gaps())
	require.Equal(t, "quotas", m.Gaps()[0].What)
}

func TestTheLookEndsWithItsTime(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	brokenSite(t, own)
	config := proxied(t, server, func(w http.ResponseWriter, r *http.Request) bool {
		slow := strings.HasSuffix(r.URL.Path, "/events")
		if slow {
			<-r.Context().Done()
		}
		return slow || lastWords(w, r)
	})
	c, err := kube.New(t.Context(), "lab", config, own.Namespace())
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	begun := time.Now()
	m := collectingIn(t, ctx, c, &Collect{})
	require.Less(t, time.Since(begun), 20*time.Second)
	require.Equal(t, "CrashLoopBackOff", fact[evidence.Container](t, m, "database").Reason, "what was seen by then is kept")
	require.NotEmpty(t, m.Gaps())
	for _, gap := range m.Gaps() {
		require.Contains(t, gap.What, "events")
		require.Contains(t, gap.Reason, "no answer within")
	}
	text(t, m, "container database, the run before") // no look takes so long that none is left for others

	over, end := context.WithCancel(t.Context())
	end()
	m = collectingIn(t, over, c, &Collect{})
	require.Len(t, m.Gaps(), 1, m.Gaps())
}

// What servers before 1.14 do not have is no gap.
func TestAnOldServerIsCollected(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	_, _, err := applying(t, c, "apiVersion: v1\nkind: Pod\nmetadata: {name: antdb-0, labels: {pg-cluster: antdb}}\nspec: {containers: [{name: database, image: x}]}\n").Apply()
	require.NoError(t, err)
	m := collecting(t, c, &Collect{})
	require.Empty(t, m.Gaps())
	require.Equal(t, "x", fact[evidence.Container](t, m, "database").Image)
}

// Without a word on where, the namespaces are found by what is in them.
func TestNamespacesOfClustersAreFound(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	brokenSite(t, own)
	elsewhere := server.ClusterIn(t, "default")
	env := moduletest.Env(t, elsewhere)
	env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab"}
	m := evidence.NewMemory(time.Now(), 0)
	require.NoError(t, (&Collect{}).Collect(t.Context(), env, m))
	found := false
	for f, err := range m.Facts() {
		require.NoError(t, err)
		found = found || f.Kind == "k8s.pod" && f.Place.Namespace == own.Namespace()
	}
	require.True(t, found)
}
