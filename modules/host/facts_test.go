package host

import (
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestFactsExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Facts]()) }

func TestFactsTellThisMachine(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Facts](t, h, dir, `
			paths = ["/", "DIR/not/there"]
			users = ["root", "nobody-at-all"]`)
		require.False(t, onlyLooks(t, step, dir).Wanted())
		_, out, err := step.Check()
		require.NoError(t, err)

		num := func(name string) float64 {
			f, _ := out.GetAttr(name).AsBigFloat().Float64()
			return f
		}
		str := func(name string) string { return out.GetAttr(name).AsString() }
		hostname, err := os.Hostname()
		require.NoError(t, err)
		require.Equal(t, hostname, str("hostname"))
		require.Equal(t, map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH], str("arch"))
		require.NotEmpty(t, str("kernel"))
		release, err := os.ReadFile("/etc/os-release")
		require.NoError(t, err)
		require.Contains(t, string(release), `PRETTY_NAME="`+str("os_name")+`"`)
		require.NotEmpty(t, str("os"))
		require.GreaterOrEqual(t, num("cpus"), 1.0)
		require.Greater(t, num("memory_bytes"), 64e6)
		require.Greater(t, num("memory_available_bytes"), 1e6)
		require.InDelta(t, num("memory_bytes")/(1<<30), num("memory_gib"), 0.01)
		require.Greater(t, num("uptime"), 0.0)
		require.Equal(t, float64(os.Geteuid()), num("uid"))

		disks := out.GetAttr("disks").AsValueMap()
		require.Len(t, disks, 2)
		require.True(t, disks["/"].GetAttr("exists").True())
		require.Equal(t, cty.StringVal("/"), disks["/"].GetAttr("mount"))
		require.False(t, disks[dir+"/not/there"].GetAttr("exists").True())
		require.True(t, disks["/"].GetAttr("total_bytes").GreaterThan(cty.NumberIntVal(1<<20)).True())
		require.True(t, out.GetAttr("uids").RawEquals(cty.MapVal(map[string]cty.Value{"root": cty.Zero})))

		// It is the same clock.
		require.LessOrEqual(t, num("clock_offset"), num("clock_error"))
		require.GreaterOrEqual(t, num("clock_offset"), -num("clock_error"))
		require.Less(t, num("clock_error"), 1.0)
	})
}

func TestFactsOfAnotherSystem(t *testing.T) {
	now := time.Now().Add(90 * time.Second).Unix()
	clock := "clock " + strconv.FormatInt(now, 10) + ".N"
	answer := strings.Join([]string{
		clock,
		"os NAME=\"CentOS Linux\"", "os ID=\"centos\"", "os VERSION_ID=\"7\"", "os PRETTY_NAME=\"CentOS Linux 7 (Core)\"",
		"kernel 3.10.0-1160.el7.x86_64", "arch x86_64", "hostname node1", "cpus 8",
		"memory MemTotal: 16266528", "memory SwapTotal: 2097148",
		"uptime 12345.67", "systemd yes", "uid 0", "user root",
		"route 198.51.100.1 via 10.0.0.1 dev eth0 src 10.0.0.11 uid 0",
		"address 10.0.0.11/24", "address fd00::11/64",
		"docker 18.09.1 18.09.1",
		"containerd containerd github.com/containerd/containerd 1.2.2 9754871865f7fe2f4e74d43e2fc7ccd237edcbce",
		"runc runc version 1.0.0-rc6+dev",
		"kubelet Kubernetes v1.14.1",
		"disk yes /dev/mapper/my vg-root 51474912 7010784 41826304 15% /my data",
		clock, "",
	}, "\n")
	f := &Facts{Paths: []string{"/my data"}}
	change, err := f.Check(context.Background(), moduletest.Env(t, answering{Host: nil, stdout: answer}))
	require.NoError(t, err)
	require.False(t, change.Wanted())
	require.Equal(t, []string{"centos", "7", "CentOS Linux 7 (Core)"}, []string{f.OS, f.OSVersion, f.OSName})
	require.Equal(t, []string{"18.09.1", "18.09.1", "1.2.2", "1.0.0-rc6+dev", "1.14.1"},
		[]string{f.Docker, f.Dockerd, f.Containerd, f.Runc, f.Kubelet})
	require.Equal(t, "10.0.0.11", f.Address)
	require.Equal(t, []string{"10.0.0.11", "fd00::11"}, f.Addresses)
	require.Equal(t, 8, f.CPUs)
	require.Equal(t, int64(16266528*1024), f.Memory)
	require.Equal(t, int64(2097148*1024), f.Swap)
	require.Zero(t, f.Available)
	require.True(t, f.Systemd)
	disk := f.Disks["/my data"]
	require.Equal(t, "/dev/mapper/my vg-root", disk.Device)
	require.Equal(t, "/my data", disk.Mount)
	require.InDelta(t, 39.89, disk.FreeGiB, 0.001)
	require.InDelta(t, 90, f.Offset, f.OffsetErr, "a clock without fractions is off by no more than the bound")
	require.InDelta(t, 0.5, f.OffsetErr, 0.1)
}

// The engine of this docker does not answer; its client then says so and fails,
// as docker does. These programs stand in for a node's, in the words they use.
func TestFactsAskTheNodesPrograms(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{
		"docker":     "printf '18.09.1 '; echo 'Cannot connect to the Docker daemon' >&2; exit 1",
		"containerd": "echo 'containerd github.com/containerd/containerd v1.6.20 2806fc1'",
		"kubelet":    "echo Kubernetes v1.34.4",
		"runc":       "printf 'runc version 1.1.5\\ncommit: v1.1.5-0-gf19387a6\\nspec: 1.0.2-dev\\n'",
	} {
		write(t, bin+"/"+name, "#!/bin/sh\n"+script+"\n", 0o755)
	}
	h := withPath{local.New(), bin + ":" + os.Getenv("PATH")}
	f := new(Facts)
	_, err := f.Check(context.Background(), moduletest.Env(t, h))
	require.NoError(t, err)
	require.Equal(t, []string{"18.09.1", "", "1.6.20", "1.34.4", "1.1.5"},
		[]string{f.Docker, f.Dockerd, f.Containerd, f.Kubelet, f.Runc})
}

func TestFactsCutShortAreAnError(t *testing.T) {
	_, err := new(Facts).Check(context.Background(), moduletest.Env(t, answering{stdout: "clock 1.5\nkernel 5\n"}))
	require.ErrorContains(t, err, "not whole")
}

func TestClockOffsetDoesNotCountTheScriptsOwnTime(t *testing.T) {
	begin := time.Unix(1000, 0)
	end := begin.Add(2200 * time.Millisecond) // 100 ms there, 2 s of work, 100 ms back
	at := func(d time.Duration) reading { return reading{begin.Add(d), time.Nanosecond} }
	seconds, bound := offset(begin, end, at(5100*time.Millisecond), at(7100*time.Millisecond))
	require.InDelta(t, 5, seconds, 1e-6)
	require.InDelta(t, 0.1, bound, 1e-6)
	seconds, bound = offset(begin, end, at(-60*time.Second), at(-58*time.Second))
	require.InDelta(t, -60.1, seconds, 1e-6)
	require.InDelta(t, 0.1, bound, 1e-6)
}

// answering stands in for machines that this one is not, such as CentOS 7.
type answering struct {
	conn.Host
	stdout string
}

func (a answering) Run(context.Context, conn.Cmd) (conn.Result, error) {
	return conn.Result{Stdout: a.stdout}, nil
}
