package engine

import (
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/lang"
)

// GraphDOT draws the steps of book and what they need, for Graphviz.
func GraphDOT(book *lang.Runbook) string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n  rankdir = LR;\n  node [shape = box];\n", book.Name)
	for _, st := range book.Steps {
		fmt.Fprintf(&b, "  %q [label = %q];\n", st.Name, st.Name+"\n"+st.Entry.Name)
	}
	for _, st := range book.Steps {
		for _, need := range st.Needs {
			fmt.Fprintf(&b, "  %q -> %q;\n", need.Step, st.Name)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// GraphMermaid draws the same as a Mermaid flowchart.
func GraphMermaid(book *lang.Runbook) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for _, st := range book.Steps {
		fmt.Fprintf(&b, "  %s[\"%s<br/>%s\"]\n", mermaidID(st.Name), st.Name, st.Entry.Name)
	}
	for _, st := range book.Steps {
		for _, need := range st.Needs {
			fmt.Fprintf(&b, "  %s --> %s\n", mermaidID(need.Step), mermaidID(st.Name))
		}
	}
	return b.String()
}

// mermaidID keeps names apart from Mermaid's own words, such as "end".
func mermaidID(name string) string { return "s_" + strings.ReplaceAll(name, "-", "_") }
