package lang

import (
	"errors"
	"fmt"
	"path/filepath"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// fault is one error diagnostic.
func fault(at *hcl.Range, summary, detail string, args ...any) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: at}}
}

// place names a position for people: "main.hcl line 7".
func place(r hcl.Range) string {
	return fmt.Sprintf("%s line %d", filepath.Base(r.Filename), r.Start.Line)
}

// tidy sorts diagnostics by source position and drops repetitions.
func tidy(diags hcl.Diagnostics) hcl.Diagnostics {
	var kept hcl.Diagnostics
	seen := map[string]bool{}
	for _, d := range diags {
		key := fmt.Sprintf("%d|%s|%s|%v", d.Severity, d.Summary, d.Detail, d.Subject)
		if !seen[key] {
			seen[key] = true
			kept = append(kept, d)
		}
	}
	sort.SliceStable(kept, func(i, j int) bool { return before(kept[i].Subject, kept[j].Subject) })
	return kept
}

func before(a, b *hcl.Range) bool {
	switch {
	case a == nil || b == nil:
		return a == nil && b != nil
	case a.Filename != b.Filename:
		return a.Filename < b.Filename
	}
	return a.Start.Byte < b.Start.Byte
}

// outside keeps those of diags that point at no place that known already
// complains about: one fault is one message.
func outside(diags, known hcl.Diagnostics) hcl.Diagnostics {
	if len(diags) == 0 || len(known) == 0 {
		return diags
	}
	var kept hcl.Diagnostics
	for _, d := range diags {
		if !overlapsAny(d.Subject, known) {
			kept = append(kept, d)
		}
	}
	return kept
}

func overlapsAny(at *hcl.Range, known hcl.Diagnostics) bool {
	if at == nil {
		return false
	}
	for _, k := range known {
		if k.Subject == nil || k.Subject.Filename != at.Filename {
			continue
		}
		if at.Start.Byte < k.Subject.End.Byte && k.Subject.Start.Byte < at.End.Byte {
			return true
		}
	}
	return false
}

// reason is why a value does not convert, with the place in the value.
func reason(err error) string {
	var at cty.PathError
	if !errors.As(err, &at) || len(at.Path) == 0 {
		return err.Error()
	}
	var b strings.Builder
	for _, step := range at.Path {
		switch s := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + s.Name)
		case cty.IndexStep:
			b.WriteString("[" + show(s.Key) + "]")
		}
	}
	return strings.TrimPrefix(b.String(), ".") + ": " + err.Error()
}

func stringOf(v cty.Value) (string, error) {
	v, err := known(v, cty.String)
	if err != nil {
		return "", err
	}
	return v.AsString(), nil
}

func boolOf(v cty.Value) (bool, error) {
	v, err := known(v, cty.Bool)
	return err == nil && v.True(), err
}

// known converts v to a type and insists on a value.
func known(v cty.Value, t cty.Type) (cty.Value, error) {
	v, err := convert.Convert(v, t)
	switch {
	case err != nil:
		return cty.NilVal, err
	case v.IsNull():
		return cty.NilVal, fmt.Errorf("the value is null")
	case !v.IsWhollyKnown():
		return cty.NilVal, fmt.Errorf("the value is not known yet")
	}
	return v, nil
}
