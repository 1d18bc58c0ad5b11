package rootfs

import (
	"slices"
	"strings"
)

// Op is what a layer does to an entry.
type Op byte

const (
	Added Op = iota + 1
	Changed
	Deleted
)

func (o Op) String() string {
	switch o {
	case Added:
		return "added"
	case Changed:
		return "changed"
	case Deleted:
		return "deleted"
	}
	return "nothing"
}

// Change is one entry that a layer adds, changes or takes away.
type Change struct {
	Op    Op
	Entry Entry // as the layer leaves it; as it was when it is taken away
	Was   Entry // before, when it is changed
}

// change is a Change in the tree's own terms. Op zero is none: the layer took
// away what it had added itself.
type change struct {
	op       Op
	node     *node
	was, now *meta
}

// Changes lists what layer n does, by path. A folder that a layer lists without
// another owner or mode is not changed.
func (t *Tree) Changes(n int) []Change {
	out := make([]Change, 0, len(t.Layers[n].changes))
	for _, c := range t.Layers[n].changes {
		p := c.node.path()
		switch c.op {
		case Added:
			out = append(out, Change{Op: Added, Entry: c.now.entry(p)})
		case Changed:
			out = append(out, Change{Op: Changed, Entry: c.now.entry(p), Was: c.was.entry(p)})
		case Deleted:
			out = append(out, Change{Op: Deleted, Entry: c.was.entry(p)})
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return comparePaths(a.Entry.Path, b.Entry.Path) })
	return out
}

// comparePaths puts what is in a folder right behind the folder.
func comparePaths(a, b string) int {
	return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/"))
}

// note records what the layer does to an entry; n has its new content already.
func (l *layering) note(n *node, op Op, was *meta) {
	list := &l.Layers[l.n].changes
	if n.seen != l.n+1 {
		n.seen, n.at = l.n+1, len(*list)
		*list = append(*list, change{op, n, was, n.meta})
		return
	}
	c := &(*list)[n.at]
	c.now = n.meta
	switch {
	case op != Deleted:
	case c.op == Added:
		c.op = 0
	default:
		c.op = Deleted
	}
}

func (l *layering) count() {
	layer := &l.Layers[l.n]
	for _, c := range layer.changes {
		switch c.op {
		case Added:
			layer.Added++
		case Changed:
			layer.Changed++
		case Deleted:
			layer.Deleted++
		}
	}
}

// lost is content that a layer holds and no name leads to any more.
type lost struct {
	meta *meta
	node *node
	by   int   // layer that overwrote or deleted it
	now  *meta // what overwrote it; nil when it was deleted
}

// release takes a name from a file. With the last one its bytes are wasted.
func (l *layering) release(m *meta, n *node, now *meta) {
	if m.names--; m.names == 0 && m.size > 0 && !m.sparse {
		l.lost = append(l.lost, lost{m, n, l.n, now})
	}
}
