package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Names in layers that take away what lower layers have, by the OCI image
// specification: .wh.NAME takes NAME away, .wh..wh..opq all that is in its
// folder. Other names that begin with .wh..wh. are a storage driver's own.
const (
	whiteout = ".wh."
	opaque   = ".wh..wh..opq"
	private  = ".wh..wh."
)

// layering is the tree while a layer is laid over it.
type layering struct {
	*Tree
	n    int
	dead []*node // marked; those that nothing brought back go at the end

	dir    string // the last entry's folder as named, for the next is mostly in it, too
	folder *node
}

func (t *Tree) apply(ctx context.Context, n int, gone, come []header) error {
	l := &layering{Tree: t, n: n}
	for _, h := range gone {
		if err := l.takeAway(h); err != nil {
			return err
		}
	}
	for i, h := range come {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.bring(h); err != nil {
			return fmt.Errorf("%s: %w", h.dir+h.base, err)
		}
	}
	l.bury()
	return nil
}

// reach follows a path as walk does, and counts its steps: a few headers could
// else make it go round links for hours.
func (l *layering) reach(p string, last bool) (*node, []string, error) {
	at, missing, steps, err := l.walk(p, last)
	if l.limit.steps -= steps + 1; l.limit.steps < 0 {
		return nil, nil, errors.New("the image's symbolic links lead too far round: no more is read")
	}
	return at, missing, err
}

func (l *layering) takeAway(h header) error {
	dir, missing, err := l.reach(h.dir, true)
	if l.limit.steps < 0 {
		return err
	}
	if err != nil || missing != nil {
		return nil // there is nothing to take away
	}
	name := strings.TrimPrefix(h.base, whiteout)
	switch {
	case h.base == opaque:
		l.markKids(dir)
	case strings.HasPrefix(h.base, private):
	case name == "", name == ".", name == "..":
		l.odd(l.n, h.dir+h.base)
	default:
		if k := dir.kid(name); k != nil {
			l.mark(k)
		}
	}
	return nil
}

func (l *layering) mark(n *node) {
	n.dead = true
	l.dead = append(l.dead, n)
	l.markKids(n)
}

func (l *layering) markKids(n *node) {
	for _, k := range n.kids {
		if !k.dead {
			l.mark(k)
		}
	}
}

// bring puts an entry where its name says. As engines do, it follows links in
// the folders of the name, replaces what is there, and only merges folders.
func (l *layering) bring(h header) error {
	if h.base == "" {
		if !h.meta.mode.IsDir() {
			return errors.New("the root of the image is not a folder")
		}
		h.meta.names = 1
		l.root.meta = h.meta
		return nil
	}
	dir, err := l.parent(h.dir)
	if err != nil {
		return err
	}
	m := h.meta
	if h.hard != "" {
		target, missing, err := l.reach(h.hard, false)
		switch {
		case err != nil:
			return err
		case missing != nil:
			return fmt.Errorf("a hard link to %s, which is not there", h.hard)
		case target.isDir():
			return fmt.Errorf("a hard link to the folder %s", h.hard)
		}
		m = target.meta
	}
	l.put(dir, h.base, m)
	return nil
}

// parent is the folder of an entry. One that no header named is made.
func (l *layering) parent(dir string) (*node, error) {
	if l.folder != nil && l.dir == dir && !l.folder.dead && l.folder.isDir() {
		return l.folder, nil
	}
	at, missing, err := l.reach(dir, true)
	if err != nil {
		return nil, err
	}
	for _, name := range missing {
		if l.limit.entries--; l.limit.entries < 0 {
			return nil, fmt.Errorf("the image has more than %d entries: no more is read", most.entries)
		}
		at = l.put(at, name, &meta{mode: fs.ModeDir | 0o755, layer: l.n, implied: true})
	}
	if !at.isDir() {
		return nil, fmt.Errorf("%s: %w", at.path(), errNoDir)
	}
	l.dir, l.folder = dir, at
	return at, nil
}

// put makes m what is at a name in a folder.
func (l *layering) put(dir *node, name string, m *meta) *node {
	n := dir.kids[name]
	if n == nil {
		if dir.kids == nil {
			dir.kids = map[string]*node{}
		}
		n = &node{name: strings.Clone(name), parent: dir, meta: m}
		dir.kids[n.name] = n
		m.names++
		l.note(n, Added, nil)
		return n
	}
	old := n.meta
	n.dead = false
	if m == old {
		return n // linked to itself
	}
	if old.mode.IsDir() && m.mode.IsDir() && old.mode == m.mode && old.uid == m.uid && old.gid == m.gid {
		if old.implied {
			m.layer, n.meta = old.layer, m
		}
		return n // listed for what is in it
	}
	if !m.mode.IsDir() {
		l.markKids(n)
	}
	if l.folder != nil && !m.mode.IsDir() {
		l.folder = nil // it may have been on the way
	}
	n.meta = m
	m.names++
	l.note(n, Changed, old)
	l.release(old, n, m)
	return n
}

// bury takes out of the tree what stayed marked.
func (l *layering) bury() {
	for _, n := range l.dead {
		if !n.dead || n.parent.kids[n.name] != n {
			continue
		}
		delete(n.parent.kids, n.name)
		l.note(n, Deleted, n.meta)
		l.release(n.meta, n, nil)
	}
	l.count()
}
