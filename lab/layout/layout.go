// Package layout says where everything of the lab lives: folders, addresses, names.
// It has no behaviour; every other package of the lab asks it instead of keeping a constant of its own.
package layout

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

const (
	APIPort      = 16443
	PodCIDR      = "10.244.0.0/16"
	PauseImage   = "docker.io/antdb-lab/pause:1"
	NodeImage    = "antdb-lab/node:12"
	BaseImage    = "antdb-lab/pg-base:12"
	MinNodes     = 2
	MaxNodes     = 9
	DefaultNodes = 3
	MaxSlot      = 9
)

// Lab is one lab on this machine.
type Lab struct {
	Cache  string // survives `lab down`
	State  string // removed by `lab down`
	Source string // the folder of this Go module
	Nodes  int
	Slot   int // several labs may run on one machine; each has addresses and names of its own
}

// Node is a container that plays a machine.
type Node struct {
	Name    string
	Number  int
	IP      string
	PodCIDR string
	Docker  bool // has a Docker Engine beside containerd
}

// Locate finds the folders by environment; source is the module's folder.
func Locate(source string) (Lab, error) {
	cache := os.Getenv("ANTDBCTL_LAB_CACHE")
	if cache == "" {
		user, err := os.UserCacheDir()
		if err != nil {
			return Lab{}, fmt.Errorf("find a cache folder (set ANTDBCTL_LAB_CACHE): %w", err)
		}
		cache = filepath.Join(user, "antdbctl-lab")
	}
	slot := 0
	if text := os.Getenv("ANTDBCTL_LAB_SLOT"); text != "" {
		var err error
		if slot, err = strconv.Atoi(text); err != nil || slot < 0 || slot > MaxSlot {
			return Lab{}, fmt.Errorf("ANTDBCTL_LAB_SLOT is %q: a number from 0 to %d is wanted", text, MaxSlot)
		}
	}
	state := os.Getenv("ANTDBCTL_LAB_DIR")
	if state == "" {
		state = "/run/antdbctl-lab" + suffix(slot)
	}
	var err error
	if cache, err = filepath.Abs(cache); err != nil {
		return Lab{}, err
	}
	if state, err = filepath.Abs(state); err != nil {
		return Lab{}, err
	}
	return Lab{Cache: cache, State: state, Source: source, Nodes: DefaultNodes, Slot: slot}, nil
}

// Node returns the n-th node, counted from 1. The last one has the Docker Engine.
func (l Lab) Node(n int) Node {
	return Node{
		Name:    fmt.Sprintf("node%d", n),
		Number:  n,
		IP:      fmt.Sprintf("10.213.%d.%d", l.Slot, 10+n),
		PodCIDR: fmt.Sprintf("10.244.%d.0/24", 10*l.Slot+n),
		Docker:  n == l.Nodes,
	}
}

// All returns the nodes in order.
func (l Lab) All() []Node {
	nodes := make([]Node, l.Nodes)
	for i := range nodes {
		nodes[i] = l.Node(i + 1)
	}
	return nodes
}

// In joins parts below the state folder.
func (l Lab) In(parts ...string) string { return filepath.Join(append([]string{l.State}, parts...)...) }

// Cached joins parts below the cache folder.
func (l Lab) Cached(parts ...string) string {
	return filepath.Join(append([]string{l.Cache}, parts...)...)
}

// APIURL is where host, nodes and pods find the API server.
func (l Lab) APIURL() string { return fmt.Sprintf("https://%s:%d", l.Gateway(), APIPort) }

// Kubeconfig is the administrator's.
func (l Lab) Kubeconfig() string { return l.In("kubeconfig") }

// DockerSocket is where the lab's own Docker Engine listens.
func (l Lab) DockerSocket() string { return l.In("docker.sock") }

// Engine is the data folder of the lab's Docker Engine.
func (l Lab) Engine() string { return l.Cached("docker" + suffix(l.Slot)) }

// Bridge is the host's link to the nodes.
func (l Lab) Bridge() string { return fmt.Sprintf("antdblab%d", l.Slot) }

// Network is the docker network behind Bridge.
func (l Lab) Network() string { return "antdb-lab" + suffix(l.Slot) }

// Subnet has the nodes, and the host as Gateway.
func (l Lab) Subnet() string { return fmt.Sprintf("10.213.%d.0/24", l.Slot) }

// Gateway is the host on the nodes' network; the API server listens there.
func (l Lab) Gateway() string { return fmt.Sprintf("10.213.%d.1", l.Slot) }

// ServiceCIDR has the addresses of the cluster's services.
func (l Lab) ServiceCIDR() string { return fmt.Sprintf("10.%d.0.0/16", 96+l.Slot) }

// APIServiceIP is the service "kubernetes": always the first address.
func (l Lab) APIServiceIP() string { return fmt.Sprintf("10.%d.0.1", 96+l.Slot) }

// CgroupRoot is the group below which all processes of all nodes live, in every controller.
func (l Lab) CgroupRoot() string { return "antdbctl-lab" + suffix(l.Slot) }

// Port is the n-th port of the control plane on the loopback address.
func (l Lab) Port(n int) int { return 12379 + 10*l.Slot + n }

func suffix(slot int) string {
	if slot == 0 {
		return ""
	}
	return fmt.Sprintf("-%d", slot)
}
