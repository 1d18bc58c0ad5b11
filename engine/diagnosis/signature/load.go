package signature

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Shipped is what diagnostics call the folder of the knowledge base that comes
// with the program.
const Shipped = "runbooks/diagnosis"

// largestFile bounds what is read of one file.
const largestFile = 4 << 20

// source is one file of signatures.
type source struct {
	name string // in diagnostics
	text []byte
	// fix is the path of a runbook that was given relative to this file, and
	// whether there is such a file.
	fix func(runbook string) (string, bool)
}

// Load reads the signatures at the root of shipped (which may be nil) and those
// of more, files and folders of the user's. All faults are reported at once. A
// finding at fault is left out of the book, and so is a file that cannot be
// read; the rest works. Two faults cost less than the finding: an unknown ID in
// explains, and a fix that is not there.
func Load(shipped fs.FS, more ...string) (*Book, hcl.Diagnostics) {
	l := &loader{book: &Book{Sources: map[string]*hcl.File{}}, declared: map[string]hcl.Range{}, kinds: map[string]bool{}}
	if shipped != nil {
		l.shipped(shipped)
	}
	for _, p := range more {
		l.user(p)
	}
	l.checkExplains()
	for kind := range l.kinds {
		l.book.Kinds = append(l.book.Kinds, kind)
	}
	slices.Sort(l.book.Kinds)
	return l.book, sorted(l.diags)
}

type loader struct {
	book     *Book
	diags    hcl.Diagnostics
	declared map[string]hcl.Range // IDs, also of findings at fault
	explains []reference
	lost     bool // a finding whose ID nobody knows was lost to a fault of syntax
	kinds    map[string]bool
}

// reference is an ID that a finding says it explains.
type reference struct {
	finding *Finding
	id      string
	at      hcl.Range
}

func (l *loader) shipped(fsys fs.FS) {
	names, err := fs.Glob(fsys, "*.hcl")
	if err != nil {
		l.fail(Shipped, err)
		return
	}
	for _, name := range names {
		text, err := fs.ReadFile(fsys, name)
		if err != nil {
			l.fail(path.Join(Shipped, name), err)
			continue
		}
		l.file(source{path.Join(Shipped, name), text, func(runbook string) (string, bool) {
			info, err := fs.Stat(fsys, path.Clean(runbook))
			return path.Clean(runbook), err == nil && info.Mode().IsRegular()
		}})
	}
}

// user reads a file, or all files *.hcl of a folder.
func (l *loader) user(name string) {
	info, err := os.Stat(name)
	if err != nil {
		l.fail(name, err)
		return
	}
	if !info.IsDir() {
		l.userFile(name)
		return
	}
	entries, err := os.ReadDir(name)
	if err != nil {
		l.fail(name, err)
	}
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ".hcl") {
			l.userFile(filepath.Join(name, e.Name()))
		}
	}
}

func (l *loader) userFile(name string) {
	text, err := readFile(name)
	if err != nil {
		l.fail(name, err)
		return
	}
	l.file(source{name, text, func(runbook string) (string, bool) {
		if !filepath.IsAbs(runbook) {
			runbook = filepath.Join(filepath.Dir(name), runbook)
		}
		if abs, err := filepath.Abs(runbook); err == nil {
			runbook = abs
		}
		info, err := os.Stat(runbook)
		return runbook, err == nil && info.Mode().IsRegular()
	}})
}

func readFile(name string) ([]byte, error) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > largestFile:
		return nil, errors.New("it is larger than 4 MiB")
	}
	return os.ReadFile(name)
}

func (l *loader) fail(name string, err error) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cannot read signatures",
		Detail: fmt.Sprintf("%s is left out: %s.", name, err)})
}

func (l *loader) file(src source) {
	body, text, diags := parse(src.name, src.text)
	l.diags = append(l.diags, diags...)
	l.book.Sources[src.name] = &hcl.File{Body: body, Bytes: src.text}
	l.lost = l.lost || text
	for _, attr := range body.Attributes {
		l.fault(attr.NameRange, "Argument outside of a finding", "A file of signatures has finding blocks only.")
	}
	for _, block := range body.Blocks {
		if block.Type != "finding" {
			l.fault(block.DefRange(), "Unsupported block type", "A file of signatures has finding blocks only, not %q.", block.Type)
			continue
		}
		l.finding(src, block)
	}
}

// finding decodes one finding and adds it to the book when it is sound.
func (l *loader) finding(src source, block *hclsyntax.Block) {
	if len(block.Labels) != 1 || block.Labels[0] == "" {
		l.fault(block.DefRange(), "A finding has one label", "The label is its ID, such as \"G-40\".")
		return
	}
	id := block.Labels[0]
	if first, taken := l.declared[id]; taken {
		l.fault(block.DefRange(), "Duplicate finding", "%s is declared already, in %s line %d; this one is left out.", id, first.Filename, first.Start.Line)
		return
	}
	l.declared[id] = block.DefRange()
	d := &decoder{source: src, finding: &Finding{ID: id, Range: block.DefRange()}, kinds: map[string]bool{}}
	sound := d.decode(block)
	l.diags = append(l.diags, d.diags...)
	if !sound {
		return
	}
	l.explains = append(l.explains, d.explains...)
	for kind := range d.kinds {
		l.kinds[kind] = true
	}
	l.book.Findings = append(l.book.Findings, d.finding)
}

// checkExplains resolves the references once all IDs are known.
func (l *loader) checkExplains() {
	var ids []string
	for id := range l.declared {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, ref := range l.explains {
		if _, known := l.declared[ref.id]; !known {
			if !l.lost {
				l.fault(ref.at, "Unknown finding", "There is no finding %q.%s", ref.id, didYouMean(ref.id, ids))
			}
			continue
		}
		ref.finding.Explains = append(ref.finding.Explains, ref.id)
	}
}

func (l *loader) fault(at hcl.Range, summary, detail string, args ...any) {
	l.diags = append(l.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at})
}

// sorted orders diagnostics by place, without repetitions.
func sorted(diags hcl.Diagnostics) hcl.Diagnostics {
	var kept hcl.Diagnostics
	seen := map[string]bool{}
	for _, d := range diags {
		if key := fmt.Sprintf("%s|%s|%v", d.Summary, d.Detail, d.Subject); !seen[key] {
			seen[key] = true
			kept = append(kept, d)
		}
	}
	slices.SortStableFunc(kept, func(a, b *hcl.Diagnostic) int {
		switch {
		case a.Subject == nil || b.Subject == nil:
			return boolToInt(b.Subject == nil) - boolToInt(a.Subject == nil)
		case a.Subject.Filename != b.Subject.Filename:
			return strings.Compare(a.Subject.Filename, b.Subject.Filename)
		}
		return a.Subject.Start.Byte - b.Subject.Start.Byte
	})
	return kept
}

func boolToInt(b bool) int {
	if b {
		return 1
	}
	return 0
}
