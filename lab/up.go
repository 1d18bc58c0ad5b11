package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/binaries"
	"github.com/adbsql/antdbctl/lab/cluster"
	"github.com/adbsql/antdbctl/lab/control"
	"github.com/adbsql/antdbctl/lab/debian"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/fleet"
	"github.com/adbsql/antdbctl/lab/image"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
	"github.com/adbsql/antdbctl/lab/progress"
	"github.com/adbsql/antdbctl/lab/site"
)

// ascent is one run of `lab up`. Each step looks first whether its work is done, so a killed run is simply repeated.
type ascent struct {
	lab     layout.Lab
	print   *progress.Printer
	engine  docker.Engine
	sources string   // apt sources of the images
	bin     string   // folder of the cluster's programs
	images  []string // what every node's containerd gets
	owner   string   // marks this lab's containers
	site    site.Site
}

func upCommand(lab layout.Lab) *cobra.Command {
	cmd := &cobra.Command{Use: "up", Short: "Bring the lab up, or finish and repair one", Args: cobra.NoArgs}
	cmd.Flags().IntVar(&lab.Nodes, "nodes", layout.DefaultNodes, "number of nodes")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		print := progress.New(cmd.OutOrStdout())
		if _, err := fleet.Read(lab); err == nil {
			return fmt.Errorf("a fleet is up in slot %d; set ANTDBCTL_LAB_SLOT to another one", lab.Slot)
		}
		if err := checkUp(lab, cmd.Flags().Changed("nodes")); err != nil {
			return err
		}
		if there := recallNodes(lab); there != 0 {
			lab.Nodes = there
		}
		unlock, err := lock(lab)
		if err != nil {
			return err
		}
		defer unlock()
		return up(cmd.Context(), lab, print)
	}
	return cmd
}

func checkUp(lab layout.Lab, chosen bool) error {
	if os.Geteuid() != 0 {
		return errors.New("the lab makes containers, mounts and networks: run it as root (sudo lab up)")
	}
	if lab.Nodes < layout.MinNodes || lab.Nodes > layout.MaxNodes {
		return fmt.Errorf("--nodes %d: from %d to %d nodes are possible", lab.Nodes, layout.MinNodes, layout.MaxNodes)
	}
	if there := recallNodes(lab); there != 0 && chosen && there != lab.Nodes {
		return fmt.Errorf("a lab with %d nodes is up; take it down first (lab down)", there)
	}
	return nil
}

func up(ctx context.Context, lab layout.Lab, print *progress.Printer) error {
	a := &ascent{lab: lab, print: print, engine: docker.New(lab)}
	steps := []struct {
		what string
		do   func(context.Context) error
	}{
		{"look at this machine", a.prepareHost},
		{"start the lab's Docker Engine", a.startEngine},
		{"have programs and images", a.makeParts},
		{"start the control plane", func(ctx context.Context) error { return control.Plane{Lab: lab, Binaries: a.bin}.Start(ctx) }},
		{"start the nodes and load images on them", a.startNodes},
		{"wait until the nodes are Ready", a.waitNodes},
		{"install the operator", a.installOperator},
		{"write the site files", func(context.Context) error { return a.site.Write(lab) }},
	}
	for _, step := range steps {
		if err := print.Do(ctx, step.what, step.do); err != nil {
			return err
		}
	}
	print.Say("the lab is up: %d nodes. Next: lab status; lab ssh node1; antdbctl apply RUNBOOK --var-file %s", lab.Nodes, site.Path(lab))
	return nil
}

func (a *ascent) prepareHost(ctx context.Context) error {
	host, err := debian.ReadHost("/etc/os-release")
	if err != nil {
		return err
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New(`Go is not in root's PATH, and Kubernetes is built with it: sudo env "PATH=$PATH" lab up`)
	}
	missing := debian.Missing()
	if host.ID != "debian" {
		return fmt.Errorf("this is %q, but the lab makes its images from the Debian sources of a Debian machine", host.ID)
	}
	if len(missing) > 0 {
		a.print.Say("installing the missing Debian packages: %s", strings.Join(missing, " "))
		if err := debian.Install(ctx, missing); err != nil {
			return err
		}
	}
	if a.sources, err = debian.Sources("/etc/apt", host.Codename); err != nil {
		return err
	}
	if err := enoughRoom(a.lab.Cache); err != nil {
		return err
	}
	if err := node.FreeNetworks(ctx, a.lab); err != nil {
		return err
	}
	if a.owner, err = ownerOf(a.lab); err != nil {
		return err
	}
	return rememberNodes(a.lab)
}

func (a *ascent) startEngine(ctx context.Context) error {
	if err := a.engine.Start(ctx); err != nil {
		return err
	}
	// a reboot takes the state folder away, but not the engine's data
	if err := a.engine.RemoveContainers(ctx, a.owner); err != nil {
		return err
	}
	if err := a.engine.EnsureNetwork(ctx); err != nil {
		return err
	}
	return node.OpenFirewall(ctx, a.lab)
}

// makeParts is the long part of a first run: compiling and downloading go on side by side.
func (a *ascent) makeParts(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		builder := binaries.Builder{Lab: a.lab, Print: a.print}
		if a.bin, err = builder.Cluster(ctx); err != nil {
			return err
		}
		return a.print.Do(ctx, "build the operator and the pause image", func(ctx context.Context) (err error) {
			a.images, err = makeOwnImages(ctx, builder, a.engine)
			return err
		})
	})
	group.Go(func() error {
		for _, made := range []image.Debian{image.Node(), image.Base()} {
			if made.Present(ctx, a.engine, a.sources) {
				continue
			}
			what := "make image " + made.Name + " from Debian packages"
			err := a.print.Do(ctx, what, func(ctx context.Context) error { return made.Ensure(ctx, a.lab, a.engine, a.sources) })
			if err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

func (a *ascent) machine(n layout.Node) node.Machine {
	return node.Machine{Lab: a.lab, Node: n, Engine: a.engine, Binaries: a.bin, Owner: a.owner}
}

func (a *ascent) startNodes(ctx context.Context) error {
	keys, err := node.Keys(a.lab)
	if err != nil {
		return err
	}
	a.site.SSHConfig, a.site.SSHIdentity, a.site.KnownHosts = keys.Config, keys.Identity, keys.KnownHosts
	if err := saveSysctls(a.lab); err != nil {
		return err
	}
	for _, n := range a.lab.All() { // files first: making keys and certificates is not made for two at once
		if err := node.WriteFiles(a.lab, n, keys); err != nil {
			return err
		}
	}
	if err := node.Routes(ctx, a.lab); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for _, n := range a.lab.All() {
		group.Go(func() error {
			if err := a.machine(n).Start(ctx); err != nil {
				return err
			}
			return a.machine(n).Import(ctx, a.images...)
		})
	}
	return group.Wait()
}

func (a *ascent) waitNodes(ctx context.Context) error {
	client, err := a.client()
	if err != nil {
		return err
	}
	if err := cluster.WaitReady(ctx, client, a.lab, 3*time.Minute); err != nil {
		return err
	}
	if err := cluster.EnsureVolumes(ctx, client, a.lab); err != nil {
		return err
	}
	_, err = recycler(a.lab).Start()
	return err
}

func (a *ascent) client() (kubernetes.Interface, error) {
	config, err := control.Config(a.lab)
	if err != nil {
		return nil, err
	}
	return kubernetes.NewForConfig(config)
}
