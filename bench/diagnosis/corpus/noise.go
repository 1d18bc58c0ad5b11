package corpus

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// noise is what a site has beside a case's fault: its machines, the operator,
// and two database clusters that serve, all of them busy and complaining as
// such things do. It is made of the case's name, so it is the same every time.
type noise struct {
	rand  *rand.Rand
	taken time.Time
	has   map[evidence.Fact]bool // kind, name and place of the case's facts, and kind and node
	kinds map[string]bool
	nodes []string // that are in order, and carry the clusters
	crews []crew
}

// crew is the pods of one healthy database cluster.
type crew struct {
	cluster, namespace string
	pods               []member
	repo               member
}

type member struct {
	pod, node string
	leads     bool
}

// History is how long the logs of the noise go back.
const History = 3 * time.Hour

func newNoise(c Case) *noise {
	seed := fnv.New64a()
	_, _ = seed.Write([]byte(c.Name))
	n := &noise{rand: rand.New(rand.NewPCG(seed.Sum64(), 1)), taken: c.Taken, has: map[evidence.Fact]bool{}, kinds: map[string]bool{}}
	for _, f := range c.Facts {
		n.kinds[f.Kind] = true
		n.has[evidence.Fact{Kind: f.Kind, Name: f.Name, Place: f.Place}] = true
		n.has[evidence.Fact{Kind: f.Kind, Place: evidence.Place{Node: nodeOf(f)}}] = true
	}
	n.nodes = healthyNodes(c)
	for i, name := range []string{"orders", "billing"} {
		n.crews = append(n.crews, n.crewOf(name, "pgouser2", i))
	}
	return n
}

func nodeOf(f evidence.Fact) string {
	if f.Kind == "k8s.node" && f.Place.Node == "" {
		return f.Name
	}
	return f.Place.Node
}

// healthyNodes are the machines that the noise lives on: those of the case, less
// what is wrong with them, or three of its own.
func healthyNodes(c Case) []string {
	var nodes, sick []string
	own := false
	for _, f := range c.Facts {
		node := nodeOf(f)
		switch data := f.Data.(type) {
		case *evidence.Node:
			own = true
			if !data.Ready || data.Unschedulable || len(data.Taints)+len(data.Pressures) > 0 {
				sick = append(sick, node)
			}
		case *evidence.Reach:
			if !data.Reachable {
				sick = append(sick, node)
			}
		case *evidence.Runtime:
			if !data.Running || (data.Kubelet != "active" && data.Kubelet != "") {
				sick = append(sick, node)
			}
		case *evidence.Clock:
			if data.Outlier {
				sick = append(sick, node)
			}
		}
		if node != "" && !slices.Contains(nodes, node) {
			nodes = append(nodes, node)
		}
	}
	if !own {
		for _, node := range []string{"node1", "node2", "node3"} {
			if !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
	}
	sort.Strings(nodes)
	return slices.DeleteFunc(nodes, func(node string) bool { return slices.Contains(sick, node) })
}

func (n *noise) crewOf(name, namespace string, turn int) crew {
	c := crew{cluster: name, namespace: namespace}
	at := func(i int) string {
		if len(n.nodes) == 0 {
			return ""
		}
		return n.nodes[(turn+i)%len(n.nodes)]
	}
	c.pods = append(c.pods,
		member{pod: n.podName(name), node: at(0), leads: true},
		member{pod: n.podName(name + "-" + n.letters(4)), node: at(1)})
	c.repo = member{pod: n.podName(name + "-backrest-shared-repo"), node: at(2)}
	return c
}

func (n *noise) podName(of string) string {
	return fmt.Sprintf("%s-%s-%s", of, n.hex(10), n.letters(5))
}

func (n *noise) letters(length int) string { return n.pick("bcdfghjklmnpqrstvwxz2456789", length) }
func (n *noise) hex(length int) string     { return n.pick("0123456789abcdef", length) }

func (n *noise) pick(alphabet string, length int) string {
	out := make([]byte, length)
	for i := range out {
		out[i] = alphabet[n.rand.IntN(len(alphabet))]
	}
	return string(out)
}

// mixed is the case's logs with the noise around their lines, and the logs of
// the rest of the site.
func (n *noise) mixed(own []Text) []Text {
	all := slices.Clone(own)
	_ = n.logs(1, func(text Text) error {
		at := slices.IndexFunc(all, func(t Text) bool { return n.sameSource(t.Log, text.Log) })
		if at < 0 {
			all = append(all, text)
		} else {
			all[at].Content = interleave(text.Content, all[at].Content)
		}
		return nil
	}) // nothing in it fails
	return all
}

// sameSource says whether two logs are of one writer: of a site's events, of one
// operator, of one machine's kubelet.
func (n *noise) sameSource(a, b evidence.Log) bool {
	if a.Kind != b.Kind || a.Previous || b.Previous {
		return false
	}
	switch a.Kind {
	case evidence.EventLog, evidence.OperatorLog, evidence.RunLog:
		return true
	case evidence.KernelLog, evidence.KubeletLog, evidence.RuntimeLog:
		return a.Place.Node == b.Place.Node
	}
	return false
}

// interleave merges b into a by time. Lines without a time stay with the line
// before them.
func interleave(a, b []byte) []byte {
	type entry struct {
		at   time.Time
		text []byte
	}
	var entries []entry
	for _, text := range [][]byte{a, b} {
		var at time.Time
		for line := range bytes.Lines(text) {
			if t, ok := stampOf(line); ok {
				at = t
			} else if len(entries) > 0 && at.IsZero() {
				at = entries[len(entries)-1].at
			}
			if !bytes.HasSuffix(line, []byte("\n")) {
				line = append(bytes.Clone(line), '\n')
			}
			entries = append(entries, entry{at, line})
		}
	}
	slices.SortStableFunc(entries, func(x, y entry) int { return x.at.Compare(y.at) })
	var out bytes.Buffer
	for _, e := range entries {
		out.Write(e.text)
	}
	return out.Bytes()
}
