package main

import (
	"bytes"
	"crypto/rand"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/lab/fleet"
	"github.com/adbsql/antdbctl/lab/layout"
)

// fleetTestSlot is beside a cluster, a fleet and the other long test.
const fleetTestSlot = 8

// TestFleetUpDown brings a real fleet up, measures its links, kills a node, repairs it, and takes all down again.
func TestFleetUpDown(t *testing.T) {
	if testing.Short() {
		t.Skip("starts containers")
	}
	if os.Geteuid() != 0 {
		t.Skip("the lab needs root")
	}
	lab, err := layout.Locate(sourceFolder())
	require.NoError(t, err)
	lab.Slot, lab.State = fleetTestSlot, "/run/antdbctl-fleet-test"
	require.Zero(t, recallNodes(lab), "a fleet is left in %s from a killed test: ANTDBCTL_LAB_SLOT=%d ANTDBCTL_LAB_DIR=%[1]s lab fleet down", lab.State, lab.Slot)
	prepareTools(t, lab)
	before := tracesOfMachine(t, lab)
	t.Cleanup(func() { _ = run(t, lab, "fleet", "down") })

	require.NoError(t, run(t, lab, "fleet", "up", "--nodes", "2", "--rate", "80mbit"))
	site, err := fleet.Read(lab)
	require.NoError(t, err)
	t.Run("the links have the rate, each way", func(t *testing.T) { testRates(t, site) })
	t.Run("traffic is counted on the links it takes", func(t *testing.T) { testCounts(t, site) })
	t.Run("a killed node comes back with its disk, its rate and its key", func(t *testing.T) {
		onController(t, site, nil, "ssh", "-F", site.SSHConfig, "node2", "echo kept > /var/lib/docker/kept")
		require.NoError(t, run(t, lab, "fleet", "kill", "node2"))
		require.NoError(t, run(t, lab, "fleet", "up", "--rate", "80mbit"))
		require.Equal(t, "kept\n", onController(t, site, nil, "ssh", "-F", site.SSHConfig, "node2", "cat /var/lib/docker/kept"))
		testRates(t, site)
	})
	t.Run("a paused node goes on", func(t *testing.T) {
		require.NoError(t, run(t, lab, "fleet", "pause", "node2"))
		require.NoError(t, run(t, lab, "fleet", "up", "--rate", "80mbit"))
		require.Equal(t, "kept\n", onController(t, site, nil, "ssh", "-F", site.SSHConfig, "node2", "cat /var/lib/docker/kept"))
	})
	t.Run("links can be as fast as the machine again", func(t *testing.T) {
		require.NoError(t, run(t, lab, "fleet", "up", "--rate", "none"))
		require.NotContains(t, onController(t, site, nil, "tc", "qdisc", "show"), "tbf")
	})
	t.Run("no cluster comes up in its slot", func(t *testing.T) {
		require.ErrorContains(t, run(t, lab, "up"), "a fleet is up")
	})

	stay := exec.Command("nsenter", "--net="+site.Namespace, "--", "sleep", "60")
	require.NoError(t, stay.Start(), "a program that still runs on the controller")
	t.Cleanup(func() { _ = stay.Process.Kill(); _ = stay.Wait() })
	require.NoError(t, run(t, lab, "fleet", "down", "--purge"))
	require.NoDirExists(t, lab.State)
	require.NoDirExists(t, lab.Engine())
	require.Empty(t, leftBehind(before, tracesOfMachine(t, lab)))
	require.NoError(t, run(t, lab, "fleet", "down"), "taking down what is down")
}

// onController runs a command behind the controller's link.
func onController(t *testing.T, site fleet.Site, stdin io.Reader, argv ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "nsenter", append([]string{"--net=" + site.Namespace, "--"}, argv...)...)
	var stderr bytes.Buffer
	cmd.Stdin, cmd.Stderr = stdin, &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	return string(out)
}

const sample = 5_000_000 // bytes; half a second at the test's rate

func testRates(t *testing.T, site fleet.Site) {
	least := time.Duration(float64(sample) * 8 / float64(site.Rate) * 0.9 * float64(time.Second))
	for _, n := range site.Nodes {
		begin := time.Now()
		onController(t, site, io.LimitReader(rand.Reader, sample), "ssh", "-F", site.SSHConfig, n.Name, "cat >/dev/null")
		require.Greater(t, time.Since(begin), least, "to %s", n.Name)
		begin = time.Now()
		out := onController(t, site, nil, "ssh", "-F", site.SSHConfig, n.Name, "head -c 5000000 /dev/urandom")
		require.Greater(t, time.Since(begin), least, "from %s", n.Name)
		require.Len(t, out, sample)
	}
}

func testCounts(t *testing.T, site fleet.Site) {
	links := func() map[string]fleet.Link {
		all, err := fleet.Links(site)
		require.NoError(t, err)
		byName := map[string]fleet.Link{}
		for _, l := range all {
			byName[l.Machine] = l
		}
		return byName
	}
	before := links()
	onController(t, site, strings.NewReader(strings.Repeat("x", sample)), "ssh", "-F", site.SSHConfig, "node1", "cat >/dev/null")
	after := links()
	require.Greater(t, after["controller"].Sent-before["controller"].Sent, int64(sample))
	require.Greater(t, after["node1"].Received-before["node1"].Received, int64(sample))
	require.Less(t, after["node1"].Sent-before["node1"].Sent, int64(sample/10))
	require.Less(t, after["node2"].Received-before["node2"].Received, int64(sample/100))
}
