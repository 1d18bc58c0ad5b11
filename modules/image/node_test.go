package image

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
)

// A process called kubelet runs in namespaces of its own, together with the
// script, so that it is nobody else's kubelet.
func TestNodeUsesWhatItsKubeletUses(t *testing.T) {
	if testing.Short() {
		t.Skip("needs root")
	}
	for name, c := range map[string]struct{ kubelet, args, config, engine, address string }{
		"endpoint":              {"Kubernetes v1.34.4", "--v=2 --container-runtime-endpoint=unix:///run/k/containerd.sock", "", "containerd", "/run/k/containerd.sock"},
		"endpoint in two words": {"Kubernetes v1.28.0", "--container-runtime-endpoint unix:///var/run/crio/crio.sock", "", "podman", ""},
		"cri-dockerd":           {"Kubernetes v1.30.0", "--container-runtime-endpoint=unix:///run/cri-dockerd.sock", "", "docker", ""},
		"configuration file":    {"Kubernetes v1.34.4", "--config=CONFIG", "kind: KubeletConfiguration\ncontainerRuntimeEndpoint: \"unix:///run/c/containerd.sock\"\n", "containerd", "/run/c/containerd.sock"},
		"before 1.24":           {"Kubernetes v1.18.20", "", "", "docker", ""},
		"since 1.24":            {"Kubernetes v1.27.1", "", "", "containerd", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			write := func(file, text string) string {
				p := filepath.Join(dir, file)
				require.NoError(t, os.WriteFile(p, []byte(text), 0o755))
				return p
			}
			config := write("config.yaml", c.config)
			self, err := os.Executable()
			require.NoError(t, err)
			require.NoError(t, os.Symlink(self, filepath.Join(dir, "kubelet")))
			for _, cli := range []string{"docker", "ctr", "podman"} {
				write(cli, "#!/bin/sh\ncase $* in *content*|*check*) exit 0;; esac\necho no such image: not known >&2\nexit 1\n")
			}
			host := place{local.New(), nil}
			out, err := host.Run(context.Background(), conn.Script(`cd "$1"; sed "s,CONFIG,$2," >args <<EOF
$3
EOF
KUBELET_VERSION=$4 unshare --mount --pid --fork --mount-proc sh -c '
	PATH=$PWD:$PATH
	mount -t tmpfs none /var/lib/kubelet 2>/dev/null
	kubelet $(cat args) >/dev/null 2>&1 &
	until read -r comm </proc/$!/comm && [ "$comm" = kubelet ] && grep -q kubelet /proc/$!/cmdline; do :; done
	sh -c "$0" sh auto k8s.io sha256:0 docker.io/x:1
	kill $!' "$5"`, dir, config, c.args, c.kubelet, nodeScript))
			require.NotContains(t, out.Stderr, "not found", err)
			n, err := parseNode(out.Stdout)
			require.NoError(t, err, out.Stderr)
			require.Equal(t, c.engine, n.engine, out.Stdout)
			require.Equal(t, c.address, n.address)
		})
	}
}

// playKubelet is what the test binary does as a kubelet: say its version, or
// wait to be ended.
func playKubelet(version string, args []string) {
	if len(args) == 1 && args[0] == "--version" {
		fmt.Println(version)
		return
	}
	time.Sleep(time.Minute)
}

func TestParseNode(t *testing.T) {
	n, err := parseNode(`== kubelet unix:///run/containerd/containerd.sock
== engine containerd
== address /run/containerd/containerd.sock
== image docker.io/corp/a:1
docker.io/corp/a:1 application/vnd.oci.image.manifest.v1+json sha256:c91196d9c0328521795049270837e30a653b9bd69bd3a443a38a64f0b19191c5 complete (3/3)   8.0 KiB/8.0 KiB false
== manifest
{"config":{"digest":"sha256:aa"}}
== image docker.io/corp/torn:1
docker.io/corp/torn:1 application/vnd.oci.image.manifest.v1+json sha256:d91196d9c0328521795049270837e30a653b9bd69bd3a443a38a64f0b19191c5 incomplete (1/3) 1.0 KiB/8.0 KiB false
== manifest
{"config":{"digest":"sha256:aa"}}
== image docker.io/corp/unpacked:1
docker.io/corp/unpacked:1 application/vnd.oci.image.manifest.v1+json sha256:d91196d9c0328521795049270837e30a653b9bd69bd3a443a38a64f0b19191c5 incomplete (1/3) 1.0 KiB/8.0 KiB true
== manifest
{"manifests":[{"digest":"sha256:bb"}]}
== manifest
{"config":{"digest":"sha256:aa"}}
== blobs
sha256:l1
sha256:l3
== root /var/lib/containerd
/dev/mapper/vg-with-a-long-name 100000 40000 2048 40% /var/lib
`)
	require.NoError(t, err)
	require.True(t, n.has("docker.io/corp/a:1", "sha256:aa"))
	require.True(t, n.has("docker.io/corp/a:1", "sha256:c91196d9c0328521795049270837e30a653b9bd69bd3a443a38a64f0b19191c5"), "an ID may be a manifest's")
	require.False(t, n.has("docker.io/corp/torn:1", "sha256:aa"), "layers are missing")
	require.True(t, n.has("docker.io/corp/unpacked:1", "sha256:aa"), "blobs may go once they are unpacked")
	require.Equal(t, int64(2<<20), n.free)
	require.Equal(t, map[string]bool{"sha256:l1": true, "sha256:l3": true}, n.layersThere([]string{"sha256:l1", "sha256:l2", "sha256:l3"}))

	_, err = parseNode("Welcome to node1!\n")
	require.ErrorContains(t, err, "names no container engine")
}

func TestDockerKnowsLayersByAllBelowThem(t *testing.T) {
	chains := [][]string{{"a", "x", "c"}, {"a", "b"}, {}, {"b", "c"}}
	require.Equal(t, 2, commonPrefix([]string{"a", "b", "c"}, chains))
	require.Equal(t, 0, commonPrefix([]string{"c"}, chains))
	require.Equal(t, 1, commonPrefix([]string{"a"}, chains))
	require.Equal(t, 0, commonPrefix(nil, chains))
}
