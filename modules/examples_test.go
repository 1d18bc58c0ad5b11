package modules

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
)

// around is what examples may refer to without declaring it: the site of the
// guides. Each is added to an example that names it and does not have it.
var around = map[string]string{
	"target.here":      `target "local" "here" {}`,
	"target.nodes":     `target "ssh" "nodes" { hosts = ["10.0.0.11", "10.0.0.12"] }`,
	"target.builder":   `target "docker" "builder" {}`,
	"target.lab":       `target "kubernetes" "lab" { namespace = "pgouser1" }`,
	"target.site":      `target "kubernetes" "site" { namespace = "pgouser1" }`,
	"secret.postgres":  `secret "postgres" { env = "ANTDB_POSTGRES_PASSWORD" }`,
	"secret.testuser":  `secret "testuser" { env = "ANTDB_TESTUSER_PASSWORD" }`,
	"secret.pgo":       `secret "pgo" { env = "PGO_PASSWORD" }`,
	"secret.reporting": `secret "reporting" { env = "ANTDB_REPORTING_PASSWORD" }`,
	"var.pgo_certs":    `variable "pgo_certs" { default = "certs" }`,
	"var.pgouser_file": `variable "pgouser_file" { default = "~/.pgouser" }`,
	"step.antdb":       "step \"image.build\" \"antdb\" {\n  on = target.builder\n  context = \".\"\n  tags = [\"antdb-ha:latest\"]\n}",
	"step.cluster":     "step \"pgo.cluster\" \"cluster\" {\n  on = target.lab\n  name = \"antdb\"\n  image = \"crunchydata/antdb-ha:latest\"\n  api {\n    ca = \"ca.crt\"\n    cert = \"client.crt\"\n    key = \"client.key\"\n  }\n}",
	"step.testuser":    "step \"sql.role\" \"testuser\" {\n  on = step.cluster.primary\n  role = \"testuser\"\n}",
	"step.owner":       "step \"sql.role\" \"owner\" {\n  on = step.cluster.primary\n  role = \"owner\"\n}",
}

// Every example is a runbook that validate accepts: it decodes, its references
// lead somewhere, and its steps run on places that the module works on.
func TestEveryExampleIsAValidRunbook(t *testing.T) {
	each(t, func(t *testing.T, e module.Entry) {
		text := withSite(t, e.Example)
		path := filepath.Join(t.TempDir(), "example.hcl")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		_, diags := lang.Load(path, lang.Options{Registry: Catalogue()})
		for _, d := range diags {
			t.Errorf("%s", d)
		}
		if t.Failed() {
			t.Logf("%s", text)
		}
	})
}

// withSite adds to example what it needs of around, and what that needs.
func withSite(t *testing.T, example string) string {
	t.Helper()
	added := map[string]bool{}
	for text := example; ; {
		file, diags := hclsyntax.ParseConfig([]byte(text), "example.hcl", hcl.InitialPos)
		require.False(t, diags.HasErrors(), "%s", diags)
		body := file.Body.(*hclsyntax.Body)
		before := text
		for _, name := range missing(body) {
			if block, ok := around[name]; ok && !added[name] {
				added[name] = true
				text += "\n" + block + "\n"
			}
		}
		if text == before {
			return text
		}
	}
}

// missing are the "target.x", "step.x" and so on that body names and does not
// declare.
func missing(body *hclsyntax.Body) []string {
	declared := map[string]bool{}
	for _, b := range body.Blocks {
		if len(b.Labels) > 0 {
			declared[b.Type+"."+b.Labels[len(b.Labels)-1]] = true
		}
	}
	var names []string
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		ref, ok := node.(*hclsyntax.ScopeTraversalExpr)
		if !ok || len(ref.Traversal) < 2 {
			return nil
		}
		attr, ok := ref.Traversal[1].(hcl.TraverseAttr)
		root := ref.Traversal.RootName()
		if root == "var" {
			root = "variable"
		}
		if ok && !declared[root+"."+attr.Name] {
			names = append(names, ref.Traversal.RootName()+"."+attr.Name)
		}
		return nil
	})
	return names
}
