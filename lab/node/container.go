// Package node runs the machines of the lab: containers with their own address, sshd, containerd and kubelet.
package node

import (
	"context"
	"os"

	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
)

// capabilities are what a kubelet, containerd and dockerd need. Plain --privileged asks for all of them, and fails on a
// host that lacks one (a virtual machine without CAP_SYS_RESOURCE, for example).
var capabilities = []string{
	"SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE", "SYS_CHROOT", "DAC_READ_SEARCH", "MKNOD", "SYSLOG", "IPC_LOCK", "AUDIT_WRITE",
}

// ownFileSystems need something better than an overlay below them: overlays cannot be stacked.
var ownFileSystems = []string{"/var/lib/containerd", "/var/lib/kubelet", "/var/lib/docker", "/data"}

// Machine is one node's container.
type Machine struct {
	Lab      layout.Lab
	Node     layout.Node
	Engine   docker.Engine
	Binaries string // folder of the cluster's programs; empty: a node without Kubernetes
	Owner    string // which lab the container belongs to; a lab whose state is lost must not find it and go on with it
}

// Start brings the machine up. One that runs is left alone; one that was stopped goes on with its disks.
func (m Machine) Start(ctx context.Context) error {
	if err := PrepareCgroups(m.Lab, m.Node); err != nil {
		return err
	}
	switch status, _ := m.Engine.Do(ctx, "container", "inspect", "--format", "{{.State.Status}}", m.Node.Name); status {
	case "running":
		return nil
	case "exited":
		_, err := m.Engine.Do(ctx, "start", m.Node.Name)
		return err
	case "": // there is none
	default:
		if _, err := m.Engine.Do(ctx, "rm", "--force", "--volumes", m.Node.Name); err != nil {
			return err
		}
	}
	logs := m.Lab.In("logs", m.Node.Name)
	if err := os.MkdirAll(logs, 0o755); err != nil {
		return err
	}
	_, err := m.Engine.Do(ctx, m.argv(logs)...)
	return err
}

func (m Machine) argv(logs string) []string {
	argv := []string{
		"run", "--detach", "--init", "--name", m.Node.Name, "--hostname", m.Node.Name, "--label", docker.KeyLabel + "=" + m.Owner,
		"--network", m.Lab.Network(), "--ip", m.Node.IP,
		"--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined", "--security-opt", "systempaths=unconfined",
		"--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw",
		"--tmpfs", "/run:exec,mode=755", "--tmpfs", "/tmp:exec,mode=1777",
		"--sysctl", "net.ipv4.ip_forward=1",
		"--volume", Folder(m.Lab, m.Node) + ":/etc/antdb-lab:ro",
		"--volume", logs + ":/var/log/antdb-lab",
	}
	if m.Binaries != "" {
		argv = append(argv, "--volume", m.Binaries+":/opt/antdb-lab/bin:ro")
	}
	for _, capability := range capabilities {
		argv = append(argv, "--cap-add", capability)
	}
	for _, path := range ownFileSystems {
		argv = append(argv, "--mount", "type=volume,destination="+path+",volume-nocopy")
	}
	for _, other := range m.Lab.All() {
		argv = append(argv, "--add-host", other.Name+":"+other.IP)
	}
	return append(argv, layout.NodeImage)
}
