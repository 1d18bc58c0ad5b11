package lang

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
)

// folder writes files and gives the folder that holds them.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644))
	}
	return dir
}

// load loads a runbook of one file that must have no faults.
func load(t testing.TB, text string, change ...func(*Options)) *Runbook {
	t.Helper()
	o := Options{Registry: modules, LookupEnv: noEnv}
	for _, c := range change {
		c(&o)
	}
	r, diags := Load(filepath.Join(folder(t, map[string]string{"main.hcl": text}), "main.hcl"), o)
	noFaults(t, diags)
	return r
}

func noFaults(t testing.TB, diags hcl.Diagnostics) {
	t.Helper()
	for _, d := range diags {
		t.Error(d.Error())
	}
	require.False(t, diags.HasErrors())
}

func TestAFolderIsOneRunbookInTheOrderOfItsFiles(t *testing.T) {
	dir := folder(t, map[string]string{
		"b.hcl":    `step "host.file" "second" { path = step.first.path }`,
		"a.hcl":    `step "host.file" "first" { path = var.path }` + "\n" + `variable "path" {}`,
		"site.hcl": `path = "/etc/x"`,
		"c.txt":    "not for us",
	})
	site := filepath.Join(dir, "site.hcl")
	r, diags := Load(dir, Options{Registry: modules, LookupEnv: noEnv, VarFiles: []string{site}})
	noFaults(t, diags)
	require.Equal(t, filepath.Base(dir), r.Name)
	require.Equal(t, dir, r.Dir)
	require.Len(t, r.Steps, 2)
	require.Equal(t, "first", r.Steps[0].Name)
	require.Equal(t, []Need{{Step: "first"}}, r.Step("second").Needs)
	require.Contains(t, r.Sources, site)
	require.Len(t, r.Digest, 64)
}

func TestTheDigestFollowsTheSources(t *testing.T) {
	a := load(t, `step "host.file" "a" { path = "/a" }`)
	same := load(t, `step "host.file" "a" { path = "/a" }`)
	other := load(t, `step "host.file" "a" { path = "/b" }`)
	require.Equal(t, a.Digest, same.Digest)
	require.NotEqual(t, a.Digest, other.Digest)
}

func TestWhatCannotBeReadIsADiagnostic(t *testing.T) {
	for _, path := range []string{filepath.Join(t.TempDir(), "none.hcl"), t.TempDir()} {
		r, diags := Load(path, Options{Registry: modules})
		require.NotNil(t, r)
		require.True(t, diags.HasErrors())
		require.Equal(t, "Cannot read the runbook", diags[0].Summary)
	}
}

func TestAnyBytesLoadWithoutPanic(t *testing.T) {
	for _, text := range []string{"", "\xff\xfe", "step", `step "a"`, `step "host.file" "x" {`, "locals {", "\"", "${", "step \"host.file\" \"x\" {\n path = <<EOT\n", strings.Repeat("{", 5000),
		"step \"x\" \"y\" {}\nstep \"\" \"\" {}\ntarget \"\" \"\" {}\nrunbook {}\nstep {}\n"} {
		dir := folder(t, map[string]string{"main.hcl": text})
		r, _ := Load(dir, Options{Registry: modules, LookupEnv: noEnv})
		require.NotNil(t, r)
	}
}

func TestCommonArgumentsOfSteps(t *testing.T) {
	r := load(t, `
runbook "common" {
  title       = "A title"
  description = "More."
}
variable "patience" { default = "5m" }
step "host.file" "a" {
  path    = "/a"
  timeout = var.patience
  confirm = "Sure about ${var.patience}?"
  retry {
    attempts = 3
    delay    = "2s"
    backoff  = 1.5
  }
  rolling {
    batch        = "25%"
    max_failures = 1
    pause        = "1s"
  }
}
step "host.file" "b" {
  path = "/b"
  rolling { batch = 2 }
}
`)
	require.Equal(t, "common", r.Name)
	require.Equal(t, "A title", r.Title)
	a := r.Step("a")
	require.Equal(t, 5*time.Minute, a.Timeout)
	require.Equal(t, "Sure about 5m?", a.Confirm)
	require.Equal(t, &Retry{Attempts: 3, Delay: 2 * time.Second, Backoff: 1.5}, a.Retry)
	require.Equal(t, &Rolling{Percent: 25, MaxFailures: 1, Pause: time.Second}, a.Rolling)
	require.Equal(t, []int{1, 1, 2, 25}, []int{a.Rolling.Size(1), a.Rolling.Size(7), a.Rolling.Size(8), a.Rolling.Size(100)})
	require.Equal(t, 2, r.Step("b").Rolling.Size(100))
	require.Equal(t, 9, a.ArgRange("timeout").Start.Line)
	require.Equal(t, 12, a.ArgRange("retry.attempts").Start.Line)
	require.Equal(t, a.Range, a.ArgRange("content"))
}

func thousandSteps() string {
	var b strings.Builder
	b.WriteString("variable \"dir\" { default = \"/etc\" }\nlocals { base = \"${var.dir}/x\" }\n")
	b.WriteString("target \"ssh\" \"nodes\" { hosts = [for i in range(50) : \"10.0.0.${i}\"] }\n")
	for i := range 1000 {
		previous := "local.base"
		if i > 0 {
			previous = fmt.Sprintf("step.s%d[host.name].sum", i-1)
		}
		fmt.Fprintf(&b, "step \"host.file\" \"s%d\" {\n  on      = target.nodes\n  path    = \"${local.base}/%d\"\n  content = \"${host.name} ${%s}\"\n  timeout = \"5m\"\n}\n", i, i, previous)
	}
	return b.String()
}

func BenchmarkLoadOfAThousandSteps(b *testing.B) {
	dir := folder(b, map[string]string{"main.hcl": thousandSteps()})
	start := cpu(b)
	for b.Loop() {
		_, diags := Load(dir, Options{Registry: modules, LookupEnv: noEnv})
		noFaults(b, diags)
	}
	b.ReportMetric(float64((cpu(b)-start).Milliseconds())/float64(b.N), "cpu-ms/op")
}

// cpu is the processor time that this process has used, which unlike the time
// on the wall does not depend on what else the machine does.
func cpu(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The aim is 200 ms; the bound here leaves room for slow and busy machines and
// still catches work that grows with the square of the steps.
func TestAThousandStepsLoadSwiftly(t *testing.T) {
	dir := folder(t, map[string]string{"main.hcl": thousandSteps()})
	start := cpu(t)
	r, diags := Load(dir, Options{Registry: modules, LookupEnv: noEnv})
	took := cpu(t) - start
	noFaults(t, diags)
	require.Len(t, r.Steps, 1000)
	require.Less(t, took, time.Second)
}
