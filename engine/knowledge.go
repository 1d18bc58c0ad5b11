package engine

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// Knowledge is what is known of causes, and how they are taken away.
type Knowledge struct {
	Book *signature.Book

	own fs.FS // holds the fixes whose path is relative
}

// LoadKnowledge reads the signatures of own, and those of the user in files and
// folders: a file of the user's replaces own's of the same name. What cannot be
// read is told, and the rest works.
func LoadKnowledge(own fs.FS, paths []string) (*Knowledge, hcl.Diagnostics) {
	hidden := map[string]bool{}
	for _, p := range paths {
		hidden[filepath.Base(p)] = strings.HasSuffix(p, ".hcl")
		inside, _ := filepath.Glob(filepath.Join(p, "*.hcl")) // a folder that cannot be read is told of below
		for _, file := range inside {
			hidden[filepath.Base(file)] = true
		}
	}
	book, diags := signature.Load(without{own, hidden}, paths...)
	return &Knowledge{Book: book, own: own}, diags
}

// sources are the texts of the signatures, by the name that diagnostics use.
func (k *Knowledge) sources() map[string][]byte {
	texts := map[string][]byte{}
	for name, file := range k.Book.Sources {
		texts[name] = file.Bytes
	}
	return texts
}

// has reports whether there is a finding of this ID.
func (k *Knowledge) has(id string) bool {
	return slices.ContainsFunc(k.Book.Findings, func(f *signature.Finding) bool { return strings.EqualFold(f.ID, id) })
}

// file gives the runbook of a fix as a file, and what removes it again where it
// was made for this.
func (k *Knowledge) file(c cure) (name string, remove func(), err error) {
	name = c.fix.Runbook
	if filepath.IsAbs(name) {
		return name, func() {}, nil
	}
	text, err := fs.ReadFile(k.own, path.Clean(name))
	if err != nil {
		return "", nil, fmt.Errorf("the fix of %s: %w", c.finding, err)
	}
	dir, err := os.MkdirTemp("", "antdbctl-fix-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) } // it holds nothing but a copy
	name = filepath.Join(dir, path.Base(name))
	if err := os.WriteFile(name, text, 0o600); err != nil {
		remove()
		return "", nil, err
	}
	return name, remove, nil
}

// without is a folder some of whose files are not seen.
type without struct {
	fs.FS
	hidden map[string]bool
}

// ReadDir implements fs.ReadDirFS.
func (w without) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	if name == "." {
		entries = slices.DeleteFunc(slices.Clone(entries), func(e fs.DirEntry) bool { return w.hidden[e.Name()] })
	}
	return entries, err
}
