// Package rootfs looks into the file system that the layers of an image make
// together, without starting a container and without unpacking anything. One
// pass over the headers of the layers gives a tree of names; contents are read
// from the layers when they are asked for.
//
// Layers come from anywhere, so nothing in them is trusted: names stay inside
// the tree whatever they say, links are followed as a kernel would with that
// tree as its root, and memory is bounded by the limits below.
package rootfs

import (
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// Tree is what a container of an image would find as its root. It is not
// changed after Read and safe for concurrent use.
type Tree struct {
	Image  *store.Image // nil when the layers are read from elsewhere
	Layers []Layer      // from the base up

	from  Source
	root  *node
	lost  []lost
	limit limits
}

// Entry is one name in the tree.
type Entry struct {
	Path    string      // absolute, without symbolic links on the way to it
	Mode    fs.FileMode // type and permissions
	UID     int
	GID     int
	Size    int64  // of a regular file
	Link    string // where a symbolic link points, as written
	Layer   int    // index of the layer that it comes from
	ModTime time.Time
	Implied bool // a folder that no layer lists, only things in it
}

// Octal is the permissions as chmod takes them, such as 0755 or 4755.
func (e Entry) Octal() string {
	n := uint32(e.Mode.Perm())
	for i, bit := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if e.Mode&bit != 0 {
			n |= 0o1000 << i
		}
	}
	return fmt.Sprintf("%04o", n)
}

// IsDir reports whether the entry is a folder.
func (e Entry) IsDir() bool { return e.Mode.IsDir() }

// node is a name in the tree. While a layer is read, what it takes away is only
// marked, so that what it brings back counts as changed.
type node struct {
	name   string
	parent *node // nil at the root
	kids   map[string]*node
	meta   *meta
	dead   bool
	seen   int // number (from one) of the last layer with a change of it
	at     int // that change's index in the layer's list
}

// meta is what a layer's tar says of a file. Hard links share one.
type meta struct {
	mode     fs.FileMode
	uid, gid int
	size     int64
	link     string
	mtime    int64 // Unix seconds
	layer    int
	offset   int64 // of the content in the layer
	index    int   // of the header in the layer
	names    int   // living names
	sparse   bool
	implied  bool
}

func (n *node) isDir() bool { return n.meta.mode.IsDir() }

// kid is a living entry of a folder, or nil.
func (n *node) kid(name string) *node {
	if k := n.kids[name]; k != nil && !k.dead {
		return k
	}
	return nil
}

func (n *node) path() string {
	if n.parent == nil {
		return "/"
	}
	var names []string
	for ; n.parent != nil; n = n.parent {
		names = append(names, n.name)
	}
	slices.Reverse(names)
	return "/" + strings.Join(names, "/")
}

func (n *node) entry(p string) Entry { return n.meta.entry(p) }

func (m *meta) entry(p string) Entry {
	return Entry{
		Path: p, Mode: m.mode, UID: m.uid, GID: m.gid, Size: m.size, Link: m.link,
		Layer: m.layer, ModTime: time.Unix(m.mtime, 0).UTC(), Implied: m.implied,
	}
}

// maxLinks is where following symbolic links ends, as in the kernel.
const maxLinks = 40

var (
	errRing   = errors.New("too many symbolic links")
	errNoDir  = errors.New("not a directory")
	errUpward = errors.New("a symbolic link leads nowhere")
)

// walk follows p from the root as a kernel does: links on the way, and at the
// end of it too if last says so. It gives the deepest entry there is, and the
// names that are missing below it. It writes nothing.
func (t *Tree) walk(p string, last bool) (at *node, missing []string, steps int, err error) {
	at = t.root
	links := 0
	for rest := p; rest != ""; steps++ {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		switch name {
		case "", ".":
			continue
		case "..":
			if at.parent != nil {
				at = at.parent
			}
			continue
		}
		if !at.isDir() {
			return at, nil, steps, fmt.Errorf("%s: %w", at.path(), errNoDir)
		}
		next := at.kid(name)
		if next == nil {
			missing, err = names(name, rest)
			return at, missing, steps, err
		}
		if next.meta.mode&fs.ModeSymlink == 0 || !last && strings.Trim(rest, "/") == "" {
			at = next
			continue
		}
		if links++; links > maxLinks {
			return at, nil, steps, fmt.Errorf("%s: %w", next.path(), errRing)
		}
		if path.IsAbs(next.meta.link) {
			at = t.root
		}
		rest = next.meta.link + "/" + rest
	}
	return at, nil, steps, nil
}

// names takes apart what is missing of a path.
func names(first, rest string) ([]string, error) {
	out := []string{first}
	for name := range strings.SplitSeq(rest, "/") {
		switch name {
		case "", ".":
		case "..":
			return out, errUpward
		default:
			out = append(out, name)
		}
	}
	return out, nil
}

// Stat gives what is at a path, following symbolic links inside the image. The
// entry's Path is where they led.
func (t *Tree) Stat(p string) (Entry, bool) {
	n := t.find(p, true)
	if n == nil {
		return Entry{}, false
	}
	return n.entry(n.path()), true
}

// Lstat is Stat that tells of a link at the end of the path itself.
func (t *Tree) Lstat(p string) (Entry, bool) {
	n := t.find(p, false)
	if n == nil {
		return Entry{}, false
	}
	return n.entry(n.path()), true
}

func (t *Tree) find(p string, last bool) *node {
	n, missing, _, err := t.walk(p, last)
	if err != nil || missing != nil {
		return nil
	}
	return n
}

// Dir lists a folder by name; a path that is no folder has nothing.
func (t *Tree) Dir(p string) []Entry {
	n := t.find(p, true)
	if n == nil {
		return nil
	}
	at := n.path()
	var out []Entry
	for _, k := range n.sorted() {
		out = append(out, k.entry(path.Join(at, k.name)))
	}
	return out
}

// All gives every entry but the root, folders before what is in them and the
// entries of a folder by name.
func (t *Tree) All() iter.Seq[Entry] { return t.Under("/") }

// Under gives every entry below a folder, in the order of All.
func (t *Tree) Under(p string) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		if n := t.find(p, true); n != nil {
			n.each(strings.TrimSuffix(n.path(), "/"), yield)
		}
	}
}

func (n *node) each(at string, yield func(Entry) bool) bool {
	for _, k := range n.sorted() {
		p := at + "/" + k.name
		if !yield(k.entry(p)) || !k.each(p, yield) {
			return false
		}
	}
	return true
}

func (n *node) sorted() []*node {
	out := make([]*node, 0, len(n.kids))
	for _, k := range n.kids {
		out = append(out, k)
	}
	slices.SortFunc(out, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	return out
}
