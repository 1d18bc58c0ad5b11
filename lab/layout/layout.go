// Package layout says where everything of the lab lives: folders, addresses, names.
// It has no behaviour; every other package of the lab asks it instead of keeping a constant of its own.
package layout

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	Bridge       = "antdblab0"
	Network      = "antdb-lab" // the docker network behind Bridge
	Subnet       = "10.213.0.0/24"
	Gateway      = "10.213.0.1" // the host on that network; the API server listens here
	APIPort      = 16443
	ServiceCIDR  = "10.96.0.0/16"
	APIServiceIP = "10.96.0.1"
	PodCIDR      = "10.244.0.0/16"
	CgroupRoot   = "antdbctl-lab" // all processes of all nodes live below it, in every controller
	PauseImage   = "docker.io/antdb-lab/pause:1"
	NodeImage    = "antdb-lab/node:12"
	BaseImage    = "antdb-lab/pg-base:12"
	MinNodes     = 2
	MaxNodes     = 9
	DefaultNodes = 3
)

// Lab is one lab on this machine.
type Lab struct {
	Cache  string // survives `lab down`
	State  string // removed by `lab down`
	Source string // the folder of this Go module
	Nodes  int
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
	state := os.Getenv("ANTDBCTL_LAB_DIR")
	if state == "" {
		state = "/run/antdbctl-lab"
	}
	var err error
	if cache, err = filepath.Abs(cache); err != nil {
		return Lab{}, err
	}
	if state, err = filepath.Abs(state); err != nil {
		return Lab{}, err
	}
	return Lab{Cache: cache, State: state, Source: source, Nodes: DefaultNodes}, nil
}

// Node returns the n-th node, counted from 1. The last one has the Docker Engine.
func (l Lab) Node(n int) Node {
	return Node{
		Name:    fmt.Sprintf("node%d", n),
		Number:  n,
		IP:      fmt.Sprintf("10.213.0.%d", 10+n),
		PodCIDR: fmt.Sprintf("10.244.%d.0/24", n),
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
func (l Lab) APIURL() string { return fmt.Sprintf("https://%s:%d", Gateway, APIPort) }

// Kubeconfig is the administrator's.
func (l Lab) Kubeconfig() string { return l.In("kubeconfig") }

// DockerSocket is where the lab's own Docker Engine listens.
func (l Lab) DockerSocket() string { return l.In("docker.sock") }
