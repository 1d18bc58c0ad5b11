package engine_test

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	ours = "github.com/adbsql/antdbctl/"
	hcl  = "github.com/hashicorp/hcl/v2/..."
)

// never is the house's table of packages: what each must not import, by itself
// or by way of other packages of ours. "x/..." means x and all below it, "x/*"
// only what is below. Tests are free.
var never = []struct {
	pkg      string
	imports  []string
	directly bool // packages of ours in between may
}{
	{pkg: "engine/secret", imports: []string{"engine/...", "modules/...", "cmd/..."}},
	{pkg: "engine/dag", imports: []string{hcl, "engine/event/..."}},
	{pkg: "engine/diag/...", imports: []string{"engine/conn/..."}},
	{pkg: "engine/state/...", imports: []string{hcl, "engine/conn/..."}},
	{pkg: "engine/event/...", imports: []string{"engine/conn/..."}, directly: true}, // events carry module.Change
	{pkg: "engine/schema", imports: []string{"engine/module/...", "engine/conn/..."}},
	{pkg: "engine/conn/...", imports: []string{hcl, "engine/event/..."}},
	{pkg: "engine/conn/local", imports: []string{"engine/conn/ssh/...", "engine/conn/kube/...", "engine/conn/docker/..."}},
	{pkg: "engine/conn/ssh", imports: []string{"engine/conn/local/...", "engine/conn/kube/...", "engine/conn/docker/..."}},
	{pkg: "engine/conn/kube", imports: []string{"engine/conn/local/...", "engine/conn/ssh/...", "engine/conn/docker/..."}},
	{pkg: "engine/conn/docker", imports: []string{"engine/conn/local/...", "engine/conn/ssh/...", "engine/conn/kube/..."}},
	{pkg: "engine/module/...", imports: []string{"engine/lang/...", "engine"}},
	{pkg: "engine/lang/...", imports: []string{"engine/conn/*", "engine/state/..."}},
	{pkg: "engine/report/...", imports: []string{"engine"}},
	{pkg: "engine/report/...", imports: []string{"engine/conn/..."}, directly: true},
	{pkg: "engine/...", imports: []string{"modules/...", "cmd/..."}},
	{pkg: "modules/...", imports: []string{"engine", "cmd/..."}},
	{pkg: "modules/*", imports: []string{"engine/lang/...", "engine/state/...", "modules"}},
}

// packages maps each package of ours to what it imports, by paths without ours.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Imports", "./...")
	list.Dir = ".."
	list.Stderr = os.Stderr
	out, err := list.Output()
	require.NoError(t, err)
	all := map[string][]string{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
		for i := range p.Imports {
			p.Imports[i] = strings.TrimPrefix(p.Imports[i], ours)
		}
		all[strings.TrimPrefix(p.ImportPath, ours)] = p.Imports
	}
	require.Contains(t, all, "engine/secret")
	return all
}

func matches(pattern, pkg string) bool {
	if base, ok := strings.CutSuffix(pattern, "/..."); ok {
		return pkg == base || strings.HasPrefix(pkg, base+"/")
	}
	if base, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(pkg, base+"/")
	}
	return pkg == pattern
}

// ways gives all that pkg imports, each with the way there.
func ways(all map[string][]string, pkg string, directly bool) map[string][]string {
	found := map[string][]string{}
	var walk func(p string, way []string)
	walk = func(p string, way []string) {
		for _, imported := range all[p] {
			if _, seen := found[imported]; seen {
				continue
			}
			found[imported] = append(slices.Clone(way), imported)
			if !directly {
				walk(imported, found[imported])
			}
		}
	}
	walk(pkg, []string{pkg})
	return found
}

// testOnly packages are written for tests, or measure, and may use what tests use.
func testOnly(pkg string) bool {
	return strings.HasSuffix(path.Base(pkg), "test") || matches("bench/...", pkg)
}

func TestNothingImportsUp(t *testing.T) {
	all := packages(t)
	for pkg := range all {
		if testOnly(pkg) {
			continue
		}
		for _, rule := range never {
			if !matches(rule.pkg, pkg) {
				continue
			}
			for imported, way := range ways(all, pkg, rule.directly) {
				for _, pattern := range rule.imports {
					if matches(pattern, imported) && imported != pkg {
						t.Errorf("%s must never import %s: %s", pkg, imported, strings.Join(way, " → "))
					}
				}
			}
		}
	}
}

func TestFamiliesOfModulesDoNotImportEachOther(t *testing.T) {
	all := packages(t)
	for pkg, imports := range all {
		family, ok := strings.CutPrefix(pkg, "modules/")
		if !ok || testOnly(pkg) {
			continue
		}
		family, _, _ = strings.Cut(family, "/")
		for _, imported := range imports {
			if strings.HasPrefix(imported, "modules/") && !matches("modules/"+family+"/...", imported) {
				t.Errorf("%s must not import %s", pkg, imported)
			}
		}
	}
}

func TestOnlyTestsImportTestPackages(t *testing.T) {
	all := packages(t)
	for pkg, imports := range all {
		for _, imported := range imports {
			if _, isOurs := all[imported]; isOurs && testOnly(imported) && !testOnly(pkg) {
				t.Errorf("%s is for tests, and %s imports it", imported, pkg)
			}
		}
	}
}

func TestNoPackageIsCalledAfterNothing(t *testing.T) {
	for pkg := range packages(t) {
		for _, part := range strings.Split(pkg, "/") {
			require.NotContains(t, []string{"pkg", "internal", "util", "utils", "common", "helper", "helpers", "manager", "misc"}, part, pkg)
		}
	}
}

// Nothing happens by being imported: what there is stands in the catalogue.
func TestNoInitFunctions(t *testing.T) {
	files := 0
	err := filepath.WalkDir("..", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && p != ".." && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || isModule(p)) {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".go" {
			return nil
		}
		files++
		file, err := parser.ParseFile(token.NewFileSet(), p, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function", strings.TrimPrefix(p, "../"))
			}
		}
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, files, 20)
}

// isModule reports whether dir is a Go module of its own.
func isModule(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
