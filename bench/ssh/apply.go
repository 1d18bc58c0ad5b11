package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

// site is a runbook of small idempotent steps on every host of a server.
type site struct {
	program string
	book    string
}

// newSite builds the program and writes a runbook with steps steps. The hosts
// share one file system, so each has a folder of its own.
func newSite(r *run, s *conntest.SSHServer, dir string, steps int) *site {
	b := &site{program: filepath.Join(dir, "antdbctl"), book: filepath.Join(dir, "fanout.hcl")}
	if out, err := exec.Command("go", "build", "-o", b.program, "./cmd/antdbctl").CombinedOutput(); err != nil {
		r.Errorf("build antdbctl: %v: %s", err, out)
		r.FailNow()
	}
	var text strings.Builder
	fmt.Fprintf(&text, "runbook \"fanout\" {}\n\ntarget \"ssh\" \"hosts\" {\n  hosts = {\n")
	for _, t := range s.Targets {
		fmt.Fprintf(&text, "    %q = { address = %q, port = %d, user = %q }\n", "h"+t.Address, t.Address, t.Port, t.User)
	}
	fmt.Fprintf(&text, "  }\n  identity    = %q\n  known_hosts = %q\n  ssh_config  = %q\n}\n", s.Key, s.Settings.KnownHosts[0], s.Settings.ConfigFile)
	fmt.Fprintf(&text, "\nstep \"host.directory\" \"dir\" {\n  on   = target.hosts\n  path = \"%s/${host.name}\"\n}\n", dir)
	for n := 1; n < steps; n++ {
		fmt.Fprintf(&text, "\nstep \"host.file\" \"file%d\" {\n  on      = target.hosts\n  after   = [step.dir]\n  path    = \"%s/${host.name}/file%d\"\n  content = \"line of file %d on ${host.name}\\n\"\n  mode    = \"0640\"\n}\n", n, dir, n, n)
	}
	if err := os.WriteFile(b.book, []byte(text.String()), 0o600); err != nil {
		r.Errorf("%v", err)
		r.FailNow()
	}
	return b
}

// apply runs the program once; unchanged says whether it must find nothing to do.
func (b *site) apply(unchanged bool) error {
	cmd := exec.Command(b.program, "apply", b.book, "--auto-approve", "--parallel", "100")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if unchanged && !bytes.Contains(out, []byte("unchanged · proved")) {
		return fmt.Errorf("something was changed: %s", out)
	}
	return nil
}
