package rootfs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"slices"
	"strings"
)

// Why says for what reason bytes of a layer are wasted.
type Why string

const (
	WasDeleted     Why = "deleted"     // by a later layer, which cannot shrink this one
	WasOverwritten Why = "overwritten" // with other content
	WasRewritten   Why = "rewritten"   // with the same content: chown and chmod do that
	IsCopy         Why = "copy"        // of a file that is there, too
)

// Waste is a file whose bytes every node stores and nobody needs.
type Waste struct {
	Path  string
	Size  int64
	Why   Why
	Layer int    // where the bytes lie
	By    int    // layer that deleted or overwrote it; Layer itself for a copy
	Same  string // another path with the same content, if there is one
}

// Wasted is all waste of an image.
type Wasted struct {
	Bytes  int64
	Layers []int64 // bytes by layer
	Files  []Waste // the largest first
}

// smallest is from where on equal files are looked for: reading all the small
// ones takes longer than they are worth.
const smallest = 4 << 10

// Waste tells what could be left out of the image. To find equal files it reads
// those that have their size in common; progress may be nil.
func (t *Tree) Waste(ctx context.Context, progress func(done, total int64)) (*Wasted, error) {
	all := t.contents()
	sums, err := t.sums(ctx, twins(all), progress)
	if err != nil {
		return nil, err
	}
	out := &Wasted{Layers: make([]int64, len(t.Layers)), Files: t.judge(all, sums)}
	for _, w := range out.Files {
		out.Bytes += w.Size
		out.Layers[w.Layer] += w.Size
	}
	return out, nil
}

// content is one copy of a file's bytes in a layer. It is lost when no path
// leads to it.
type content struct {
	*meta
	node *node
	lost *lost
}

// contents are all copies in the order in which they lie.
func (t *Tree) contents() []content {
	var out []content
	for i, l := range t.lost {
		if l.now != nil && l.now.offset == l.meta.offset && t.Layers[l.now.layer].Digest == t.Layers[l.meta.layer].Digest {
			continue // the same layer once more, which engines store once
		}
		out = append(out, content{l.meta, l.node, &t.lost[i]})
	}
	linked := map[*meta]bool{}
	t.root.visit(func(n *node) {
		m := n.meta
		if !m.mode.IsRegular() || m.size == 0 || m.sparse || linked[m] {
			return
		}
		if m.names > 1 {
			linked[m] = true
		}
		out = append(out, content{m, n, nil})
	})
	slices.SortFunc(out, func(a, b content) int {
		return cmp.Or(a.layer-b.layer, cmp.Compare(a.offset, b.offset))
	})
	return out
}

// visit calls fn for everything below n, by name.
func (n *node) visit(fn func(*node)) {
	for _, k := range n.sorted() {
		fn(k)
		k.visit(fn)
	}
}

// twins are the contents that may equal another.
func twins(all []content) []content {
	count := map[int64]int{}
	for _, c := range all {
		count[c.size]++
	}
	var out []content
	for _, c := range all {
		if c.size >= smallest && count[c.size] > 1 {
			out = append(out, c)
		}
	}
	return out
}

type sum = [sha256.Size]byte

// sums are the checksums of contents, which lie in order.
func (t *Tree) sums(ctx context.Context, list []content, progress func(done, total int64)) (map[*meta]sum, error) {
	var done, total int64
	for _, c := range list {
		total += c.size
	}
	out := make(map[*meta]sum, len(list))
	h, buf := sha256.New(), make([]byte, 256<<10)
	for len(list) > 0 {
		n := list[0].layer
		layer, err := t.from.OpenLayer(n, false)
		if err != nil {
			return nil, err
		}
		for ; len(list) > 0 && list[0].layer == n; list = list[1:] {
			m := list[0].meta
			if err := errors.Join(ctx.Err(), digest(h, layer, m, buf)); err != nil {
				_ = layer.Close()
				return nil, err
			}
			out[m] = sum(h.Sum(nil))
			if done += m.size; progress != nil {
				progress(done, total)
			}
		}
		if err := layer.Close(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func digest(h hash.Hash, layer io.ReaderAt, m *meta, buf []byte) error {
	h.Reset()
	_, err := io.CopyBuffer(h, onlyReader{io.NewSectionReader(layer, m.offset, m.size)}, buf)
	return err
}

// onlyReader keeps io.CopyBuffer to its buffer.
type onlyReader struct{ io.Reader }

// judge tells which contents are wasted, the largest first.
func (t *Tree) judge(all []content, sums map[*meta]sum) []Waste {
	kept := map[sum]*node{} // the lowest copy that a path leads to
	for _, c := range all {
		if s, ok := sums[c.meta]; ok && c.lost == nil && kept[s] == nil {
			kept[s] = c.node
		}
	}
	var out []Waste
	for _, c := range all {
		s, hashed := sums[c.meta]
		w := Waste{Path: c.node.path(), Size: c.size, Layer: c.layer, By: c.layer}
		if twin := kept[s]; hashed && twin != nil && twin != c.node {
			w.Same = twin.path()
		}
		switch {
		case c.lost != nil:
			w.By, w.Why = c.lost.by, WasOverwritten
			if c.lost.now == nil {
				w.Why = WasDeleted
			} else if now, ok := sums[c.lost.now]; ok && hashed && now == s {
				w.Why = WasRewritten
			}
		case w.Same != "":
			w.Why = IsCopy
		default:
			continue
		}
		out = append(out, w)
	}
	slices.SortStableFunc(out, func(a, b Waste) int {
		return cmp.Or(cmp.Compare(b.Size, a.Size), strings.Compare(a.Path, b.Path), a.Layer-b.Layer)
	})
	return out
}
