package patroni

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// accident is what happens to the primary. end is called when a new leader has
// taken over, or when all has failed, and may be called again; an accident that
// lasts ends by itself all the same.
type accident struct {
	begin, end func(ctx context.Context) error
}

func over(context.Context) error { return nil }

// prepareAccident looks up what the accident takes, so that nothing is left to
// fail between the moment that is measured from and the deed.
func (d *Drill) prepareAccident(ctx context.Context, env *module.Env, leader *member) (*accident, error) {
	seconds := strconv.Itoa(int(d.Hold.Seconds()))
	switch d.By {
	case "pod":
		return &accident{func(ctx context.Context) error { return d.deletePod(ctx, leader) }, over}, nil
	case "network":
		node, err := d.node(ctx, env, leader)
		if err != nil {
			return nil, module.At("nodes", err)
		}
		ip := leader.pod.Status.PodIP
		return &accident{script(node, cutScript, ip, seconds), script(node, healScript, ip)}, nil
	}
	host, err := d.place.kube.Container(ctx, leader.pod.Namespace, leader.name, container(leader.pod))
	if err != nil {
		return nil, err
	}
	if d.By == "process" {
		return &accident{script(host, killScript), over}, nil
	}
	return &accident{script(host, freezeScript, seconds), script(host, thawScript)}, nil
}

func script(host conn.Runner, text string, args ...string) func(context.Context) error {
	return func(ctx context.Context) error {
		_, err := host.Run(ctx, conn.Script(text, args...))
		return err
	}
}

func (d *Drill) deletePod(ctx context.Context, leader *member) error {
	grace := int64(d.Grace.Seconds())
	err := d.place.kube.Clientset().CoreV1().Pods(leader.pod.Namespace).Delete(ctx, leader.name,
		metav1.DeleteOptions{GracePeriodSeconds: &grace, Preconditions: metav1.NewUIDPreconditions(string(leader.pod.UID))})
	if apierrors.IsForbidden(err) {
		return module.At("by", module.Explain(err, "this user needs the verb delete on pods"))
	}
	if err != nil {
		return fmt.Errorf("delete pod %s: %w", leader.name, err)
	}
	return nil
}

// servers finds all processes of the database server, the postmaster first:
// the one whose parent is no server. Nothing but a shell and /proc is asked of
// the image.
const servers = `
name() { read -r n < "$1/comm" 2>/dev/null && echo "$n"; }
parent() { while read -r key value _; do [ "$key" = PPid: ] && echo "$value"; done < "$1/status" 2>/dev/null; }
first= all=
for p in /proc/[0-9]*; do
  [ "$(name "$p")" = postgres ] || continue
  all="$all ${p#/proc/}"
  [ "$(name "/proc/$(parent "$p")")" = postgres ] || first="${p#/proc/}"
done
[ -n "$first" ] || { echo "no postmaster runs here" >&2; exit 1; }
`

const killScript = servers + `kill -9 $first`

// freezeScript leaves behind a process that ends the accident, come what may.
const freezeScript = servers + `
(sleep "$1"; kill -CONT $all) </dev/null >/dev/null 2>&1 &
kill -STOP $first $all
`

const thawScript = servers + `kill -CONT $all`

// cutScript drops what the pod sends and gets, but for what the node itself
// sends, and takes the rules away again by itself.
const cutScript = `
set -e
rules() { iptables -w "$1" FORWARD -s "$2" -j DROP && iptables -w "$1" FORWARD -d "$2" -j DROP && iptables -w "$1" INPUT -s "$2" -j DROP; }
(sleep "$2"; rules -D "$1") </dev/null >/dev/null 2>&1 &
rules -I "$1"
`

const healScript = `
while iptables -w -D FORWARD -s "$1" -j DROP 2>/dev/null; do :; done
while iptables -w -D FORWARD -d "$1" -j DROP 2>/dev/null; do :; done
while iptables -w -D INPUT -s "$1" -j DROP 2>/dev/null; do :; done
`

// node is the machine that the pod runs on.
func (d *Drill) node(ctx context.Context, env *module.Env, leader *member) (conn.Host, error) {
	hosts, err := targetsOf(d.Nodes)
	if err != nil {
		return nil, err
	}
	node, err := d.place.kube.Clientset().CoreV1().Nodes().Get(ctx, leader.pod.Spec.NodeName, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("read node %s: %w", leader.pod.Spec.NodeName, err)
	}
	names := []string{node.Name}
	for _, a := range node.Status.Addresses {
		names = append(names, a.Address)
	}
	for _, h := range hosts {
		if slices.Contains(names, h.Name) || slices.Contains(names, h.Address) {
			return env.Dialer.Dial(ctx, h)
		}
	}
	return nil, fmt.Errorf("none of the hosts is node %s, where %s runs", node.Name, leader.name)
}

// targetsOf reads a whole ssh target, one host, or a list or map of hosts.
func targetsOf(v cty.Value) ([]conn.Target, error) {
	if v == cty.NilVal || v.IsNull() || !v.IsWhollyKnown() {
		return nil, errors.New("no host is given")
	}
	t := v.Type()
	switch {
	case t.Equals(conn.TargetType):
		one, err := conn.TargetFrom(v)
		return []conn.Target{one}, err
	case t.IsObjectType() && t.HasAttribute("hosts") && t.HasAttribute("config"):
		return targetsOf(v.GetAttr("hosts"))
	case !v.CanIterateElements():
		return nil, fmt.Errorf("it takes an ssh target, such as target.nodes, or a list or map of its hosts, not %s", t.FriendlyName())
	}
	var all []conn.Target
	for it := v.ElementIterator(); it.Next(); {
		_, element := it.Element()
		more, err := targetsOf(element)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}
