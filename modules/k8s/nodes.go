package k8s

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed nodes.hcl
var nodesExample string

// Nodes finds the machines on which pods may start.
type Nodes struct {
	Hosts     cty.Value `hcl:"hosts" doc:"How to log in to the machines: a whole ssh target, or a list or map of its hosts. Each node is matched by its name, or by one of its addresses."`
	Selector  string    `hcl:"selector,optional" doc:"Labels of the nodes to take: \"disktype=ssd,!gpu\". A label that Kubernetes once called otherwise (kubernetes.io/os, topology.kubernetes.io/zone, node-role.kubernetes.io/control-plane) is known under both names."`
	Tolerate  []string  `hcl:"tolerate,optional" doc:"Keys of taints that the pods tolerate; control-plane stands for those of control planes, * for all. A node with another taint against scheduling is left out."`
	ReadyOnly bool      `hcl:"ready_only,optional" doc:"Leave out nodes that are not ready."`

	Targets    []conn.Target `out:"targets" doc:"The hosts of the nodes taken, for on of other steps."`
	Nodes      []Node        `out:"nodes" doc:"All nodes of the selector, sorted by name, with those left out."`
	AlwaysPull string        `out:"always_pull" doc:"yes when the cluster makes every pod pull its images, whatever its policy says (admission AlwaysPullImages), so that preloading is no use; no; or unknown."`
	Why        string        `out:"always_pull_why" doc:"What that was seen by."`
}

// Node is what the cluster tells of one node.
type Node struct {
	Name      string            `cty:"name"`
	Host      string            `cty:"host"`     // name of the matching SSH host; empty for none
	LeftOut   string            `cty:"left_out"` // why; empty for a node that is taken
	Ready     bool              `cty:"ready"`
	Condition string            `cty:"condition"` // why it is not ready
	Cordoned  bool              `cty:"cordoned"`
	Roles     []string          `cty:"roles"`
	Labels    map[string]string `cty:"labels"`
	Taints    []string          `cty:"taints"` // as kubectl writes them: key=value:Effect
	Addresses []string          `cty:"addresses"`
	Runtime   string            `cty:"runtime"` // containerd://1.6.20
	Kubelet   string            `cty:"kubelet"`
	Arch      string            `cty:"arch"`
	OS        string            `cty:"os"`

	raw *corev1.Node
}

// Info describes k8s.nodes.
func (*Nodes) Info() module.Info {
	return module.Info{
		Name:    "k8s.nodes",
		Summary: "The machines on which pods may start, as SSH hosts.",
		Doc: `Which machines must have an image is known to the cluster: this asks for its nodes and finds for each the SSH host
that it is. A node that no host matches is an error, for a pod that starts there would find no image. So is a host that
two nodes claim. Nodes are left out that the selector does not pick, or that have a taint which the pods do not
tolerate; a taint that comes and goes with the node's condition (not ready, cordoned, short of disk) leaves no node out.

Each of ` + "`nodes`" + ` has name, host (the SSH host's name), left_out (why, if it is), ready, condition (why it is not ready),
cordoned, roles, labels, taints, addresses, runtime ("containerd://1.6.20"), kubelet, arch and os.

` + "`always_pull`" + ` tells whether preloading is of any use: it is seen by creating a pod in a dry run, of which nothing stays.`,
		On:       places,
		Example:  nodesExample,
		ReadOnly: true,
	}
}

// Validate checks the selector.
func (n *Nodes) Validate() error {
	_, err := labels.Parse(n.Selector)
	return module.At("selector", err)
}

// Check reads.
func (n *Nodes) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	c, err := clientOf(env, "")
	if err != nil {
		return module.NoChange, err
	}
	hosts, err := hostsOf(n.Hosts)
	if err != nil {
		return module.NoChange, module.At("hosts", err)
	}
	list, err := n.list(ctx, c)
	if apierrors.IsForbidden(err) {
		return module.NoChange, module.Explain(fmt.Errorf("list the nodes of %s: %w", env.Target, err), "this user needs the verb list on nodes, in the whole cluster")
	}
	if err != nil {
		return module.NoChange, c.explain(fmt.Errorf("list the nodes of %s: %w", env.Target, err))
	}
	slices.SortFunc(list.Items, func(a, b corev1.Node) int { return strings.Compare(padded(a.Name), padded(b.Name)) })
	n.Nodes = []Node{}
	for i := range list.Items {
		node := describe(&list.Items[i])
		node.LeftOut = n.leaveOut(node)
		n.Nodes = append(n.Nodes, node)
	}
	if err := n.take(hosts); err != nil {
		return module.NoChange, err
	}
	n.AlwaysPull, n.Why = alwaysPull(ctx, c)
	return module.NoChange, n.warn(env)
}

