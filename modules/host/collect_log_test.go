package host

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// A daemon that a shell started with its output into a file.
func TestCollectFindsTheFileThatAProgramWritesInto(t *testing.T) {
	dir := t.TempDir()
	sleep, err := exec.LookPath("sleep")
	require.NoError(t, err)
	program, err := os.ReadFile(sleep)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(dir+"/crio-of-test", program, 0o755))
	out, err := os.Create(dir + "/out.log")
	require.NoError(t, err)
	defer out.Close()
	_, err = out.WriteString(strings.Repeat("an old line\n", 1000) + "level=error msg=\"no space left on device\"\n")
	require.NoError(t, err)
	daemon := exec.Command(dir+"/crio-of-test", "600")
	daemon.Stderr = out
	require.NoError(t, daemon.Start())
	defer func() { _ = daemon.Process.Kill(); _ = daemon.Wait() }()

	everywhere(t, func(t *testing.T, h conn.Host, _ string) {
		m := evidence.NewMemory(time.Now(), 1<<20)
		c := &Collect{Since: time.Hour, LogLines: 3, LogBytes: 1000}
		require.Eventually(t, func() bool { // the kernel names the process when it is started
			name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", daemon.Process.Pid))
			return err == nil && string(name) == "crio-of-test\n"
		}, 10*time.Second, 10*time.Millisecond)
		c.log(t.Context(), nodeEnv(t, h), m, evidence.Place{Node: "node3"}, nodeLog{kind: evidence.RuntimeLog, name: "runtime", program: "crio-of-test"})
		require.Equal(t, "an old line\nan old line\nlevel=error msg=\"no space left on device\"\n", collected{m, t}.logs()[evidence.RuntimeLog], collected{m, t}.gaps())
	})
}

// What journald keeps, by a journalctl that says what it was asked.
func TestCollectAsksTheJournalForItsEndAlone(t *testing.T) {
	bin := t.TempDir()
	write(t, bin+"/journalctl", "#!/bin/sh\necho \"asked $*\"\n", 0o755)
	c := collect(t, withPath{local.New(), bin + ":" + os.Getenv("PATH")}, Collect{Node: "node7", Since: time.Hour, LogLines: 50, LogBytes: 1000})
	logs := c.logs()
	since := time.Now().Add(-time.Hour).Unix() / 100
	require.Contains(t, logs[evidence.KernelLog], "-k --since @"+fmt.Sprint(since))
	require.Contains(t, logs[evidence.KubeletLog], "-u kubelet.service --since @")
	require.Contains(t, logs[evidence.KubeletLog], "-n 50")
	require.Contains(t, logs[evidence.RuntimeLog], "-u ")
	require.NotContains(t, c.gaps(), "the log of")
}
