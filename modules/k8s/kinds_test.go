package k8s

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestNamesOfKindsMeanTheGroupsThatLasted(t *testing.T) {
	for _, version := range olds {
		c := kubetest.StartOld(t, version).Cluster(t)
		for name, want := range map[string]string{
			"deploy": "apps/v1, Kind=Deployment", "DaemonSet": "apps/v1, Kind=DaemonSet", "netpol": "networking.k8s.io/v1, Kind=NetworkPolicy",
			"pods": "/v1, Kind=Pod", "job": "batch/v1, Kind=Job", "ev": "/v1, Kind=Event", "psp": "policy/v1beta1, Kind=PodSecurityPolicy",
			"crd": "apiextensions.k8s.io/v1beta1, Kind=CustomResourceDefinition", "jobs.batch": "batch/v1, Kind=Job",
		} {
			m, err := client{Cluster: c, asked: new(bool)}.kind(name)
			require.NoError(t, err, name)
			require.Equal(t, want, m.GroupVersionKind.String(), "%s on %s", name, version)
		}
	}
}

func TestAGroupThatNobodyAnswersForDoesNotHideTheOthersAndIsNamedWhenAKindIsMissing(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c, err := kube.New(t.Context(), "old", front(t, old.URL, func(w http.ResponseWriter, r *http.Request) bool {
		dead := strings.HasPrefix(r.URL.Path, "/apis/certificates.k8s.io/")
		if dead {
			http.Error(w, "service unavailable", http.StatusServiceUnavailable)
		}
		return dead
	}), "default")
	require.NoError(t, err)
	applying(t, c, settings).Converge(module.Create)
	_, _, err = moduletest.New(t, module.Of[Get](), c, "kind = \"csr\"\nname = \"x\"", nil).Check()
	require.ErrorContains(t, err, "the cluster knows no kind csr; but nobody answers for its API groups certificates.k8s.io/v1beta1")
}

func TestSelectorsOfNodesKnowBothNamesOfALabel(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	for name, labels := range map[string]map[string]string{
		"master1": {"beta.kubernetes.io/os": "linux", "node-role.kubernetes.io/master": ""},
		"worker1": {"beta.kubernetes.io/os": "linux", "failure-domain.beta.kubernetes.io/zone": "a"},
	} {
		n := machine(name)
		n.Labels, n.Status.NodeInfo.ContainerRuntimeVersion = labels, "docker://18.9.8"
		_, err := c.Clientset().CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	for selector, want := range map[string][]string{
		"kubernetes.io/os=linux": {"master1", "worker1"},
		"kubernetes.io/os=linux,!node-role.kubernetes.io/control-plane":  {"worker1"},
		"node-role.kubernetes.io/master":                                 {"master1"},
		"topology.kubernetes.io/zone in (a),node.kubernetes.io/hostname": nil,
		"topology.kubernetes.io/zone in (a)":                             {"worker1"},
	} {
		n, err := nodes(t, c, `selector = "`+selector+`"`, hosts("master1", "worker1"))
		if want == nil {
			require.ErrorContains(t, err, "no node of the cluster has these labels")
			continue
		}
		require.NoError(t, err, selector)
		require.Equal(t, want, names(n.Targets), selector)
		require.Equal(t, "docker://18.9.8", n.Nodes[0].Runtime)
	}
}
