package host

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// told records what a script's answer says.
func told(t *testing.T, lines ...string) collected {
	t.Helper()
	now := time.Now()
	m := readMachine(strings.Join(append([]string{"clock 1.5", "host Node1"}, lines...), "\n")+"\nover\n", now, now)
	require.True(t, m.whole)
	rec := evidence.NewMemory(now, 0)
	m.record(rec, evidence.Place{Node: m.node("")})
	return collected{rec, t}
}

func TestCollectCallsANodeAsItsKubeletDoes(t *testing.T) {
	for given, want := range map[string]string{"": "told", "node7": "node7"} {
		m := readMachine("host Node1\noverride told\n", time.Now(), time.Now())
		require.Equal(t, want, m.node(given))
	}
	require.Equal(t, "node1", readMachine("host Node1\noverride \n", time.Now(), time.Now()).node(""))
}

func TestCollectJudgesTheRuntime(t *testing.T) {
	runtime := func(lines ...string) (*evidence.Runtime, string) {
		c := told(t, lines...)
		for f := range c.Facts() {
			if r, ok := f.Data.(*evidence.Runtime); ok {
				return r, c.gaps()
			}
		}
		return nil, c.gaps()
	}
	r, _ := runtime("process dockerd", "kubelet active", "runtime docker", "version 18.09.1", "complaint ")
	require.Equal(t, evidence.Runtime{Name: "docker", Version: "18.09.1", Running: true, Kubelet: "active"}, *r)
	r, _ = runtime("kubelet activating", "runtime containerd", "version containerd github.com/containerd/containerd 1.6.20 2806fc1",
		`complaint ctr: failed to dial "/run/containerd/containerd.sock": connection refused`)
	require.Equal(t, "failed", r.Kubelet, "systemd starts it again and again")
	require.False(t, r.Running)
	require.Contains(t, r.Error, "connection refused")

	r, gaps := runtime("process containerd", "kubelet active", "runtime containerd", "version ", "complaint ctr: connect: permission denied")
	require.Empty(t, r.Error, "that is this user's fault, not the runtime's")
	require.Contains(t, gaps, "whether containerd answers of node node1: ctr: connect: permission denied")

	r, _ = runtime("kubelet missing", "runtime docker", "version ", "complaint Cannot connect to the Docker daemon")
	require.Nil(t, r, "a machine without a kubelet needs no runtime")
	r, _ = runtime("gap its processes: they are hidden from this user", "kubelet unknown", "runtime docker", "version ", "complaint ")
	require.Nil(t, r, "whether it runs was not to be seen")
}

func TestCollectReadsImagesOfOtherRuntimes(t *testing.T) {
	c := told(t, "image docker antdb-ha:1a2b3c4 sha256:c0", "image docker <none>:<none> sha256:c1", "image docker registry.local:5000/x/antdb:2 sha256:c2",
		"crictl crio IMAGE TAG IMAGE ID SIZE", "crictl crio docker.io/crunchydata/antdb-ha latest c3 900MB", "crictl crio docker.io/x/y <none> c4 900MB")
	require.Equal(t, "sha256:c0", fact[evidence.Image](c, "docker.io/library/antdb-ha:1a2b3c4").ID)
	require.Equal(t, "docker", fact[evidence.Image](c, "registry.local:5000/x/antdb:2").Runtime)
	require.Equal(t, evidence.Image{Ref: "docker.io/crunchydata/antdb-ha:latest", ID: "sha256:c3", Runtime: "crio"}, *fact[evidence.Image](c, "docker.io/crunchydata/antdb-ha:latest"))
	all := 0
	for f := range c.Facts() {
		if f.Kind == "node.image" {
			all++
		}
	}
	require.Equal(t, 3, all)
}

