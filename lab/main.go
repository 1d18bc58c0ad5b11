// Command lab brings up a small real site on this machine, and takes it down without a trace: a Kubernetes control
// plane, nodes that are containers with sshd, containerd and kubelet, a Docker Engine of its own, and a PGO operator.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/site"
)

const manual = `lab brings up a small real site on this machine and takes it down without a trace.

  lab up                      control plane, three nodes, Docker Engine, PGO operator; run it again, it goes on where it was
  lab status                  what runs, its memory, its logs, the nodes
  lab ssh node1 uptime        a command on a node, as root
  antdbctl apply RUNBOOK --var-file $(lab site)
  lab operators 4.7.10 6.0.3  stand-ins of later operators beside the one of PGO 4.2.1
  lab down                    everything goes, except the cache
  lab down --purge            the cache too
  lab fleet --help            plain nodes behind slow links, to measure how images travel

It needs root on Debian, and Go. Missing Debian packages are named and installed. Nothing is pulled from an image
registry: Kubernetes and etcd are built from Go modules, images are made of Debian packages. The first "up" takes
some ten minutes, a later one less than one.

Folders:
  ANTDBCTL_LAB_CACHE  what is worth keeping: binaries, root file systems, the engine's images (~/.cache/antdbctl-lab)
  ANTDBCTL_LAB_DIR    what runs: kubeconfig, keys, logs, sockets (/run/antdbctl-lab)
  ANTDBCTL_LAB_SLOT   0 to 9: a second lab beside the first, with addresses of its own (0)`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// root's PATH lacks some of these after a plain su or sudo
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin:/usr/local/go/bin")
	lab, err := layout.Locate(sourceFolder())
	if err == nil {
		err = command(lab).ExecuteContext(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() > 0 && errors.Is(err, errRemote) {
		os.Exit(exit.ExitCode())
	}
	if err != nil && ctx.Err() != nil {
		fmt.Fprintln(os.Stderr, "lab: interrupted; the same command goes on where it was")
		os.Exit(130)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "lab:", err)
		os.Exit(1)
	}
}

func command(lab layout.Lab) *cobra.Command {
	root := &cobra.Command{Use: "lab", Short: "A small real site on this machine", Long: manual, SilenceUsage: true, SilenceErrors: true}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(upCommand(lab), downCommand(lab), statusCommand(lab), sshCommand(lab), recycleCommand(lab), requireCommand(), operatorsCommand(lab), fleetCommand(lab),
		printCommand(lab, "kubeconfig", "Print the path of the administrator's kubeconfig", lab.Kubeconfig()),
		printCommand(lab, "site", "Print the path of the var-file that describes the lab to antdbctl", site.Path(lab)))
	return root
}

func printCommand(lab layout.Lab, name, short, path string) *cobra.Command {
	return &cobra.Command{Use: name, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("there is no %s: is the lab up? (lab up)", path)
		}
		fmt.Fprintln(cmd.OutOrStdout(), path)
		return nil
	}}
}

var errRemote = errors.New("the command on the node failed")

func sshCommand(lab layout.Lab) *cobra.Command {
	return &cobra.Command{
		Use: "ssh NODE [COMMAND...]", Short: "Open a shell on a node, or run a command there, as root",
		Args: cobra.MinimumNArgs(1), DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "--help" || args[0] == "-h" {
				return cmd.Help()
			}
			ssh := exec.CommandContext(cmd.Context(), "ssh", append([]string{"-F", lab.In("ssh_config")}, args...)...)
			ssh.Stdin, ssh.Stdout, ssh.Stderr = os.Stdin, os.Stdout, os.Stderr
			if err := ssh.Run(); err != nil {
				return errors.Join(errRemote, err)
			}
			return nil
		},
	}
}

// sourceFolder is where this module's files are: the lab builds programs of its own from them.
func sourceFolder() string {
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		return filepath.Dir(file)
	}
	return "." // built with -trimpath: run it in the lab's folder
}

// ownerOf returns a random name that lasts as long as the state folder.
func ownerOf(lab layout.Lab) (string, error) {
	if content, err := os.ReadFile(lab.In("owner")); err == nil && len(content) > 0 {
		return string(content), nil
	}
	owner := rand.Text()
	return owner, os.WriteFile(lab.In("owner"), []byte(owner), 0o644)
}

// rememberNodes keeps the number of nodes for the commands that follow.
func rememberNodes(lab layout.Lab) error {
	return os.WriteFile(lab.In("nodes.count"), []byte(strconv.Itoa(lab.Nodes)+"\n"), 0o644)
}

// recallNodes returns the number of nodes of the lab that is up; 0 when there is none.
func recallNodes(lab layout.Lab) int {
	content, err := os.ReadFile(lab.In("nodes.count"))
	if err != nil {
		return 0
	}
	count, err := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil {
		return 0
	}
	return count
}
