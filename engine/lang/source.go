package lang

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// read parses the file at path, or every *.hcl file in the folder at path
// except those that are given as files of variables.
func (r *Runbook) read(path string, o Options) ([]*hclsyntax.Body, hcl.Diagnostics) {
	files, err := runbookFiles(path, o.VarFiles)
	if err != nil {
		return nil, fault(nil, "Cannot read the runbook", "%s.", err)
	}
	r.Dir, r.Name = filepath.Dir(path), strings.TrimSuffix(filepath.Base(path), ".hcl")
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		r.Dir = path
	}
	if abs, err := filepath.Abs(r.Dir); err == nil {
		r.Dir = abs
		if r.Name == "." || r.Name == ".." {
			r.Name = filepath.Base(abs)
		}
	}
	if o.Dir != "" {
		r.Dir = o.Dir
	}
	cwd, _ := os.Getwd() // without one, path.cwd is empty
	r.pathValue = cty.ObjectVal(map[string]cty.Value{"runbook": cty.StringVal(r.Dir), "cwd": cty.StringVal(cwd)})
	r.functions = functionsIn(r.Dir)

	var diags hcl.Diagnostics
	var bodies []*hclsyntax.Body
	sum := sha256.New()
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			diags = append(diags, fault(nil, "Cannot read the runbook", "%s.", err)...)
			continue
		}
		r.Sources[name] = text
		fmt.Fprintf(sum, "%s %d\n", filepath.Base(name), len(text))
		sum.Write(text)
		body, more := r.parse(name, text)
		diags = append(diags, more...)
		bodies = append(bodies, body)
	}
	r.Digest = hex.EncodeToString(sum.Sum(nil))
	return bodies, diags
}

// runbookFiles lists the sources of the runbook at path, sorted.
func runbookFiles(path string, varFiles []string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	found, err := filepath.Glob(filepath.Join(escapeGlob(path), "*.hcl"))
	if err != nil {
		return nil, err
	}
	skip := map[string]bool{}
	for _, f := range varFiles {
		skip[filepath.Clean(f)] = true
	}
	var files []string
	for _, f := range found {
		if !skip[filepath.Clean(f)] && !strings.HasPrefix(filepath.Base(f), ".") {
			files = append(files, f)
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the folder %s holds no *.hcl file", path)
	}
	return files, nil
}

func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
