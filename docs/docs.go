// Package docs makes the reference pages from what the program knows of itself:
// the modules' structs and the functions' descriptions. The pages in this folder
// are its output; a test fails when they are stale.
package docs

import (
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
)

// Module is the reference page of one module, in Markdown.
func Module(e module.Entry) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s\n\n", e.Name, e.Summary)
	fmt.Fprintf(&b, "Works on: %s.", strings.Join(e.On, ", "))
	if e.ReadOnly {
		b.WriteString(" Only looks; may be used in playbooks.")
	}
	if e.Outward {
		b.WriteString(" Changes the site in a way that others notice; plans mark it.")
	}
	b.WriteString("\n\n")
	if doc := strings.TrimSpace(e.Doc); doc != "" {
		b.WriteString(doc + "\n\n")
	}
	fmt.Fprintf(&b, "```hcl\n%s\n```\n\n", strings.TrimSpace(e.Example))
	b.WriteString(e.Markdown())
	return b.String()
}

// Index lists every module with its summary.
func Index(reg *module.Registry) string {
	var b strings.Builder
	b.WriteString("# Modules\n\n| module | |\n| --- | --- |\n")
	for _, name := range reg.Names() {
		e, _ := reg.Lookup(name)
		fmt.Fprintf(&b, "| [%s](modules/%s.md) | %s |\n", name, name, e.Summary)
	}
	return b.String()
}

// Functions lists every function of the runbook language, by category.
func Functions() string {
	var b strings.Builder
	b.WriteString("# Functions\n")
	var categories []string
	byCategory := map[string][]lang.FunctionDoc{}
	for _, f := range lang.FunctionDocs() {
		if _, seen := byCategory[f.Category]; !seen {
			categories = append(categories, f.Category)
		}
		byCategory[f.Category] = append(byCategory[f.Category], f)
	}
	for _, c := range categories {
		fmt.Fprintf(&b, "\n## %s\n\n| function | |\n| --- | --- |\n", c)
		for _, f := range byCategory[c] {
			fmt.Fprintf(&b, "| `%s` | %s |\n", f.Signature, strings.ReplaceAll(f.Description, "|", `\|`))
		}
	}
	return b.String()
}