func TestCollectReadsTheNetwork(t *testing.T) {
	c := told(t,
		"interface ens192 1500 up 0x1003 1 2 2 device -", "interface flannel.1 1450 unknown 0x1003 1 5 5 - vxlan", "interface tunl0 1480 unknown 0xc1 768 6 0 - -",
		"interface cni0 1450 up 0x1003 1 7 7 bridge bridge", "interface cali12 1450 up 0x1003 1 9 3 - -", "interface bond0 1500 down 0x1003 1 8 8 - bond",
		"address 2: ens192    inet 10.0.0.11/24 brd 10.0.0.255 scope global ens192", "address 2: ens192    inet6 fe80::1/64 scope link",
		"route Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT", "route ens192 00000000 0100000A 0003 0 0 0 00000000 0 0 0",
		"route flannel.1 0001F40A 0001F40A 0003 0 0 0 00FFFFFF 0 0 0", "port 0B00000A:1F49", "port 0B00000A:1F49", "port 00000000000000000000000000000000:192A")
	for name, kind := range map[string]string{"ens192": "physical", "flannel.1": "overlay", "tunl0": "overlay", "cni0": "bridge", "cali12": "veth", "bond0": "physical"} {
		require.Equal(t, kind, fact[evidence.Interface](c, name).Kind, name)
	}
	require.Equal(t, evidence.Interface{MTU: 1500, Kind: "physical", Up: true, Address: "10.0.0.11"}, *fact[evidence.Interface](c, "ens192"))
	require.True(t, fact[evidence.Interface](c, "flannel.1").Up)
	require.False(t, fact[evidence.Interface](c, "bond0").Up)
	require.Equal(t, "10.0.0.1", fact[evidence.Route](c, "default ens192").Gateway)
	require.Equal(t, "10.244.1.0", fact[evidence.Route](c, "10.244.1.0/24 flannel.1").Gateway)
	require.Equal(t, evidence.Port{Address: "10.0.0.11", Port: 8009}, *fact[evidence.Port](c, "10.0.0.11 8009"))
	require.Equal(t, int64(6442), fact[evidence.Port](c, ":: 6442").Port)
}

func TestCollectReadsDisks(t *testing.T) {
	lines := []string{`mount xfs rw,relatime /`, `mount xfs ro,relatime /my\040data`, "mount nfs4 rw /export",
		"on - /", "on - /bound", "on log /var/log", "on kubelet /var/lib/kubelet", "on volumes /my data/antdb",
		"disk Filesystem 1024-blocks Used Available Capacity Mounted on",
		"disk /dev/mapper/centos-root 51474912 48900000 2574912 95% /", "disk /dev/mapper/centos-root 51474912 48900000 2574912 95% /bound",
		"disk /dev/mapper/centos-root 51474912 48900000 2574912 95% /", "disk /dev/mapper/centos-root 51474912 48900000 2574912 95% /",
		"disk /dev/sdb1 1000 0 1000 0% /my data",
		"inodes /dev/mapper/centos-root 26214400 26214399 1 100% /", "inodes /dev/sdb1 0 0 0 - /my data"}
	hung := slices.DeleteFunc(slices.Clone(lines), func(l string) bool { return strings.HasSuffix(l, "% /bound") })
	for _, answer := range [][]string{lines, hung} {
		c := told(t, answer...)
		require.Equal(t, evidence.Disk{Path: "/", Holds: []string{"log", "kubelet"}, Type: "xfs", Size: 51474912 << 10, Free: 2574912 << 10, Percent: 95, Inodes: 100, Options: "rw,relatime"},
			*fact[evidence.Disk](c, "/"))
		require.Equal(t, evidence.Disk{Path: "/my data", Holds: []string{"volumes"}, Type: "xfs", Size: 1000 << 10, Free: 1000 << 10, Options: "ro,relatime"}, *fact[evidence.Disk](c, "/my data"))
		for f := range c.Facts() {
			require.NotEqual(t, "/bound", f.Name, "it is the root's")
		}
	}
}

func TestModesAsListedAreOctal(t *testing.T) {
	for written, want := range map[string]string{"drwx------": "700", "drwxr-x--T.": "1750", "drwsrwsrwt+": "7777", "drwxr-sr-x": "2755", "d": "", "-rw-r-----": "640", "drwS------": "4600"} {
		require.Equal(t, want, octal(written), written)
	}
}
