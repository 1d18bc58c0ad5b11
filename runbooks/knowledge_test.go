package runbooks_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/modules"
	"github.com/adbsql/antdbctl/runbooks"
)

func TestTheKnowledgeBaseIsSoundAndSpeaksBothLanguages(t *testing.T) {
	book, diags := signature.Load(runbooks.Diagnosis())
	require.Empty(t, diags)
	for _, f := range book.Findings {
		texts := map[string]signature.Text{"title": f.Title, "cause": f.Cause, "check": f.Check, "remedy": f.Remedy}
		for name, text := range texts {
			for language, e := range map[string]hcl.Expression{"en": text.EN, "zh": text.ZH} {
				require.NotNil(t, e, "%s has no %s in %s", f.ID, name, language)
			}
		}
	}
}

// values are what a finding and a site give fixes.
var values = map[string]string{
	"nodes":      `{ node1 = { address = "10.0.0.11" }, node2 = { address = "10.0.0.12" } }`,
	"ssh_config": `"/run/lab/ssh_config"`, "ssh_identity": `"/run/lab/id_ed25519"`, "known_hosts": `"/run/lab/known_hosts"`,
	"docker_host": `"unix:///run/lab/docker.sock"`, "kubeconfig": `"/run/lab/kubeconfig"`,
	"pgo_url": `"https://10.96.0.10:8443"`, "pgo_certs": `"/run/lab/pgo"`, "pgouser_file": `"/run/lab/pgo/pgouser"`,
	"namespace": `"pgouser1"`, "cluster": `"antdb"`, "image": `"crunchydata/antdb-ha:4.1"`,
	"at": `"node2"`, "node": `"node2"`, "path": `"/data/pv1"`, "claim": `"antdb"`,
	"pod": `"antdb-74677dd9c4-7gjq7"`, "deployment": `"antdb"`, "member": `"antdb-kxnq-6d8c4f7b5d-2wz8m"`,
	"record": `"antdb-config"`, "user": `"testuser"`, "secret_name": `"antdb-testuser-secret"`,
}

var variable = regexp.MustCompile(`(?m)^variable "(\w+)"`)

// fix loads a fix with the values it declares, others besides.
func fix(t *testing.T, path, others string) hcl.Diagnostics {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	site := others
	for _, m := range variable.FindAllStringSubmatch(string(text), -1) {
		if value, ok := values[m[1]]; ok && !strings.Contains(others, m[1]+" =") {
			site += m[1] + " = " + value + "\n"
		}
	}
	file := filepath.Join(t.TempDir(), "site.hcl")
	require.NoError(t, os.WriteFile(file, []byte(site), 0o600))
	_, diags := lang.Load(path, lang.Options{Registry: modules.Catalogue(), VarFiles: []string{file}})
	return diags
}

func TestFixesAreValidWithWhatAFindingGivesThem(t *testing.T) {
	paths, err := filepath.Glob("diagnosis/fixes/*.hcl")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { require.Empty(t, fix(t, path, "")) })
	}
	require.Empty(t, fix(t, "diagnosis/fixes/image-missing.hcl", "source_node = \"node1\"\n"), "from a node that has the image")
	require.Empty(t, fix(t, "diagnosis/fixes/pull-policy.hcl", "generation = \"5\"\n"), "of PGO 5")
}

func TestAFolderOfTheSystemIsNoVolume(t *testing.T) {
	for _, path := range []string{"/", "/etc", "/etc/ssh", "/usr/lib", "/var/lib/kubelet", "data"} {
		require.NotEmpty(t, fix(t, "diagnosis/fixes/volume-owner.hcl", "path = \""+path+"\"\n"), path)
	}
}
