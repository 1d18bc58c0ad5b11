// Package fleet runs plain nodes without Kubernetes, each behind a link of a chosen rate, and a controller that sits
// behind such a link too: what moves images to many nodes is measured here.
package fleet

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
	"github.com/adbsql/antdbctl/lab/proc"
)

const (
	DefaultNodes = 8
	DefaultSlot  = 7 // a fleet is never in slot 0, which is the cluster's
)

// Fleet is the nodes of a lab's slot, without a cluster.
type Fleet struct {
	Lab    layout.Lab
	Engine docker.Engine
	Owner  string
	Rate   Rate
}

// Site is how a program finds its way about the fleet: the content of fleet.json in the state folder.
type Site struct {
	Nodes      []Host `json:"nodes"`
	Controller Host   `json:"controller"`
	Rate       Rate   `json:"rate"`        // bits a second, each way, of every link; 0: not shaped
	Namespace  string `json:"namespace"`   // the controller's network, a file for nsenter --net
	SSHConfig  string `json:"ssh_config"`  // for ssh -F
	Identity   string `json:"identity"`    // opens root on every node
	KnownHosts string `json:"known_hosts"` // the nodes' pinned keys
	Docker     string `json:"docker"`      // socket of the lab's own engine
	Logs       string `json:"logs"`        // a folder for each node
	Cgroup     string `json:"cgroup"`      // the group below which every process of the nodes lives
}

// Host is a machine on the fleet's network.
type Host struct {
	Name    string `json:"name"`
	Address string `json:"address"`
	Link    string `json:"link"` // the host's end of its link
}

// File is where the Site is written.
func File(lab layout.Lab) string { return lab.In("fleet.json") }

// Start brings up the nodes that do not run, lays the controller's link, and shapes all links anew: a node that was
// killed comes back with a new one.
func (f Fleet) Start(ctx context.Context) error {
	keys, err := node.Keys(f.Lab)
	if err != nil {
		return err
	}
	for _, n := range f.Lab.All() {
		if err := f.writeFiles(n, keys); err != nil {
			return err
		}
	}
	group, groupCtx := errgroup.WithContext(ctx)
	for _, n := range f.Lab.All() {
		group.Go(func() error { return f.start(groupCtx, n) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if err := node.Favor(f.Lab); err != nil {
		return err
	}
	if err := f.layControllerLink(ctx); err != nil {
		return err
	}
	links, err := f.links(ctx)
	if err != nil {
		return err
	}
	if err := f.shape(ctx, links); err != nil {
		return err
	}
	return f.writeSite(keys, links)
}

func (f Fleet) writeSite(keys node.SSHKeys, links []link) error {
	ends := map[string]string{}
	for _, l := range links {
		ends[l.machine] = l.end
	}
	site := Site{
		Controller: Host{controller, f.controllerIP(), ends[controller]}, Rate: f.Rate, Namespace: Namespace(f.Lab),
		SSHConfig: keys.Config, Identity: keys.Identity, KnownHosts: keys.KnownHosts,
		Docker: f.Lab.DockerSocket(), Logs: f.Lab.In("logs"), Cgroup: f.Lab.CgroupRoot(),
	}
	for _, n := range f.Lab.All() {
		site.Nodes = append(site.Nodes, Host{n.Name, n.IP, ends[n.Name]})
	}
	content, err := json.MarshalIndent(site, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(File(f.Lab), append(content, '\n'), 0o644)
}

// Read returns the Site of the fleet that is up.
func Read(lab layout.Lab) (Site, error) {
	content, err := os.ReadFile(File(lab))
	if err != nil {
		return Site{}, errors.New("no fleet is up (lab fleet up)")
	}
	var site Site
	if err := json.Unmarshal(content, &site); err != nil {
		return site, fmt.Errorf("%s: %w", File(lab), err)
	}
	return site, nil
}

// Kill ends nodes as a power cut does: first the link goes, so that no connection of theirs is closed, then the machine.
// The link goes at once, however busy the nodes keep this machine.
func (f Fleet) Kill(ctx context.Context, names ...string) error {
	site, err := Read(f.Lab)
	if err != nil {
		return err
	}
	for _, n := range site.Nodes {
		if !slices.Contains(names, n.Name) {
			continue
		}
		if _, err := proc.Run(ctx, "ip", "link", "set", n.Link, "down"); err != nil {
			return err
		}
	}
	return f.signal(ctx, "kill", names)
}

// Pause makes nodes stand still: their connections stay open and silent.
func (f Fleet) Pause(ctx context.Context, names ...string) error {
	return f.signal(ctx, "pause", names)
}

// Unpause lets paused nodes go on.
func (f Fleet) Unpause(ctx context.Context, names ...string) error {
	return f.signal(ctx, "unpause", names)
}

func (f Fleet) signal(ctx context.Context, verb string, names []string) error {
	_, err := f.Engine.Do(ctx, append([]string{verb}, names...)...)
	return err
}

// pid is the first process of a node, 0 when the node does not run.
func (f Fleet) pid(ctx context.Context, name string) string {
	out, err := f.Engine.Do(ctx, "container", "inspect", "--format", "{{.State.Pid}}", name)
	if err != nil {
		return "0"
	}
	return out
}

// state is docker's word for how a node is, empty when there is none.
func (f Fleet) state(ctx context.Context, name string) string {
	out, err := f.Engine.Do(ctx, "container", "inspect", "--format", "{{.State.Status}}", name)
	if err != nil {
		return ""
	}
	return out
}
