package node

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/pki"
)

func prepared(t *testing.T) (layout.Lab, SSHKeys) {
	t.Helper()
	lab := layout.Lab{State: t.TempDir(), Nodes: 3}
	authority, err := pki.Open(lab.In("pki"))
	require.NoError(t, err)
	require.NoError(t, authority.Issue("kube-proxy", pki.Subject{User: "system:kube-proxy"}))
	keys, err := Keys(lab)
	require.NoError(t, err)
	for _, n := range lab.All() {
		require.NoError(t, WriteFiles(lab, n, keys))
	}
	return lab, keys
}

func TestNodeFilesAreWellFormed(t *testing.T) {
	lab, _ := prepared(t)
	for _, n := range lab.All() {
		read := func(name string) []byte {
			content, err := os.ReadFile(filepath.Join(Folder(lab, n), name))
			require.NoError(t, err)
			require.NotContains(t, string(content), "<no value>")
			return content
		}
		var kubelet, proxy map[string]any
		require.NoError(t, yaml.UnmarshalStrict(read("kubelet.yaml"), &kubelet))
		require.Equal(t, "/antdbctl-lab/"+n.Name, kubelet["cgroupRoot"])
		require.NoError(t, yaml.UnmarshalStrict(read("kube-proxy.yaml"), &proxy))
		require.Equal(t, layout.PodCIDR, proxy["clusterCIDR"])
		require.True(t, json.Valid(read("cni.conflist")))
		require.Contains(t, string(read("cni.conflist")), n.PodCIDR)

		out, err := exec.Command("sh", "-n", filepath.Join(Folder(lab, n), "start")).CombinedOutput()
		require.NoError(t, err, string(out))
		require.Equal(t, n.Docker, strings.Contains(string(read("start")), "keep dockerd"), "only the last node has an engine")
		require.NotContains(t, string(read("start")), "via "+n.IP, "no route to itself")
	}
}

func TestVolumeNumbersAreUniqueInTheCluster(t *testing.T) {
	seen := map[int]bool{}
	for _, n := range (layout.Lab{Nodes: 5}).All() {
		for _, number := range Volumes(n) {
			require.False(t, seen[number], "volume %d", number)
			seen[number] = true
		}
	}
	require.Len(t, seen, 5*VolumesPerNode)
}

func TestKnownHostsPinTheNodesKeys(t *testing.T) {
	lab, keys := prepared(t)
	check, err := knownhosts.New(keys.KnownHosts)
	require.NoError(t, err)
	for _, n := range lab.All() {
		content, err := os.ReadFile(filepath.Join(Folder(lab, n), "ssh_host_ed25519_key"))
		require.NoError(t, err)
		signer, err := ssh.ParsePrivateKey(content)
		require.NoError(t, err)
		require.NoError(t, check(n.IP+":22", addr(n.IP+":22"), signer.PublicKey()))
		other, err := keyPair(filepath.Join(t.TempDir(), "k"), "k")
		require.NoError(t, err)
		stranger, _, _, _, err := ssh.ParseAuthorizedKey([]byte(other))
		require.NoError(t, err)
		require.Error(t, check(n.IP+":22", addr(n.IP+":22"), stranger))
	}
	again, err := Keys(lab)
	require.NoError(t, err)
	require.Equal(t, keys, again)
}

type addr string

func (a addr) Network() string { return "tcp" }
func (a addr) String() string  { return string(a) }

func TestOverlappingRouteIsNamed(t *testing.T) {
	free := "default via 192.0.2.1 dev eth0 \n192.0.2.0/24 dev eth0 proto kernel\n10.213.0.0/24 dev antdblab0 proto kernel\n"
	require.NoError(t, overlap(layout.Lab{}, free))
	require.ErrorContains(t, overlap(layout.Lab{}, free+"10.244.0.0/24 dev cni0 proto kernel\n"), "10.244.0.0/24 dev cni0")
	require.ErrorContains(t, overlap(layout.Lab{}, "10.0.0.0/8 via 192.0.2.9 dev eth0\n"), "10.0.0.0/8")
	require.ErrorContains(t, overlap(layout.Lab{}, "10.96.0.1 dev kube-ipvs0\n"), "10.96.0.1")
}

func TestSweepRemovesNestedGroups(t *testing.T) {
	root := filepath.Join(t.TempDir(), "lab")
	require.NoError(t, os.MkdirAll(filepath.Join(root, "node1", "kubepods", "pod1"), 0o755))
	require.Zero(t, sweep(root))
	require.NoDirExists(t, root)
	require.Zero(t, sweep(root), "nothing there is fine")
}

func TestCanonicalImageNames(t *testing.T) {
	require.Equal(t, "docker.io/antdb-lab/pause:1", canonical("antdb-lab/pause:1"))
	require.Equal(t, "docker.io/antdb-lab/pause:1", canonical("docker.io/antdb-lab/pause:1"))
	require.Equal(t, "registry.example:5000/x:1", canonical("registry.example:5000/x:1"))
}
