package live_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
)

// outcome is a run of the program: its verdicts, the last of them last.
type outcome struct {
	code     int
	verdicts []event.Verdict
	fixed    *event.FixFinished
	text     string
	took     time.Duration
}

// diagnose runs `antdbctl diagnose` on the runbook.
func (l *lab) diagnose(args ...string) outcome {
	l.t.Helper()
	return l.run(slices.Concat([]string{"diagnose", l.book, "--json", "--budget", "30s", "--var-file", filepath.Join(l.dir, "site.hcl")}, l.vars, args)...)
}

func (l *lab) run(args ...string) outcome {
	l.t.Helper()
	cmd := exec.Command(l.program, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	start := time.Now()
	_ = cmd.Run() // the exit code says it
	o := outcome{code: cmd.ProcessState.ExitCode(), text: out.String() + complaints.String(), took: time.Since(start)}
	for line := range bytes.Lines(out.Bytes()) {
		var e event.Envelope
		require.NoError(l.t, json.Unmarshal(line, &e), string(line))
		switch e := e.Event.(type) {
		case event.Verdict:
			o.verdicts = append(o.verdicts, e)
		case event.FixFinished:
			o.fixed = &e
		}
	}
	require.NotEmpty(l.t, o.verdicts, o.text)
	return o
}

// causes are those of the first verdict that are about a cluster of the test's,
// or about no cluster: others may use the lab, too.
func (o outcome) causes(cluster string) []diagnosis.Finding {
	return slices.DeleteFunc(slices.Clone(o.verdicts[0].Causes), func(f diagnosis.Finding) bool {
		return len(f.Places) > 0 && !slices.ContainsFunc(f.Places, func(p evidence.Place) bool {
			return p.Cluster == cluster || p.Cluster == "" && (p.Pod == "" || strings.HasPrefix(p.Pod, cluster) || p.Namespace == "pgo")
		})
	})
}

// tell writes what an operator reads.
func tell(findings []diagnosis.Finding) string {
	var out strings.Builder
	for _, f := range findings {
		out.WriteString(f.ID + " " + string(f.Confidence) + ": " + f.Title + " — " + f.Cause + "\n")
		for _, q := range f.Evidence {
			out.WriteString("    | " + q.Where + ": " + q.Text + "\n")
		}
		for _, s := range f.Symptoms {
			out.WriteString("    explains " + s.ID + " " + s.Title + "\n")
		}
		if f.Fix != nil {
			out.WriteString("    fix " + f.Fix.Runbook + "\n")
		}
	}
	return out.String()
}
