package debian

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/lab/proc"
)

// tools are the commands the lab runs on the host, with the Debian package that has each.
var tools = []struct{ command, pkg string }{
	{"dockerd", "docker.io"},
	{"docker", "docker.io"},
	{"containerd", "containerd"},
	{"runc", "runc"},
	{"docker-init", "docker.io"},
	{"iptables", "iptables"}, // dockerd looks for it even when told to leave iptables alone
	{"ip", "iproute2"},
	{"mmdebstrap", "mmdebstrap"},
	{"ssh", "openssh-client"},
	{"umount", "mount"},
}

// Host describes the machine the lab is to run on.
type Host struct {
	ID       string // "debian"
	Codename string
}

// ReadHost reads os-release.
func ReadHost(path string) (Host, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Host{}, fmt.Errorf("find out the distribution: %w", err)
	}
	var h Host
	for _, line := range strings.Split(string(content), "\n") {
		key, value, _ := strings.Cut(line, "=")
		value = strings.Trim(value, `"`)
		switch key {
		case "ID":
			h.ID = value
		case "VERSION_CODENAME":
			h.Codename = value
		}
	}
	return h, nil
}

// Missing lists the packages whose commands are not on this machine.
func Missing() []string {
	var missing []string
	for _, t := range tools {
		if _, err := exec.LookPath(t.command); err != nil && !slices.Contains(missing, t.pkg) {
			missing = append(missing, t.pkg)
		}
	}
	return missing
}

// Install installs packages without letting any of them start a service: the lab runs its own engine.
func Install(ctx context.Context, packages []string) error {
	env := []string{"DEBIAN_FRONTEND=noninteractive"}
	update := proc.Command{Argv: []string{"apt-get", "update", "-q"}, Env: env}
	if _, err := update.Output(ctx); err != nil {
		return err
	}
	restore, err := forbidServices("/usr/sbin/policy-rc.d")
	if err != nil {
		return err
	}
	argv := append([]string{"apt-get", "install", "-q", "-y", "--no-install-recommends"}, packages...)
	_, err = proc.Command{Argv: argv, Env: env}.Output(ctx)
	return errors.Join(err, restore())
}

// forbidServices puts Debian's policy hook in place (it answers 101, "action forbidden") unless there is one already.
func forbidServices(path string) (restore func() error, err error) {
	if _, err := os.Stat(path); err == nil {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if strings.Contains(string(content), "exit 101") {
			return func() error { return nil }, nil
		}
		aside := path + ".antdbctl-lab"
		if err := os.Rename(path, aside); err != nil {
			return nil, err
		}
		return func() error { return os.Rename(aside, path) }, writePolicy(path)
	}
	return func() error { return os.Remove(path) }, writePolicy(path)
}

func writePolicy(path string) error {
	return os.WriteFile(path, []byte("#!/bin/sh\nexit 101\n"), 0o755)
}
