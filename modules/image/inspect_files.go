package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/adbsql/antdbctl/modules/image/elf"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// Found is what an image has at a path.
type Found struct {
	Exists bool   `cty:"exists" json:"exists"`
	Type   string `cty:"type" json:"type"`
	Size   int64  `cty:"size" json:"size"`
	Mode   string `cty:"mode" json:"mode"`
	UID    int    `cty:"uid" json:"uid"`
	GID    int    `cty:"gid" json:"gid"`
	Path   string `cty:"path" json:"path"`
	Layer  int    `cty:"layer" json:"layer"`
}

func find(t *rootfs.Tree, p string) Found {
	e, ok := t.Stat(p)
	if !ok {
		return Found{}
	}
	f := Found{Exists: true, Type: "other", Size: e.Size, Mode: e.Octal(), UID: e.UID, GID: e.GID, Path: e.Path, Layer: e.Layer + 1}
	switch {
	case e.IsDir():
		f.Type = "directory"
	case e.Mode.IsRegular():
		f.Type = "file"
	}
	return f
}

// maxText is how much of a file a runbook can hold: its outputs go into plans,
// states and reports.
const maxText = 1 << 20

// texts reads whole text files.
func texts(ctx context.Context, t *rootfs.Tree, paths []string) (map[string]string, error) {
	out := map[string]string{}
	err := t.Each(ctx, paths, func(p string, f *rootfs.File) error {
		if f.Size() > maxText {
			return fmt.Errorf("%s: %s is more than the %s that a runbook holds; `antdbctl image inspect --file` writes files of any size", p, size(f.Size()), size(maxText))
		}
		text, err := io.ReadAll(f)
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		if !utf8.Valid(text) {
			return fmt.Errorf("%s is no text", p)
		}
		out[p] = string(text)
		return nil
	})
	return out, err
}

// Program is what decides whether a program or library of an image can be
// loaded.
type Program struct {
	Kind    string            `cty:"kind" json:"kind"` // program, library, object, core or damaged
	Arch    string            `cty:"arch" json:"arch"`
	Needed  []string          `cty:"needed" json:"needed"`
	Missing []string          `cty:"missing" json:"missing"`
	Glibc   string            `cty:"glibc" json:"glibc"`
	Symbols map[string]string `cty:"symbols" json:"symbols"`
}

// programs tells of the ELF files among paths, and of symbols in files.
func programs(ctx context.Context, t *rootfs.Tree, libraryPath string, paths []string, symbols map[string][]string) (map[string]Program, error) {
	out := map[string]Program{}
	files := &opened{ctx: ctx, tree: t}
	defer files.close()
	loader, err := elf.NewLoader(files, libraryPath)
	if err != nil {
		return nil, err
	}
	asked := slices.Sorted(maps.Keys(symbols))
	for _, p := range paths {
		if e, ok := t.Stat(p); ok && e.Mode.IsRegular() {
			asked = append(asked, p)
		}
	}
	for _, p := range asked {
		o, err := loader.Object(p)
		if err == nil {
			out[p], err = program(loader, o, symbols[p])
		}
		_, must := symbols[p]
		switch {
		case err == nil, !must && errors.Is(err, elf.ErrNotELF):
		case must:
			return nil, fmt.Errorf("%s: %w", p, err)
		default:
			out[p] = Program{Kind: "damaged", Needed: []string{}, Missing: []string{err.Error()}, Symbols: map[string]string{}}
		}
	}
	return out, nil
}

func program(loader *elf.Loader, o *elf.Object, symbols []string) (Program, error) {
	p := Program{
		Kind: o.Kind, Arch: o.Arch, Needed: append([]string{}, o.Needed...), Missing: []string{},
		Glibc: o.Wanted("GLIBC"), Symbols: map[string]string{},
	}
	for _, fault := range loader.Load(o, nil).Faults {
		p.Missing = append(p.Missing, fault.String())
	}
	imports, err := o.Imports()
	if err != nil {
		return p, err
	}
	for _, name := range symbols {
		defined, err := o.Exports(name)
		switch {
		case err != nil:
			return p, err
		case defined:
			p.Symbols[name] = "defined"
		case slices.ContainsFunc(imports, func(s elf.Symbol) bool { return s.Name == name }):
			p.Symbols[name] = "wanted"
		default:
			p.Symbols[name] = "none"
		}
	}
	return p, nil
}

// opened is an image's tree as the loader sees it. Its files stay open until
// the loader has done.
type opened struct {
	ctx  context.Context
	tree *rootfs.Tree
	list []*rootfs.File
}

func (o *opened) Open(name string) (io.ReaderAt, string, error) {
	f, err := o.tree.Open(o.ctx, name)
	if err != nil {
		return nil, "", err
	}
	o.list = append(o.list, f)
	return f, f.Entry.Path, nil
}

func (o *opened) close() error {
	var err error
	for _, f := range o.list {
		err = errors.Join(err, f.Close())
	}
	return err
}
