// Package site describes the running lab to antdbctl: a var-file with everything a runbook asks for.
package site

import (
	"fmt"
	"os"
	"strings"

	"github.com/adbsql/antdbctl/lab/layout"
)

// Site is what a runbook needs to know of the lab. Secrets are named by file, never by value.
type Site struct {
	SSHConfig, SSHIdentity, KnownHosts string
	PGOURL, PGOCerts, PGOUserFile      string // empty while there is no operator
}

// Path is where the var-file is.
func Path(lab layout.Lab) string { return lab.In("site.hcl") }

// Write writes the var-file.
func (s Site) Write(lab layout.Lab) error {
	var out strings.Builder
	out.WriteString("# Written by `lab up`. Use: antdbctl apply RUNBOOK --var-file THIS_FILE\n\n")
	assign := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&out, "%-13s = %q\n", name, value)
		}
	}
	assign("docker_host", "unix://"+lab.DockerSocket())
	assign("kubeconfig", lab.Kubeconfig())
	assign("ssh_config", s.SSHConfig)
	assign("ssh_identity", s.SSHIdentity)
	assign("known_hosts", s.KnownHosts)
	assign("pgo_url", s.PGOURL)
	assign("pgo_certs", s.PGOCerts)
	assign("pgouser_file", s.PGOUserFile)
	out.WriteString("\nnodes = {\n")
	for _, n := range lab.All() {
		labels := `"k8s"`
		if n.Docker {
			labels += `, "docker"`
		}
		fmt.Fprintf(&out, "  %s = { address = %q, port = 22, labels = [%s] }\n", n.Name, n.IP, labels)
	}
	out.WriteString("}\n")
	part := Path(lab) + ".part"
	if err := os.WriteFile(part, []byte(out.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(part, Path(lab))
}