var number = regexp.MustCompile(`[0-9]+`)

// padded is a name in which numbers compare as numbers: node2 before node10.
func padded(name string) string {
	return number.ReplaceAllStringFunc(name, func(n string) string { return strings.Repeat("0", max(0, 20-len(n))) + n })
}

// take finds the hosts of the nodes that are not left out.
func (n *Nodes) take(hosts []conn.Target) error {
	found, err := match(n.Nodes, hosts)
	if err != nil {
		return module.At("hosts", err)
	}
	n.Targets = []conn.Target{}
	var homeless []Node
	for i := range n.Nodes {
		node := &n.Nodes[i]
		host, ok := found[node.Name]
		if ok {
			node.Host = host.Name
		}
		switch {
		case node.LeftOut != "":
		case ok:
			n.Targets = append(n.Targets, host)
		default:
			homeless = append(homeless, *node)
		}
	}
	return module.At("hosts", withoutHost(homeless))
}

// leaveOut says why a node is not taken.
func (n *Nodes) leaveOut(node Node) string {
	if n.ReadyOnly && !node.Ready {
		return "it is not ready: " + node.Condition
	}
	if node.OS != "" && node.OS != "linux" {
		return "it runs " + node.OS
	}
	for _, t := range node.raw.Spec.Taints {
		if t.Effect == corev1.TaintEffectPreferNoSchedule || passing(t.Key) || n.tolerates(t.Key) {
			continue
		}
		return "its taint " + t.ToString() + " keeps pods away"
	}
	return ""
}

// passing reports a taint that Kubernetes itself sets and takes away again.
func passing(key string) bool { return strings.HasPrefix(key, "node.kubernetes.io/") }

func (n *Nodes) tolerates(key string) bool {
	for _, t := range n.Tolerate {
		controlPlane := key == "node-role.kubernetes.io/control-plane" || key == "node-role.kubernetes.io/master"
		if t == "*" || t == key || t == "control-plane" && controlPlane {
			return true
		}
	}
	return false
}

// warn tells what may become a surprise.
func (n *Nodes) warn(env *module.Env) error {
	if len(n.Nodes) == 0 {
		return module.At("selector", module.Explain(errors.New("no node of the cluster has these labels"), "kubectl get nodes --show-labels lists them"))
	}
	if len(n.Targets) == 0 {
		return module.Explain(fmt.Errorf("no node is left: %s is left out, for %s", n.Nodes[0].Name, n.Nodes[0].LeftOut), "name its taint in tolerate, or choose by selector")
	}
	for _, node := range n.Nodes {
		switch {
		case node.LeftOut != "":
			env.Logf("%s is left out: %s", node.Name, node.LeftOut)
		case !node.Ready:
			env.Logf("warning: %s is not ready: %s", node.Name, node.Condition)
		}
	}
	if n.AlwaysPull == "yes" {
		env.Logf("warning: this cluster makes every pod pull its images (%s): preloaded images are only used when their registry answers", n.Why)
	}
	return nil
}

// Apply is never called: Check does all the work.
func (*Nodes) Apply(context.Context, *module.Env) error {
	return fmt.Errorf("k8s.nodes changes nothing")
}

// describe reads what a runbook may want to know.
func describe(raw *corev1.Node) Node {
	info := raw.Status.NodeInfo
	node := Node{Name: raw.Name, Cordoned: raw.Spec.Unschedulable, Labels: map[string]string{}, Roles: []string{}, Taints: []string{},
		Addresses: []string{}, Runtime: info.ContainerRuntimeVersion, Kubelet: info.KubeletVersion, Arch: info.Architecture,
		OS: info.OperatingSystem, Condition: "its kubelet has never reported", raw: raw}
	for _, c := range raw.Status.Conditions {
		if c.Type != corev1.NodeReady {
			continue
		}
		node.Ready, node.Condition = c.Status == corev1.ConditionTrue, ""
		if !node.Ready {
			node.Condition = strings.TrimSuffix(c.Reason+": "+c.Message, ": ")
		}
	}
	for key, value := range raw.Labels {
		node.Labels[key] = value
		if role, ok := strings.CutPrefix(key, "node-role.kubernetes.io/"); ok {
			node.Roles = append(node.Roles, role)
		}
	}
	slices.Sort(node.Roles)
	for _, t := range raw.Spec.Taints {
		node.Taints = append(node.Taints, t.ToString())
	}
	for _, a := range raw.Status.Addresses {
		if !slices.Contains(node.Addresses, a.Address) {
			node.Addresses = append(node.Addresses, a.Address)
		}
	}
	return node
}
