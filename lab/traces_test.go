package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/proc"
)

// tracesOfMachine lists everything on this machine that a lab could leave behind.
func tracesOfMachine(t *testing.T, lab layout.Lab) map[string][]string {
	t.Helper()
	traces := map[string][]string{}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	require.NoError(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(mounts)), "\n") {
		// not another lab's, not another test's
		if point := strings.Fields(line)[4]; !strings.HasPrefix(point, "/run/antdbctl-lab/") && !strings.HasPrefix(point, os.TempDir()+"/") {
			traces["mounts"] = append(traces["mounts"], point)
		}
	}
	links, err := net.Interfaces()
	require.NoError(t, err)
	for _, link := range links {
		traces["links"] = append(traces["links"], link.Name)
	}
	routes, err := proc.Run(t.Context(), "ip", "route", "show", "table", "all")
	require.NoError(t, err)
	traces["routes"] = strings.Split(routes, "\n")
	rules, err := proc.Run(t.Context(), "iptables-save")
	require.NoError(t, err)
	for _, line := range strings.Split(rules, "\n") {
		if strings.HasPrefix(line, "-A") || strings.HasPrefix(line, "*") {
			traces["rules"] = append(traces["rules"], line)
		}
	}
	for _, name := range append(sysctls, "net/ipv4/ip_forward") {
		value, err := os.ReadFile(filepath.Join("/proc/sys", name))
		require.NoError(t, err)
		traces["sysctls"] = append(traces["sysctls"], name+"="+strings.TrimSpace(string(value)))
	}
	for _, dir := range []string{"/run", "/var/lib", "/var/log", "/var/run", "/etc", "/etc/cni", "/etc/docker", "/opt"} {
		files, _ := filepath.Glob(dir + "/*")
		traces["files"] = append(traces["files"], files...)
	}
	traces["cgroups"] = cgroupsOfLab(lab)
	traces["processes"] = processesOfLab(lab)
	return traces
}

func cgroupsOfLab(lab layout.Lab) []string {
	var found []string
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == lab.CgroupRoot() {
			found = append(found, path)
		}
		return nil
	})
	return found
}

// processesOfLab finds the host's processes by the lab's folder in their arguments, and the nodes' by their cgroup.
func processesOfLab(lab layout.Lab) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, _ := os.ReadFile(file)
		group, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cgroup"))
		if strings.Contains(string(line), lab.State+"/") || strings.Contains(string(group), "/"+lab.CgroupRoot()+"/") {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// leftBehind is what there is now and was not before. What others do on the machine meanwhile counts too, if it adds something.
func leftBehind(before, now map[string][]string) []string {
	var left []string
	for kind, list := range now {
		for _, one := range list {
			if !slices.Contains(before[kind], one) {
				left = append(left, kind+": "+one)
			}
		}
	}
	slices.Sort(left)
	return left
}

// testOperatorAnswers asks for the operator's version from the host, by the service's address.
func testOperatorAnswers(t *testing.T, lab layout.Lab) {
	site, err := os.ReadFile(lab.In("site.hcl"))
	require.NoError(t, err)
	address := regexp.MustCompile(`pgo_url += "(.*)"`).FindStringSubmatch(string(site))
	require.Len(t, address, 2)
	pair, err := tls.LoadX509KeyPair(lab.In("pgo", "client.crt"), lab.In("pgo", "client.key"))
	require.NoError(t, err)
	authority, err := os.ReadFile(lab.In("pgo", "ca.crt"))
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(authority))
	user, err := os.ReadFile(lab.In("pgo", "pgouser"))
	require.NoError(t, err)
	name, password, _ := strings.Cut(strings.TrimSpace(string(user)), ":")

	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		Proxy:           nil,
		TLSClientConfig: &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: "postgres-operator"},
	}}
	defer client.CloseIdleConnections()
	require.Eventually(t, func() bool {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address[1]+"/version", nil)
		require.NoError(t, err)
		request.SetBasicAuth(name, password)
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		return err == nil && strings.Contains(string(body), `"4.2.1"`)
	}, patience, 200*time.Millisecond)
}
