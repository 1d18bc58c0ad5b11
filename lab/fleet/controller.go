package fleet

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"syscall"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
	"github.com/adbsql/antdbctl/lab/proc"
)

// controller is the name of the machine from where nodes are worked on.
const controller = "controller"

// Namespace is the file that holds the controller's network namespace. It lies in the state folder and not among ip's
// own, so that it goes with that folder's mounts, and its link with it.
func Namespace(lab layout.Lab) string { return lab.In("controller.net") }

// controllerIP is below the nodes' addresses, which begin at 11.
func (f Fleet) controllerIP() string { return fmt.Sprintf("10.213.%d.9", f.Lab.Slot) }

// ControllerLink is the host's end of the controller's link.
func ControllerLink(lab layout.Lab) string { return fmt.Sprintf("antdbfleet%d", lab.Slot) }

func (f Fleet) inController(argv ...string) []string {
	return append([]string{"nsenter", "--net=" + Namespace(f.Lab), "--"}, argv...)
}

// layControllerLink makes the controller's namespace and its link to the nodes' bridge, unless they are there.
func (f Fleet) layControllerLink(ctx context.Context) error {
	if _, err := net.InterfaceByName(ControllerLink(f.Lab)); err == nil {
		return nil
	}
	if err := f.makeNamespace(ctx); err != nil {
		return fmt.Errorf("make the controller's network: %w", err)
	}
	for _, argv := range [][]string{
		{"ip", "link", "add", ControllerLink(f.Lab), "type", "veth", "peer", "name", "eth0", "netns", Namespace(f.Lab)},
		{"ip", "link", "set", ControllerLink(f.Lab), "master", f.Lab.Bridge(), "up"},
		f.inController("ip", "link", "set", "lo", "up"),
		f.inController("ip", "address", "add", f.controllerIP()+"/24", "dev", "eth0"),
		f.inController("ip", "link", "set", "eth0", "up"),
	} {
		if _, err := proc.Run(ctx, argv...); err != nil {
			return err
		}
	}
	return nil
}

func (f Fleet) makeNamespace(ctx context.Context) error {
	file := Namespace(f.Lab)
	// one that is left has lost its link; EINVAL: nothing is mounted there
	if err := syscall.Unmount(file, syscall.MNT_DETACH); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.ENOENT) {
		return err
	}
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		return err
	}
	_, err := proc.Run(ctx, "unshare", "--net="+file, "true")
	return err
}

// Exec becomes a command that runs on the controller: on this machine, but with the controller's network, and with the
// other machines of the fleet where the processors are shared out.
func Exec(lab layout.Lab, argv []string) error {
	if _, err := Read(lab); err != nil {
		return err
	}
	nsenter, err := exec.LookPath("nsenter")
	if err != nil {
		return err
	}
	if err := node.EnterCgroup(lab, layout.Node{Name: controller}); err != nil {
		return err
	}
	return syscall.Exec(nsenter, Fleet{Lab: lab}.inController(argv...), os.Environ())
}
